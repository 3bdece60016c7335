// SPDX-License-Identifier: Apache-2.0
// Overrides the libc functions that other libraries call most. A function that is called before the constructor of this
// library ends the process. A function that is called later calls dlsym.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static int ready;
static __thread int in_on_call;

static void on_call(void) {
    if (!ready) {
        static const char text[] = "a libc function was called before the constructor of the overriding library\n";
        if (write(2, text, sizeof text - 1) > 0) _exit(99);
    }
    if (in_on_call) return;
    in_on_call = 1;
    dlsym(RTLD_DEFAULT, "cuMemAlloc_v2");
    in_on_call = 0;
}

__attribute__((constructor)) static void on_load(void) { ready = 1; }

static void* next(const char* name) { return dlvsym(RTLD_NEXT, name, "GLIBC_2.2.5"); }

void* memcpy(void* restrict to, const void* restrict from, size_t size) {
    on_call();
    for (size_t i = 0; i < size; ++i) ((volatile char*)to)[i] = ((const char*)from)[i];
    return to;
}

void* memmove(void* to, const void* from, size_t size) {
    on_call();
    volatile char* out = to;
    const char* in = from;
    for (size_t i = 0; i < size; ++i) {
        const size_t at = out < in ? i : size - 1 - i;
        out[at] = in[at];
    }
    return to;
}

void* memset(void* to, int value, size_t size) {
    on_call();
    for (size_t i = 0; i < size; ++i) ((volatile char*)to)[i] = (char)value;
    return to;
}

int memcmp(const void* left, const void* right, size_t size) {
    on_call();
    const volatile unsigned char *a = left, *b = right;
    for (size_t i = 0; i < size; ++i) {
        if (a[i] != b[i]) return a[i] - b[i];
    }
    return 0;
}

void* memchr(const void* text, int wanted, size_t size) {
    on_call();
    const volatile unsigned char* at = text;
    for (size_t i = 0; i < size; ++i) {
        if (at[i] == (unsigned char)wanted) return (void*)(at + i);
    }
    return NULL;
}

char* strchr(const char* text, int wanted) {
    on_call();
    for (const volatile char* at = text;; ++at) {
        if (*at == (char)wanted) return (char*)at;
        if (!*at) return NULL;
    }
}

size_t strlen(const char* text) {
    on_call();
    const volatile char* end = text;
    while (*end) ++end;
    return (size_t)(end - text);
}

int* __errno_location(void) {
    static __thread int number;
    on_call();
    return &number;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
    on_call();
    static int (*real)(clockid_t, struct timespec*);
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
    return real(clock, time);
}

int dl_iterate_phdr(int (*visit)(struct dl_phdr_info*, size_t, void*), void* data) {
    on_call();
    static int (*real)(int (*)(struct dl_phdr_info*, size_t, void*), void*);
    if (!real) *(void**)&real = next("dl_iterate_phdr");
    return real(visit, data);
}
