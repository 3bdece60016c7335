// SPDX-License-Identifier: Apache-2.0
// What the generator makes of data/ for the driver: its exports, the table behind cuGetProcAddress, the error names.
#pragma once

#include <cstddef>

// A function that is not simulated. Weak: one written by hand takes its place. Any number of arguments may be passed,
// for none is looked at.
#define SIM_STUB(name) \
    extern "C" __attribute__((weak, visibility("default"))) int name() { return 801 /* CUDA_ERROR_NOT_SUPPORTED */; }

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
