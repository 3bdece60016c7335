// SPDX-License-Identifier: Apache-2.0
// A libcuda.so.1 whose functions do nothing: what is measured through it is the way there, not a driver.
#define BENCH_EXPORT extern "C" __attribute__((visibility("default"), noinline))

BENCH_EXPORT int bench_direct() { return 0; }
BENCH_EXPORT int cuCtxSynchronize() { return 0; }
BENCH_EXPORT int cuMemFree_v2(unsigned long long) { return 0; }
