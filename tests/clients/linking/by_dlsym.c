// SPDX-License-Identifier: Apache-2.0
// Opens libcuda at run time in the mode that the argument names. With -DPLUGIN, this file is a plugin that opens
// libcuda with RTLD_LOCAL. With -DLINKED, it is a plugin that is linked with libcuda and looks functions up with
// RTLD_DEFAULT.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "work.h"

static int work_with_functions_of(void* handle) {
    Driver driver;
    const char* error;
#define TAKE(name, base, version, member, parameters) \
    *(void**)&driver.member = dlsym(handle, #name);   \
    error = dlerror();                                \
    if (!driver.member || error) {                    \
        printf("%s\n", error);                        \
        return 1;                                     \
    }
    DRIVER_FUNCTIONS(TAKE)
    return work(&driver);
}

#ifdef LINKED
int plugin(void) { return work_with_functions_of(RTLD_DEFAULT); }
#else
static void* require_handle(void* handle) {
    if (!handle) {
        printf("%s\n", dlerror());
        exit(1);
    }
    return handle;
}

#ifdef PLUGIN
int plugin(void) { return work_with_functions_of(require_handle(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL))); }
#else
// musl has neither namespaces nor RTLD_DEEPBIND.
#ifdef LM_ID_NEWLM
// The base namespace has its own driver, which must not be affected by calls in the new namespace.
static int work_in_new_namespace(void) {
    void* base = require_handle(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL));
    int result = work_with_functions_of(require_handle(dlmopen(LM_ID_NEWLM, "libcuda.so.1", RTLD_NOW)));
    Status (*count)(int*);
    *(void**)&count = dlsym(base, "cuDeviceGetCount");
    int devices;
    printf("in the base namespace cuDeviceGetCount %d\n", count(&devices));
    return result;
}
#endif

int main(int argc, char** argv) {
    const char* mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "local"))
        return work_with_functions_of(require_handle(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)));
#ifdef LM_ID_NEWLM
    if (!strcmp(mode, "deepbind"))
        return work_with_functions_of(require_handle(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)));
    if (!strcmp(mode, "dlmopen")) return work_in_new_namespace();
#endif
    if (!strcmp(mode, "global")) {
        require_handle(dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL));
        return work_with_functions_of(RTLD_DEFAULT);
    }
    return work_with_functions_of(require_handle(dlopen(mode, RTLD_NOW | RTLD_LOCAL)));
}
#endif
#endif
