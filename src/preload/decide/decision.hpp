// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "fault/plan.hpp"

namespace cudafault {

// The result of checking a call against the plan. If `fires` is false, the call passes through unchanged.
struct Decision {
    bool fires;
    uint8_t fault;
    Effect effect;
    int32_t code;
    uint64_t value;  // effect_value of the fault
    uint64_t revision;
    uint64_t matched;  // calls that the fault has counted so far
    int gpu;           // CUDA ordinal in this process, or kNoGpu
};

}  // namespace cudafault
