// SPDX-License-Identifier: Apache-2.0
// Interposes driver functions, as HAMi does. It counts allocations, forwards them, and prints their number at exit.
// With -DOVERRIDE_DLSYM it also overrides dlsym.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void* (*Dlsym)(void*, const char*);
typedef int (*Allocate)(unsigned long long*, size_t);

static int call_count;
static Allocate next_allocate;

// Returns libc's dlsym even if other libraries override dlsym.
static Dlsym libc_dlsym(void) { return (Dlsym)dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5"); }

static void* find_next(const char* name) {
    void* next = libc_dlsym()(RTLD_NEXT, name);
    return next ? next : libc_dlsym()(dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD), name);
}

int cuMemAlloc_v2(unsigned long long* memory, size_t size) {
    ++call_count;
    if (!next_allocate) *(void**)&next_allocate = find_next("cuMemAlloc_v2");
    return next_allocate(memory, size);
}

#ifdef OVERRIDE_DLSYM
void* dlsym(void* handle, const char* name) {
    if (handle == RTLD_NEXT || strcmp(name, "cuMemAlloc_v2")) return libc_dlsym()(handle, name);
    *(void**)&next_allocate = libc_dlsym()(handle, name);
    return next_allocate ? (void*)cuMemAlloc_v2 : NULL;
}
#endif

__attribute__((destructor)) static void print_count(void) {
    fprintf(stderr, "the interposer counted %d\n", call_count);
}
