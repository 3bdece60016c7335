// SPDX-License-Identifier: Apache-2.0
// Measures the nanoseconds per call of an empty function: directly through the PLT, through libcudafault.so if it is
// preloaded, and with the work that other fault injectors do on every call.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "cuda_stand_in.hpp"

namespace {

// Calls per iteration, so that the cost of the loop does not distort the ratio. bench/run has the same constant.
constexpr int kCallsPerIteration = 64;

template <typename Call>
void measure(benchmark::State& state, Call call) {
    call();  // exclude initialization from the measurement
    for (auto unused : state) {
        (void)unused;
#pragma GCC unroll 64
        for (int i = 0; i < kCallsPerIteration; ++i) benchmark::DoNotOptimize(call());
    }
}

int with_fopen() {
    if (std::FILE* toggle = std::fopen("/tmp/cudafault-bench-no-such-toggle", "r")) std::fclose(toggle);
    return bench_direct();
}

int with_getenv() {
    benchmark::DoNotOptimize(std::getenv("CUDA_FAULT_INJECTION_ENABLED"));
    return bench_direct();
}

int with_mutex() {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    return bench_direct();
}

int with_counter() {
    static std::atomic<unsigned long> calls;
    calls.fetch_add(1, std::memory_order_relaxed);
    return bench_direct();
}

void direct(benchmark::State& state) {
    measure(state, [] { return bench_direct(); });
}
void intercepted(benchmark::State& state) {
    measure(state, [] { return cuCtxSynchronize(); });
}
void toggle_file(benchmark::State& state) { measure(state, with_fopen); }
void environment(benchmark::State& state) { measure(state, with_getenv); }
void mutex(benchmark::State& state) { measure(state, with_mutex); }
void counter(benchmark::State& state) { measure(state, with_counter); }

BENCHMARK(direct);
BENCHMARK(intercepted);
BENCHMARK(toggle_file);
BENCHMARK(environment);
BENCHMARK(mutex);
BENCHMARK(counter);

}  // namespace

BENCHMARK_MAIN();
