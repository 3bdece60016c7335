// SPDX-License-Identifier: Apache-2.0
// A library that is preloaded before libcudafault.so and records every pointer to a CUDA function that the process
// obtains. For each pointer, it appends a line `resolver name file` to the file that OBSERVED names. `file` is the
// library that contains the function.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int Status;
typedef unsigned long long Flags;
typedef void* (*Dlsym)(void*, const char*);

static int output = -1;
static Dlsym next_dlsym;
static Status (*resolve_old)(const char*, void**, int, Flags);
static Status (*resolve_v2)(const char*, void**, int, Flags, int*);

// Sets next_dlsym to dlsym of libcudafault.so if OBSERVED_BEHIND names that library, otherwise to dlsym of libc, which
// is found by its symbol version.
__attribute__((constructor)) static void start(void) {
    if (next_dlsym) return;
    const char *file = getenv("OBSERVED"), *behind = getenv("OBSERVED_BEHIND");
    if (file) output = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    Dlsym libc_dlsym = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    next_dlsym = behind ? libc_dlsym(dlopen(behind, RTLD_LAZY | RTLD_NOLOAD), "dlsym") : libc_dlsym;
}

static void record(const char* resolver, const char* name, void* pointer) {
    Dl_info info;
    const char* file = dladdr(pointer, &info) && info.dli_fname ? info.dli_fname : "nowhere";
    const char* slash = strrchr(file, '/');
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s %s\n", resolver, name, slash ? slash + 1 : file);
    if (output >= 0 && write(output, line, length) != length) abort();
}

static void* observe(const char* resolver, const char* name, int version, void* pointer);

static Status observe_old(const char* name, void** function, int version, Flags flags) {
    Status status = resolve_old(name, function, version, flags);
    if (status == 0 && function && *function) *function = observe("cuGetProcAddress", name, version, *function);
    return status;
}

static Status observe_v2(const char* name, void** function, int version, Flags flags, int* found) {
    Status status = resolve_v2(name, function, version, flags, found);
    if (status == 0 && function && *function) *function = observe("cuGetProcAddress_v2", name, version, *function);
    return status;
}

// Records the pointer, and returns the pointer that the program gets. If `name` is a resolver, the program gets a
// function of the observer, which also records the pointers that the resolver returns.
static void* observe(const char* resolver, const char* name, int version, void* pointer) {
    record(resolver, name, pointer);
    if (!strcmp(name, "cuGetProcAddress_v2") || (!strcmp(name, "cuGetProcAddress") && version >= 12000)) {
        *(void**)&resolve_v2 = pointer;
        return (void*)observe_v2;
    }
    if (!strcmp(name, "cuGetProcAddress")) {
        *(void**)&resolve_old = pointer;
        return (void*)observe_old;
    }
    return pointer;
}

static int is_cuda(const char* name) { return !strncmp(name, "cu", 2) && name[2] >= 'A' && name[2] <= 'Z'; }

void* dlsym(void* handle, const char* name) {
    start();
    if (handle == RTLD_NEXT || !is_cuda(name)) return next_dlsym(handle, name);
    void* pointer = next_dlsym(handle, name);
    return pointer ? observe("dlsym", name, 0, pointer) : NULL;
}
