// SPDX-License-Identifier: Apache-2.0
#include "preload/evidence/evidence.hpp"

#include <time.h>

#include "fault/atomics.hpp"
#include "fault/log_lines.hpp"
#include "os/clock.hpp"
#include "os/system_call.hpp"
#include "preload/evidence/log.hpp"
#include "preload/process/environment.hpp"
#include "preload/process/procfs.hpp"
#include "preload/process/state.hpp"

namespace cudafault {

namespace {

constexpr uint64_t kLogIntervalNs = 1'000'000'000;

bool is_uuid(Text text) {
    for (size_t i = 0; i < text.size; ++i) {
        const char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-')) return false;
    }
    return text.size == 36;
}

// Converts a revision of the control block to the revision that the plan file has for the same plan; 0: none.
uint64_t file_revision_of(uint64_t revision) {
    for (const PlanSlot& slot : process().slots) {
        if (load(slot.revision) == revision) return load(slot.file_revision);
    }
    return 0;
}

// Builds one JSON line. Values are not escaped, so callers must pass only texts that need no escapes.
class JsonLine {
public:
    explicit JsonLine(const char* event) : message_(buffer_) {
        ProcessState& state = process();
        message_.add(kLogLineStart);
        message_.add("\"");
        message_.add(event);
        message_.add("\"");
        number("time_ns", wall_clock_ns());
        number("sequence", count_up(state.log_sequence));
        add_instance();
    }

    void number(const char* key, uint64_t value) {
        add_key(key);
        message_.add(value);
    }
    void plan_revision(uint64_t revision) {
        if (revision > 0) number("plan_revision", revision);
    }
    void text(const char* key, Text value) {
        add_key(key);
        message_.add("\"");
        message_.add(value);
        message_.add("\"");
    }

    void write() {
        message_.add("}\n");
        append_to_log(buffer_, Text(buffer_).size);
    }

private:
    void add_key(const char* key) {
        message_.add(",\"");
        message_.add(key);
        message_.add("\":");
    }

    // Identifies the process and its pod, so that a reader of the log can recognize duplicate lines.
    void add_instance() {
        char boot[40];
        number("pid", static_cast<uint64_t>(process_id()));
        number("start_time", start_time_of("self"));
        if (read_boot_id(boot) > 0) text("boot_id", Text(boot));
        const Text uid(environment("CUDAFAULT_POD_UID"));
        if (is_uuid(uid)) text("pod_uid", uid);
    }

    char buffer_[768] = "";
    TextBuilder message_;
};

ProcessSlot* claim_slot(ControlBlock& shared, int32_t pid) {
    for (ProcessSlot& slot : shared.processes) {
        int32_t free = 0;
        if (load(slot.pid) == 0 &&
            __atomic_compare_exchange_n(&slot.pid, &free, pid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            return &slot;
        }
    }
    count_up(shared.processes_dropped);
    return nullptr;
}

void record_event(const Decision& decision, int row) {
    ControlBlock& shared = block();
    const uint64_t sequence = count_up(shared.event_head);
    Event& event = shared.events[(sequence - 1) % kEventSlots];
    publish(event.sequence, uint64_t{0});
    event.time_ns = wall_clock_ns();
    event.call = decision.matched;
    event.pid = process().identity.pid;
    event.tid = thread_id();
    event.code = decision.effect == Effect::error ? decision.code : 0;
    event.function = static_cast<uint16_t>(row);
    event.fault = decision.fault;
    event.effect = static_cast<uint8_t>(decision.effect);
    event.gpu = static_cast<int16_t>(decision.gpu);
    event.rank = static_cast<int16_t>(process().identity.rank);
    event.revision = static_cast<uint32_t>(decision.revision);
    publish(event.sequence, sequence);
}

// `fired` counts since process start, but the limit applies only to firings under the plan in force.
bool has_own_line(uint64_t fired) { return fired - load(process().fired_before_plan) <= kEagerLines; }

bool claim_log_line(uint64_t fired) {
    ProcessState& state = process();
    if (!log_file()) return false;
    const uint64_t now = monotonic_ns();
    uint64_t last = load(state.last_logged_ns);
    if (!has_own_line(fired) && now - last < kLogIntervalNs) return false;
    return replace(state.last_logged_ns, last, now) || has_own_line(fired);
}

void log_firing(const Decision& decision, int row, uint64_t fired) {
    JsonLine line(kFiredEvent);
    line.number("revision", decision.revision);
    line.plan_revision(file_revision_of(decision.revision));
    line.number("fault", decision.fault);
    line.text("function", function_name(row));
    line.text("effect", effect_name(decision.effect));
    if (decision.effect == Effect::error) line.number("code", static_cast<uint64_t>(decision.code));
    line.number("matched", decision.matched);
    line.number("fired", fired);
    if (decision.gpu >= 0) line.number("gpu", static_cast<uint64_t>(decision.gpu));
    if (process().identity.rank >= 0) line.number("rank", static_cast<uint64_t>(process().identity.rank));
    line.write();
}

void store_name(const char (&name)[kMaxGlob], char (&out)[kShownName]) {
    for (size_t i = 0; i + 1 < kShownName && name[i]; ++i) store(out[i], name[i]);
}

}  // namespace

void register_process() {
    ProcessState& state = process();
    ProcessSlot* slot = claim_slot(block(), state.identity.pid);
    if (slot) {
        store(slot->rank, state.identity.rank);
        store(slot->start_time, state.identity.start_time);
        store_name(state.identity.names.program, slot->program);
        store_name(state.identity.names.script, slot->script);
    }
    state.registered = slot;
}

void record_acknowledgement(uint64_t revision, int faults) {
    if (ProcessSlot* slot = process().registered) store(slot->revision, revision);
    if (!log_file()) return;
    JsonLine line(kAcknowledgedEvent);
    line.number("revision", revision);
    line.plan_revision(load(process().plan_file.revision));
    line.number("faults", static_cast<uint64_t>(faults));
    line.number("fired", load(process().fired));
    line.write();
}

void record_firing(const Decision& decision, int row) {
    ControlBlock& shared = block();
    count_up(shared.fired[bank_of(decision.revision)][decision.fault][row]);
    if (ProcessSlot* slot = process().registered) count_up(slot->fired);
    record_event(decision, row);
    const uint64_t fired = count_up(process().fired);
    if (claim_log_line(fired)) log_firing(decision, row, fired);
}

bool record_final_count() {
    ProcessState& state = process();
    const uint64_t fired = load(state.fired);
    const bool is_due = log_file() && !has_own_line(fired + 1) && fired != state.fired_logged;
    const bool is_quiet = fired == state.fired_last_round;
    state.fired_last_round = fired;
    if (!is_due || !is_quiet) return is_due;
    state.fired_logged = fired;
    JsonLine line(kCountEvent);
    line.number("revision", load(state.taken_revision));
    line.plan_revision(file_revision_of(load(state.taken_revision)));
    line.number("fired", fired);
    line.write();
    return false;
}

void record_library_seen() { JsonLine(kLibrarySeenEvent).write(); }

}  // namespace cudafault
