// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "fault/plan.hpp"

namespace cudafault {

// The effect of the plan on a call. If `fires` is false, the call passes through unchanged.
struct Decision {
    bool fires;
    uint8_t fault;
    Effect effect;
    int32_t code;
    uint64_t value;  // of the effect: delay: ns; exit: code; signal: number
    uint64_t revision;
    uint64_t matched;  // calls that the fault has counted so far
    int gpu;           // CUDA ordinal in this process, or kNoGpu
};

}  // namespace cudafault
