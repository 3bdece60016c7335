// SPDX-License-Identifier: Apache-2.0
// Defines the operations that every driver client of these tests performs, no matter how the client obtains the
// functions: an allocation on the first GPU, and a copy to the GPU and back. work() prints `allocation CODE`, which the
// tests check.
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef int Status;
typedef unsigned long long Pointer;

// The driver functions that work() calls: exported name, base name, ABI version, member, parameters.
#define DRIVER_FUNCTIONS(_)                                                            \
    _(cuInit, cuInit, 2000, init, (unsigned))                                          \
    _(cuDeviceGet, cuDeviceGet, 2000, device, (int*, int))                             \
    _(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, 7000, retain, (void**, int)) \
    _(cuCtxSetCurrent, cuCtxSetCurrent, 4000, set_current, (void*))                    \
    _(cuMemAlloc_v2, cuMemAlloc, 3020, allocate, (Pointer*, size_t))                   \
    _(cuMemcpyHtoD_v2, cuMemcpyHtoD, 3020, upload, (Pointer, const void*, size_t))     \
    _(cuMemcpyDtoH_v2, cuMemcpyDtoH, 3020, download, (void*, Pointer, size_t))         \
    _(cuMemFree_v2, cuMemFree, 3020, release, (Pointer))

#define MEMBER(name, base, version, member, parameters) Status(*member) parameters;
typedef struct Driver {
    DRIVER_FUNCTIONS(MEMBER)
} Driver;
#undef MEMBER

#define STEP(call)                          \
    do {                                    \
        Status status_ = (call);            \
        if (status_ != 0) {                 \
            printf(#call " %d\n", status_); \
            return 1;                       \
        }                                   \
    } while (0)

static inline int work(const Driver* driver) {
    int device;
    void* context;
    STEP(driver->init(0));
    STEP(driver->device(&device, 0));
    STEP(driver->retain(&context, device));
    STEP(driver->set_current(context));
    Pointer memory;
    Status status = driver->allocate(&memory, 4096);
    printf("allocation %d\n", status);
    if (status != 0) return 1;
    char sent[64] = "the data is intact", received[64] = "";
    STEP(driver->upload(memory, sent, sizeof sent));
    STEP(driver->download(received, memory, sizeof received));
    STEP(driver->release(memory));
    printf("received \"%s\"\n", received);
    return strcmp(sent, received) != 0;
}
