// SPDX-License-Identifier: Apache-2.0
// Builds a libcuda.so.1 whose functions do nothing, so that a measurement covers only the path to the function.
#define BENCH_EXPORT extern "C" __attribute__((visibility("default"), noinline))

BENCH_EXPORT int bench_direct() { return 0; }
BENCH_EXPORT int cuCtxSynchronize() { return 0; }
BENCH_EXPORT int cuMemFree_v2(unsigned long long) { return 0; }
