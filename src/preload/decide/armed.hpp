// SPDX-License-Identifier: Apache-2.0
// The plan as this process has taken it up, and the decision on a call.
#pragma once

#include "fault/atomics.hpp"
#include "preload/process/process.hpp"
#include "preload/surface/frame.hpp"
#include "preload/surface/stubs.hpp"

namespace cudafault {

// What shall happen to a call. `fires` is false where it just goes on.
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

// Whether nothing of the plan can concern this row; a few loads, for it is asked on every call while armed.
inline bool cannot_concern(int row) {
    const ProcessState& state = process();
    if (load(block().header.revision) != load(state.taken_revision)) return false;
    const int32_t slot = load(state.slot);
    return slot == 0 || !state.slots[slot - 1].calls.has(row);
}

// Counts the call for every fault of the plan that it matches, and decides.
Decision decide_on(int row, bool inner, const Frame& frame);

// Takes the plan up where its revision is new; the watcher does it ahead of the next call.
void take_up_plan();

// Whether the fault that fired under that revision is still in force; a hanging call asks.
bool still_in_force(uint64_t revision, int fault);

}  // namespace cudafault
