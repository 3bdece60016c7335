/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded beside libcudafault.so: what loading any library at all costs. */
extern const int cudafault_bench_empty;
const int cudafault_bench_empty = 0;
