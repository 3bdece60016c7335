// SPDX-License-Identifier: Apache-2.0
// Decides for each intercepted call whether a fault of the plan in force fires. All functions are thread-safe. They
// allocate no memory themselves.
#pragma once

#include "fault/atomics.hpp"
#include "preload/decide/decision.hpp"
#include "preload/process/state.hpp"
#include "preload/surface/frame.hpp"

namespace cudafault {

// Returns true if no fault of the plan in force can match a call of this row. Limited to a few loads, because every
// call runs this function while a plan is armed.
inline bool cannot_match(int row) {
    const ProcessState& state = process();
    if (load(block().header.revision) != load(state.taken_revision)) return false;
    const int32_t slot = load(state.slot);
    if (slot == 0) return true;
    const PlanSlot& taken = state.slots[slot - 1];
    return taken.selected_faults == 0 || !taken.plan.reached.has(row);
}

// Counts the call for every fault of the plan that it matches, and returns the effect of the first fault that fires.
// `inner`: a shared libcudart makes the call. If another thread or process is replacing the plan, waits at most 10 ms
// for the new plan.
Decision decide_on(int row, bool inner, const Frame& frame);

// Returns true if the plan with this revision is still in force and the fault is inside its time window. A hanging call
// polls this function.
bool is_in_force(uint64_t revision, int fault);

}  // namespace cudafault
