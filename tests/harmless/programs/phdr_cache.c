// SPDX-License-Identifier: Apache-2.0
// Defines dl_iterate_phdr in the program, as caches and sanitizers do. The first call looks up libc's dl_iterate_phdr
// with dlsym.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

static int (*real)(int (*)(struct dl_phdr_info*, size_t, void*), void*);

int dl_iterate_phdr(int (*visit)(struct dl_phdr_info*, size_t, void*), void* data) {
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "dl_iterate_phdr");
    return real(visit, data);
}

int main(void) {
    int (*init)(unsigned);
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    if (!driver) return 3;
    *(void**)&init = dlsym(driver, "cuInit");
    printf("cuInit %d\n", init(0));
    return 0;
}
