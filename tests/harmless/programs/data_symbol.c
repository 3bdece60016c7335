// SPDX-License-Identifier: Apache-2.0
// Defines cuInit as a function pointer that this library sets, as in cuew. With -DPROGRAM, this file is a program that
// looks the pointer up.
typedef int (*Init)(unsigned);

static int own_init(unsigned flags) { return 41 + (int)flags; }

#ifndef PROGRAM
Init cuInit;

int set_pointer(void) {
    cuInit = own_init;
    return cuInit(1);
}
#else
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
    void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    Init* data = library ? dlsym(library, "cuInit") : NULL;
    if (!data) {
        printf("%s\n", dlerror());
        return 1;
    }
    *data = own_init;
    printf("cuInit of the library %d\n", (*data)(1));
    return 0;
}
#endif
