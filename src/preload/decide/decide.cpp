// SPDX-License-Identifier: Apache-2.0
#include "preload/decide/decide.hpp"

#include <time.h>

#include "fault/atomics.hpp"
#include "os/clock.hpp"
#include "preload/decide/gpus.hpp"
#include "preload/decide/uptake.hpp"
#include "preload/process/state.hpp"
#include "preload/process/wait.hpp"

namespace cudafault {

namespace {

// Returns true if the control block is valid and still contains the plan of the slot. No fault fires while the block is
// damaged.
bool has_plan_of(const PlanSlot& slot) {
    const ControlHeader& header = block().header;
    return load(header.revision) == slot.revision && load(header.checksum) == slot.checksum &&
           load(header.armed_at_ns) == slot.armed_at_ns && is_usable(header, process().identity.uid);
}

bool is_run_alive() {
    return process().source != Source::run || is_fresh_heartbeat(load(block().header.heartbeat_ns), run_clock_ns());
}

Moment moment_since(uint64_t armed_at_ns) {
    const uint64_t now = run_clock_ns();
    return moment_after(now > armed_at_ns ? now - armed_at_ns : 0, wall_clock_ns());
}

// While this object exists, it counts as a reader of the plan in force, so that the plan's slot is not reused.
class PlanReader {
public:
    PlanReader() {
        ProcessState& state = process();
        const int32_t number = observe(state.slot);
        if (number == 0) return;
        PlanSlot& slot = state.slots[number - 1];
        __atomic_add_fetch(&slot.readers, 1, __ATOMIC_ACQ_REL);
        if (observe(state.slot) == number) {
            slot_ = &slot;
        } else {
            release(slot);
        }
    }
    ~PlanReader() {
        if (slot_) release(*slot_);
    }
    PlanReader(const PlanReader&) = delete;
    PlanReader& operator=(const PlanReader&) = delete;

    const PlanSlot* operator->() const { return slot_; }
    PlanSlot& operator*() const { return *slot_; }
    explicit operator bool() const { return slot_ && has_plan_of(*slot_) && is_run_alive(); }

private:
    static void release(PlanSlot& slot) { __atomic_sub_fetch(&slot.readers, 1, __ATOMIC_ACQ_REL); }

    PlanSlot* slot_ = nullptr;
};

constexpr uint64_t kMaxReplacementNs = 10'000'000;  // writing a plan takes microseconds, unless the writer is preempted

struct Call {
    int row;
    bool inner;
    const Frame& frame;
    int gpu;  // kUndetermined until a fault with gpu= needs the GPU of the call
};

// Returns true if the fault has sticky=context and has fired in this process. Does not depend on scope=.
bool has_broken_context(const PlanSlot& slot, int index) {
    return slot.plan.faults[index].breaks_context && load(slot.counts[index].tripped);
}

bool match_gpu(const PlanSlot& slot, int index, Call& call) {
    const Fault& fault = slot.plan.faults[index];
    if (fault.gpu_count == 0 || is_on_selected_gpu(fault, call.row, call.frame, call.gpu)) return true;
    count_up(block().on_other_gpu[bank_of(slot.revision)][index]);
    return false;
}

// Returns the counters of the fault in the slot's plan. If another plan takes effect while a call is being decided, the
// call still counts under the old plan.
FaultState& counts_of(PlanSlot& slot, int index) {
    const bool run = slot.plan.faults[index].scope == Scope::run;
    return run ? block().run_state[bank_of(slot.revision)][index] : slot.counts[index];
}

bool match_call(PlanSlot& slot, int index, Call& call, Moment moment) {
    const Fault& fault = slot.plan.faults[index];
    const bool broken = has_broken_context(slot, index);
    const bool is_named = fault.calls.has(call.row) || (broken && kFunctions[call.row].simple_fails);
    if (!is_in_window(fault, counts_of(slot, index), moment) || !(slot.selected_faults >> index & 1) || !is_named)
        return false;
    if (call.inner && (broken || !is_inner_call_counted(fault, call.row))) return false;
    return match_gpu(slot, index, call);
}

// Counts a matched call. Returns true if the fault fires.
bool count_call(PlanSlot& slot, int index, Moment moment) {
    const Fault& fault = slot.plan.faults[index];
    FaultState& counts = counts_of(slot, index);
    count_up(block().matched[bank_of(slot.revision)][index]);
    if (has_broken_context(slot, index)) {
        count_up(counts.matched);
        return true;
    }
    const bool fired = count_matched_call(fault, counts, index, process().identity.rank, moment);
    if (fired && fault.breaks_context) store(slot.counts[index].tripped, uint32_t{1});
    return fired;
}

Decision make_decision(PlanSlot& slot, int index, const Call& call) {
    const Fault& fault = slot.plan.faults[index];
    const FaultState& counts = counts_of(slot, index);
    const int gpu = call.gpu == kUndetermined ? gpu_argument(call.row, call.frame) : call.gpu;
    return {true,          static_cast<uint8_t>(index), fault.effect, fault.code, fault.effect_value,
            slot.revision, load(counts.matched),        gpu};
}

Decision evaluate(PlanSlot& slot, Call& call) {
    const Moment moment = moment_since(slot.armed_at_ns);
    Decision decision{};
    for (int i = 0; i < slot.plan.count; ++i) {
        if (!match_call(slot, i, call, moment) || !count_call(slot, i, moment)) continue;
        if (!decision.fires) decision = make_decision(slot, i, call);
    }
    return decision;
}

// Returns false while the plan is being replaced; the caller must then retry.
bool try_to_decide(int row, bool inner, const Frame& frame, Decision& decision) {
    take_up_plan();
    const PlanReader slot;
    if (slot) {
        Call call{row, inner, frame, kUndetermined};
        decision = evaluate(*slot, call);
        return true;
    }
    const ProcessState& state = process();
    const uint64_t revision = observe(block().header.revision);
    return revision == state.given_up_revision ||
           (revision == observe(state.taken_revision) && observe(state.slot) == 0) || !is_run_alive();
}

}  // namespace

Decision decide_on(int row, bool inner, const Frame& frame) {
    Decision decision{};
    const uint64_t revision = load(block().header.revision);
    if (wait_briefly([&] { return try_to_decide(row, inner, frame, decision); }, kMaxReplacementNs)) return decision;
    // The writer of the plan has died, or the plan is damaged. Give up on this revision, so that later calls do not
    // wait.
    if (revision == load(block().header.revision)) store(process().given_up_revision, revision);
    return {};
}

bool is_in_force(uint64_t revision, int fault) {
    const PlanReader slot;
    if (!slot || slot->revision != revision || load(block().header.flag) != kFlagArmed) return false;
    return is_in_window(slot->plan.faults[fault], counts_of(*slot, fault), moment_since(slot->armed_at_ns));
}

}  // namespace cudafault
