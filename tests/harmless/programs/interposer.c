// SPDX-License-Identifier: Apache-2.0
// Another library that stands in front of the driver, as HAMi does: it counts allocations, hands them on, and says at
// the end how many it saw. With -DOVERRIDE_DLSYM it answers dlsym itself as well.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void* (*Look)(void*, const char*);
typedef int (*Allocate)(unsigned long long*, size_t);

static int seen;
static Allocate next_allocate;

// libc's own, whoever else overrides dlsym.
static Look libc_look(void) { return (Look)dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5"); }

static void* find_next(const char* name) {
    void* next = libc_look()(RTLD_NEXT, name);
    return next ? next : libc_look()(dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD), name);
}

int cuMemAlloc_v2(unsigned long long* memory, size_t size) {
    ++seen;
    if (!next_allocate) *(void**)&next_allocate = find_next("cuMemAlloc_v2");
    return next_allocate(memory, size);
}

#ifdef OVERRIDE_DLSYM
void* dlsym(void* handle, const char* name) {
    if (handle == RTLD_NEXT || strcmp(name, "cuMemAlloc_v2")) return libc_look()(handle, name);
    *(void**)&next_allocate = libc_look()(handle, name);
    return next_allocate ? (void*)cuMemAlloc_v2 : NULL;
}
#endif

__attribute__((destructor)) static void say(void) { fprintf(stderr, "the interposer saw %d\n", seen); }
