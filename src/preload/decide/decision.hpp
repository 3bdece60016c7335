// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "fault/plan.hpp"

namespace cudafault {

// What happens to a call. If `fires` is false, the call goes on unchanged.
struct Decision {
    bool fires;
    uint8_t fault;
    Effect effect;
    int32_t code;
    uint64_t value;  // of the effect
    uint64_t revision;
    uint64_t matched;  // calls that the fault has counted so far
    int gpu;           // the process's ordinal, or kNoGpu
};

}  // namespace cudafault
