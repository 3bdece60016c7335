// SPDX-License-Identifier: Apache-2.0
// Declares the generated parts of the driver: stubs, the table for cuGetProcAddress, and the error names.
#pragma once

#include <cstddef>

namespace cudafault::sim {

// Returns the status of a function that is not simulated: CUDA_ERROR_NOT_INITIALIZED if the driver is not initialized,
// else CUDA_ERROR_NOT_SUPPORTED.
int unsupported();

}  // namespace cudafault::sim

// A function that is not simulated. It is weak, so that a handwritten function replaces it. It ignores its arguments,
// so it can be called with any arguments.
#define SIM_STUB(name) \
    extern "C" __attribute__((weak, visibility("default"))) int name() { return cudafault::sim::unsupported(); }

namespace cudafault::sim {

struct DriverEntry {
    const char* symbol;
    int version;
    bool per_thread;
    void* function;
};

// Sorted by symbol, then stream mode, then version.
extern const DriverEntry kDriverEntries[];
extern const size_t kDriverEntryCount;

struct ErrorName {
    int code;
    const char* name;
};
extern const ErrorName kErrorNames[];
extern const size_t kErrorNameCount;

}  // namespace cudafault::sim
