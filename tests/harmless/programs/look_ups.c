// SPDX-License-Identifier: Apache-2.0
// Looks up CUDA functions on a machine without CUDA.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#ifdef WEAK
int cuInit(unsigned) __attribute__((weak));

int main(void) {
    if (cuInit)
        printf("cuInit %d\n", cuInit(0));
    else
        printf("cuInit not found\n");
    return 0;
}
#else
int main(void) {
    static const char* const names[] = {"cuInit", "cudaMalloc", "nvmlInit_v2", "ncclCommInitAll", "cuNoSuchFunction"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; ++i) {
        void* found = dlsym(RTLD_DEFAULT, names[i]);
        printf("%s %s\n", names[i], found ? "found" : dlerror());
    }
    void* self = dlopen(NULL, RTLD_NOW);
    printf("%s\n", dlsym(self, "cuInit") ? "found" : dlerror());
    printf("%s\n", dlopen("libcuda.so.1", RTLD_NOW) ? "loaded" : dlerror());
    return 0;
}
#endif
