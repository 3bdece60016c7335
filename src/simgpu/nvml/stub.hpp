// SPDX-License-Identifier: Apache-2.0
// What the generator makes of data/nvml.tsv: the exports.
#pragma once

namespace cudafault::sim::nvml {
bool initialized();
}

// A function that is not simulated. Weak: one written by hand takes its place. Any number of arguments may be passed,
// for none is looked at. NVML_ERROR_UNINITIALIZED comes before NVML_ERROR_NOT_SUPPORTED.
#define SIM_STUB(name)                                                   \
    extern "C" __attribute__((weak, visibility("default"))) int name() { \
        return cudafault::sim::nvml::initialized() ? 3 : 1;              \
    }
