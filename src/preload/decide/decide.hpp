// SPDX-License-Identifier: Apache-2.0
// Decides on each call under the plan in force.
#pragma once

#include "fault/atomics.hpp"
#include "preload/decide/decision.hpp"
#include "preload/process/state.hpp"
#include "preload/surface/frame.hpp"

namespace cudafault {

// True if nothing of the plan can concern this row. A few loads, because every call asks it while armed.
inline bool cannot_concern(int row) {
    const ProcessState& state = process();
    if (load(block().header.revision) != load(state.taken_revision)) return false;
    const int32_t slot = load(state.slot);
    if (slot == 0) return true;
    const PlanSlot& taken = state.slots[slot - 1];
    return taken.here == 0 || !taken.plan.reached.has(row);
}

// Counts the call for every fault of the plan that it matches, and decides.
Decision decide_on(int row, bool inner, const Frame& frame);

// True if the fault that fired under that revision is still in force; a hanging call asks.
bool still_in_force(uint64_t revision, int fault);

}  // namespace cudafault
