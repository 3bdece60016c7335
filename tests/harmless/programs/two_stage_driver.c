// SPDX-License-Identifier: Apache-2.0
// Defines the first library of a two-stage driver, as on WSL 2. Each function looks up its own name in the second
// library, whose path is in TWO_STAGE_DRIVER.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "../../clients/linking/work.h"

static void* second_stage(const char* name) {
    static void* library;
    if (!library) library = dlopen(getenv("TWO_STAGE_DRIVER"), RTLD_NOW | RTLD_LOCAL);
    return dlsym(library, name);
}

#define ENTER(name) *(void**)&real = second_stage(name)

Status cuInit(unsigned flags) {
    Status (*real)(unsigned);
    ENTER("cuInit");
    return real(flags);
}
Status cuDeviceGet(int* device, int ordinal) {
    Status (*real)(int*, int);
    ENTER("cuDeviceGet");
    return real(device, ordinal);
}
Status cuDevicePrimaryCtxRetain(void** context, int device) {
    Status (*real)(void**, int);
    ENTER("cuDevicePrimaryCtxRetain");
    return real(context, device);
}
Status cuCtxSetCurrent(void* context) {
    Status (*real)(void*);
    ENTER("cuCtxSetCurrent");
    return real(context);
}
Status cuMemAlloc_v2(Pointer* memory, size_t size) {
    Status (*real)(Pointer*, size_t);
    ENTER("cuMemAlloc_v2");
    return real(memory, size);
}
Status cuMemcpyHtoD_v2(Pointer to, const void* from, size_t size) {
    Status (*real)(Pointer, const void*, size_t);
    ENTER("cuMemcpyHtoD_v2");
    return real(to, from, size);
}
Status cuMemcpyDtoH_v2(void* to, Pointer from, size_t size) {
    Status (*real)(void*, Pointer, size_t);
    ENTER("cuMemcpyDtoH_v2");
    return real(to, from, size);
}
Status cuMemFree_v2(Pointer memory) {
    Status (*real)(Pointer);
    ENTER("cuMemFree_v2");
    return real(memory);
}
