// SPDX-License-Identifier: Apache-2.0
// Loads a plugin and calls its function plugin(). Usage: plugin_host FILE [deepbind]
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | (argc > 2 ? RTLD_DEEPBIND : 0));
    int (*plugin)(void) = NULL;
    if (library) *(void**)&plugin = dlsym(library, "plugin");
    if (!plugin) {
        printf("%s\n", dlerror());
        return 1;
    }
    return plugin();
}
