// SPDX-License-Identifier: Apache-2.0
// A program that is linked only to cuGetProcAddress_v2 and looks up all other functions with it, as programs for CUDA
// 12 and later can do. With -DOLD_RESOLVER it uses cuGetProcAddress instead, as programs for CUDA 11.3 to 11.8 do.
#include "work.h"

#ifdef OLD_RESOLVER
Status cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags);
#define RESOLVE(base, function, version) cuGetProcAddress(base, function, version, 0)
#else
Status cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags, int* result);
#define RESOLVE(base, function, version) cuGetProcAddress_v2(base, function, version, 0, NULL)
#endif

int main(void) {
    Driver driver;
#define TAKE(name, base, version, member, parameters) STEP(RESOLVE(#base, (void**)&driver.member, version));
    DRIVER_FUNCTIONS(TAKE)
    return work(&driver);
}
