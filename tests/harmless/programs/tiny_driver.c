// SPDX-License-Identifier: Apache-2.0
// Defines a libcuda that does not depend on libc, for tests with C libraries other than the one that cudafault is built
// with. It has the functions that tests/clients/linking/work.h calls, and supports one allocation.
typedef unsigned long long Pointer;
typedef unsigned long Size;

static char memory[4096];

#define EXPORT __attribute__((visibility("default")))

EXPORT int cuInit(unsigned flags) { return (int)flags; }

EXPORT int cuDeviceGet(int* device, int ordinal) {
    *device = ordinal;
    return 0;
}

EXPORT int cuDevicePrimaryCtxRetain(void** context, int device) {
    *context = memory;
    return device;
}

EXPORT int cuCtxSetCurrent(void* context) { return context != memory; }

EXPORT int cuMemAlloc_v2(Pointer* pointer, Size size) {
    *pointer = (Pointer)memory;
    return size > sizeof memory ? 2 : 0;
}

EXPORT int cuMemFree_v2(Pointer pointer) { return pointer != (Pointer)memory; }

static int copy(volatile char* to, const char* from, Size size) {
    for (Size i = 0; i < size; ++i) to[i] = from[i];
    return 0;
}

EXPORT int cuMemcpyHtoD_v2(Pointer to, const void* from, Size size) { return copy((char*)to, from, size); }

EXPORT int cuMemcpyDtoH_v2(void* to, Pointer from, Size size) { return copy(to, (const char*)from, size); }
