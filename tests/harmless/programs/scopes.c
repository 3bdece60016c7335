// SPDX-License-Identifier: Apache-2.0
// Looks up a driver function in different scopes. Usage: scopes PLUGIN, where PLUGIN is linked to libcuda.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

typedef int (*Init)(unsigned);

static void* open_library(const char* file, int flags) {
    void* library = dlopen(file, flags);
    if (!library) printf("%s\n", dlerror());
    return library;
}

static void look_up(const char* scope, void* handle) {
    Init init = (Init)dlsym(handle, "cuInit");
    const char* error = dlerror();
    if (init)
        printf("  %s: cuInit %d, %s\n", scope, init(0), error ? error : "no dlerror");
    else
        printf("  %s: %s\n", scope, error);
}

static void look_up_in_all_scopes(const char* when, void* driver) {
    printf("%s\n", when);
    if (driver) look_up("by its handle", driver);
    look_up("RTLD_DEFAULT", RTLD_DEFAULT);
    look_up("the program's handle", open_library(NULL, RTLD_NOW));
    look_up("another library's handle", open_library("libm.so.6", RTLD_NOW));
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    void* driver = open_library("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    look_up_in_all_scopes("opened locally", driver);
    dlclose(driver);
    look_up_in_all_scopes("closed", NULL);
    void* plugin = open_library(argv[1], RTLD_NOW | RTLD_LOCAL);
    look_up_in_all_scopes("a linked plugin opened locally", plugin);
    dlclose(plugin);
    look_up_in_all_scopes("the plugin closed", NULL);
    driver = open_library("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    look_up_in_all_scopes("opened globally", driver);
    return 0;
}
