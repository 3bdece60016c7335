// SPDX-License-Identifier: Apache-2.0
// A GPU-sharing library: it exports a driver function and answers dlsym with that function, whatever the handle. At the
// end it says how many calls it saw.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void* (*Look)(void*, const char*);

static int seen;

static Look next_look(void) {
    static Look look;
    if (!look) *(void**)&look = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    return look;
}

int cuMemAlloc_v2(unsigned long long* memory, size_t size) {
    static int (*allocate)(unsigned long long*, size_t);
    ++seen;
    if (!allocate) *(void**)&allocate = next_look()(dlopen("libcuda.so.1", RTLD_NOW), "cuMemAlloc_v2");
    return allocate(memory, size);
}

void* dlsym(void* handle, const char* name) {
    if (!strcmp(name, "cuMemAlloc_v2")) return (void*)cuMemAlloc_v2;
    return next_look()(handle, name);
}

__attribute__((destructor)) static void say(void) { fprintf(stderr, "the sharing library saw %d\n", seen); }
