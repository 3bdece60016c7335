// SPDX-License-Identifier: Apache-2.0
#include "preload/decide/uptake.hpp"

#include <string.h>

#include "fault/atomics.hpp"
#include "fault/words.hpp"
#include "preload/evidence/evidence.hpp"
#include "preload/evidence/log.hpp"
#include "preload/process/signals.hpp"
#include "preload/process/state.hpp"
#include "preload/process/wait.hpp"

namespace cudafault {

namespace {

bool glob_fits(const char* glob, Text text) { return !glob[0] || glob_match(Text(glob), text); }

// process=, rank=, node= and pod=: they mean this process always or never.
bool is_here(const Fault& fault) {
    const Identity& self = process().identity;
    const ProgramNames& names = self.names;
    const bool program =
        glob_fits(fault.process, names.program) || (names.script[0] && glob_fits(fault.process, names.script));
    return program && concerns_rank(fault, self.rank) && glob_fits(fault.node, self.node) &&
           glob_fits(fault.pod, self.pod);
}

// A broken context fails all of these, whichever calls broke it.
void add_calls_on_context(FunctionSet& calls) {
    for (int row = 0; row < kFunctionCount; ++row) {
        if (kFunctions[row].simple_fails) calls.add(row);
    }
}

void choose_faults(PlanSlot& slot) {
    slot.here = 0;
    slot.calls = FunctionSet{};
    for (int i = 0; i < slot.plan.count; ++i) {
        const Fault& fault = slot.plan.faults[i];
        if (!is_here(fault)) continue;
        slot.here |= uint32_t{1} << i;
        for (size_t word = 0; word < sizeof slot.calls.words / sizeof *slot.calls.words; ++word) {
            slot.calls.words[word] |= fault.calls.words[word];
        }
        if (fault.breaks_context) add_calls_on_context(slot.calls);
    }
    for (int row = 0; row < kFunctionCount; ++row) {  // they report what other calls were given
        if (kFunctions[row].hook == Hook::last_error && slot.here) slot.calls.add(row);
    }
}

// Not the one in force, and nobody reads it any more.
PlanSlot* free_slot(ProcessState& state) {
    for (int i = 0; i < kPlanSlots; ++i) {
        if (load(state.slot) != i + 1 && observe(state.slots[i].readers) == 0) return &state.slots[i];
    }
    return nullptr;
}

void complain_of(const SpecError& error) {
    char line[480];
    Message message(line);
    message.add("the plan is refused at character ");
    message.add(uint64_t{error.position + 1});
    message.add(", so no fault is injected: ");
    message.add(error.message);
    complain(line);
}

// `state.text` is new: fills a slot with it. False: not now.
bool put_into_force(ProcessState& state) {
    store(state.fired_before_plan, load(state.fired));  // before the first firing under the new plan
    const Text spec(state.text.spec, state.text.size);
    SpecError error{};
    if (is_blank(spec)) {
        publish(state.slot, 0);
        return true;
    }
    PlanSlot* slot = free_slot(state);
    if (!slot) return false;
    if (!parse_plan(spec, slot->plan, error)) {
        complain_of(error);
        publish(state.slot, 0);
        return true;
    }
    slot->revision = state.text.revision;
    slot->file_revision = load(state.plan_file.revision);
    slot->armed_at_ns = state.text.armed_at_ns;
    slot->checksum = control_checksum(state.text.revision, state.text.armed_at_ns, spec);
    choose_faults(*slot);
    memset(slot->counts, 0, sizeof slot->counts);
    publish(state.slot, static_cast<int32_t>(slot - state.slots) + 1);
    return true;
}

void read_new_plan(ProcessState& state) {
    if (!control_read_plan(block(), state.identity.uid, state.text) || !put_into_force(state)) return;
    publish(state.taken_revision, state.text.revision);
    record_acknowledgement(state.text.revision, load(state.slot) ? state.slots[state.slot - 1].plan.count : 0);
}

}  // namespace

void take_up_plan() {
    ProcessState& state = process();
    uint64_t free = 0;
    if (load(block().header.revision) == observe(state.taken_revision)) return;
    const SignalsBlocked blocked;
    if (replace(state.taking_up, free, 1)) {
        const bool is_new =
            load(block().header.revision) != load(state.taken_revision);  // still: another may have been quicker
        if (is_new) read_new_plan(state);
        publish(state.taking_up, uint64_t{0});
    } else {
        wait_briefly([&] { return observe(state.taking_up) == 0; });
    }
}

}  // namespace cudafault
