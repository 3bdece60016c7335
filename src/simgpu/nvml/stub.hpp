// SPDX-License-Identifier: Apache-2.0
// Defines the macro for the stubs that the generator writes for the functions of data/nvml.tsv.
#pragma once

namespace cudafault::sim::nvml {
bool is_initialized();
}

// A function that is not simulated. It is weak, so that a handwritten function replaces it. It ignores its arguments,
// so it can be called with any arguments. It returns NVML_ERROR_UNINITIALIZED before nvmlInit, then
// NVML_ERROR_NOT_SUPPORTED.
#define SIM_STUB(name)                                                   \
    extern "C" __attribute__((weak, visibility("default"))) int name() { \
        return cudafault::sim::nvml::is_initialized() ? 3 : 1;           \
    }
