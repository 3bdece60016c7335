// SPDX-License-Identifier: Apache-2.0
// Replaces libcuda.so.1 and prints each query of a real libcudart to cuGetProcAddress: symbol, version, flags.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int cuInit(unsigned flags) {
    (void)flags;
    return 100;
}

int cuDriverGetVersion(int* version) {
    *version = 14000;
    return 0;
}

static int no_device(void) { return 100; }

int cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags);

int cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags, int* status) {
    if (status) *status = 0;
    return cuGetProcAddress(symbol, function, version, flags);
}

int cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags) {
    printf("%s\t%d\t%llu\n", symbol, version, (unsigned long long)flags);
    fflush(stdout);
    *function = (void*)no_device;
    if (!strcmp(symbol, "cuInit")) *function = (void*)cuInit;
    if (!strcmp(symbol, "cuDriverGetVersion")) *function = (void*)cuDriverGetVersion;
    // The function of version 11030 has four arguments and must not read a fifth.
    if (!strcmp(symbol, "cuGetProcAddress")) {
        *function = version < 12000 ? (void*)cuGetProcAddress : (void*)cuGetProcAddress_v2;
    }
    return 0;
}
