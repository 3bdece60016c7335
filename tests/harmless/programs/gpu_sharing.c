// SPDX-License-Identifier: Apache-2.0
// Imitates a GPU sharing library. It exports a driver function, and its dlsym returns that function for every handle.
// At exit it prints the number of calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void* (*Dlsym)(void*, const char*);

static int call_count;

static Dlsym next_dlsym(void) {
    static Dlsym next;
    if (!next) *(void**)&next = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    return next;
}

int cuMemAlloc_v2(unsigned long long* memory, size_t size) {
    static int (*allocate)(unsigned long long*, size_t);
    ++call_count;
    if (!allocate) *(void**)&allocate = next_dlsym()(dlopen("libcuda.so.1", RTLD_NOW), "cuMemAlloc_v2");
    return allocate(memory, size);
}

void* dlsym(void* handle, const char* name) {
    if (!strcmp(name, "cuMemAlloc_v2")) return (void*)cuMemAlloc_v2;
    return next_dlsym()(handle, name);
}

__attribute__((destructor)) static void print_count(void) {
    fprintf(stderr, "the sharing library counted %d\n", call_count);
}
