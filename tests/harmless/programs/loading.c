// SPDX-License-Identifier: Apache-2.0
// Calls the functions of the dynamic linker, without CUDA. Usage: loading FOLDER, the folder of plugin.so.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

// plugin.so defines a function with the same name.
const char* owner(void) { return "the program's"; }

static const char* call_owner(void* library) {
    const char* (*function)(void);
    *(void**)&function = dlsym(library, "call_owner");
    return function ? function() : dlerror();
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    char file[4096];
    snprintf(file, sizeof file, "%s/plugin.so", argv[1]);

    void* plain = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    printf("a plugin calls %s function\n", call_owner(plain));
    printf("dlclose %d\n", dlclose(plain));
    printf("the plugin is %s\n", dlopen(file, RTLD_NOW | RTLD_NOLOAD) ? "still loaded" : "unloaded");
    void* deep = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    printf("a DEEPBIND plugin calls %s function\n", call_owner(deep));
    Dl_info info;
    printf("dladdr %d\n", dladdr(dlsym(deep, "call_owner"), &info));
    printf("%s\n", strcmp(info.dli_sname, "call_owner") ? info.dli_sname : "call_owner");
    const char* (*next_owner)(void);
    *(void**)&next_owner = dlsym(RTLD_NEXT, "owner");
    printf("RTLD_NEXT of the program's function %s\n", next_owner ? "found" : "NULL");
    dlerror();
    printf("%s\n", dlsym(deep, "no_such_function") ? "found" : "no_such_function not found");
    printf("%s\n", dlerror() ? "dlerror is set" : "dlerror is not set");
    printf("%s\n", dlopen("/no/such/library.so", RTLD_NOW) ? "found" : dlerror());
    printf("dlvsym %d\n", dlvsym(RTLD_DEFAULT, "printf", "GLIBC_2.2.5") != NULL);
    void* apart = dlmopen(LM_ID_NEWLM, file, RTLD_NOW);
    printf("dlmopen %s\n", apart ? call_owner(apart) : dlerror());
    return 0;
}
