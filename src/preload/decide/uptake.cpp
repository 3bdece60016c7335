// SPDX-License-Identifier: Apache-2.0
#include "preload/decide/uptake.hpp"

#include <stddef.h>
#include <string.h>

#include "fault/atomics.hpp"
#include "preload/evidence/evidence.hpp"
#include "preload/process/signals.hpp"
#include "preload/process/state.hpp"
#include "preload/process/wait.hpp"

namespace cudafault {

namespace {

bool is_glob_match(const char* glob, Text text) { return !glob[0] || glob_match(Text(glob), text); }

// Returns true if process=, rank=, node= and pod= of the fault select this process. The result is the same for the
// lifetime of the process.
bool is_this_process_selected(const Fault& fault) {
    const Identity& self = process().identity;
    const ProgramNames& names = self.names;
    const bool program =
        is_glob_match(fault.process, names.program) || (names.script[0] && is_glob_match(fault.process, names.script));
    return program && is_rank_selected(fault, self.rank) && is_glob_match(fault.node, self.node) &&
           is_glob_match(fault.pod, self.pod);
}

uint32_t select_faults(const Plan& plan) {
    uint32_t selected = 0;
    for (int i = 0; i < plan.count; ++i) selected |= uint32_t{is_this_process_selected(plan.faults[i])} << i;
    return selected;
}

// Returns a slot that is not in force and has no readers, or nullptr.
PlanSlot* free_slot(ProcessState& state) {
    for (int i = 0; i < kPlanSlots; ++i) {
        if (load(state.slot) != i + 1 && observe(state.slots[i].readers) == 0) return &state.slots[i];
    }
    return nullptr;
}

void copy_plan(Plan& to, const Plan& from) {
    memcpy(static_cast<void*>(&to), &from, offsetof(Plan, faults) + static_cast<size_t>(from.count) * sizeof(Fault));
}

// Copies the plan in state.read to a free slot and puts that slot into force. Returns false if no slot is free.
bool put_into_force(ProcessState& state) {
    store(state.fired_before_plan, load(state.fired));  // before the first firing under the new plan
    const PlanCopy& read = state.read;
    if (read.plan.count == 0) {
        publish(state.slot, 0);
        return true;
    }
    PlanSlot* slot = free_slot(state);
    if (!slot) return false;
    copy_plan(slot->plan, read.plan);
    slot->revision = read.revision;
    slot->file_revision = load(state.plan_file.revision);
    slot->armed_at_ns = read.armed_at_ns;
    slot->checksum = read.checksum;
    slot->selected_faults = select_faults(slot->plan);
    memset(slot->counts, 0, sizeof slot->counts);
    publish(state.slot, static_cast<int32_t>(slot - state.slots) + 1);
    return true;
}

void read_new_plan(ProcessState& state) {
    if (!control_read_plan(block(), state.identity.uid, state.read) || !put_into_force(state)) return;
    publish(state.taken_revision, state.read.revision);
    record_acknowledgement(state.read.revision, load(state.slot) ? state.slots[state.slot - 1].plan.count : 0);
}

}  // namespace

void take_up_plan() {
    ProcessState& state = process();
    uint64_t free = 0;
    if (load(block().header.revision) == observe(state.taken_revision)) return;
    const SignalsBlocked blocked;
    if (replace(state.taking_up, free, 1)) {
        const bool is_new = load(block().header.revision) !=
                            load(state.taken_revision);  // another thread may have taken up this revision
        if (is_new) read_new_plan(state);
        publish(state.taking_up, uint64_t{0});
    } else {
        wait_briefly([&] { return observe(state.taking_up) == 0; });
    }
}

}  // namespace cudafault
