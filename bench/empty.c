/* SPDX-License-Identifier: Apache-2.0 */
/* Baseline for libcudafault.so: the cost of preloading any library. */
extern const int cudafault_bench_empty;
const int cudafault_bench_empty = 0;
