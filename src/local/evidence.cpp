// SPDX-License-Identifier: Apache-2.0
#include "local/evidence.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "fault/atomics.hpp"
#include "fault/words.hpp"
#include "fault/xids.hpp"
#include "local/spec.hpp"
#include "os/clock.hpp"
#include "os/one_line.hpp"
#include "os/process.hpp"
#include "os/timestamp.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

constexpr int kMaxWaits = 20;  // a limit, because the writer of an event may have died
constexpr int kPlanAttempts = 50;
constexpr useconds_t kPlanPauseUs = 2000;

// Retries, because another process may be writing the plan.
bool read_plan(const ControlBlock& block, PlanCopy& out) {
    for (int attempt = 0; attempt < kPlanAttempts; ++attempt) {
        if (control_read_plan(block, getuid(), out)) return true;
        usleep(kPlanPauseUs);
    }
    return false;
}

// Returns true if the heartbeat is stale. No fault fires in the processes while the heartbeat is stale.
bool is_stalled(const ControlBlock& block) {
    return !is_fresh_heartbeat(load(block.header.heartbeat_ns), shared_monotonic_ns());
}

json function_counts(const ControlBlock& block, int bank, int fault, uint64_t& fired) {
    auto functions = json::array();
    for (int row = 0; row < kFunctionCount; ++row) {
        const uint64_t count = observe(block.fired[bank][fault][row]);
        fired += count;
        if (count == 0) continue;
        functions.push_back(
            {{"function", string_of(function_name(row))}, {"library", soname_of(kFunctions[row])}, {"fired", count}});
    }
    std::stable_sort(functions.begin(), functions.end(),
                     [](const json& a, const json& b) { return a["fired"] > b["fired"]; });
    return functions;
}

json counts_json(const ControlBlock& block, int bank, int fault) {
    uint64_t fired = 0;
    json functions = function_counts(block, bank, fault, fired);
    // Read after the fired counts, because a call is counted as matched before it fires.
    const uint64_t matched = load(block.matched[bank][fault]);
    const char* outcome = fired > 0 ? "fired" : matched > 0 ? "matched, never fired" : "never hit";
    const uint64_t on_other_gpu = load(block.on_other_gpu[bank][fault]);
    return {{"matched", matched},
            {"on_other_gpu", on_other_gpu},
            {"fired", fired},
            {"outcome", outcome},
            {"functions", std::move(functions)}};
}

json faults_json(const ControlBlock& block, const PlanCopy& copy, const std::string& shown) {
    const std::vector<std::string> specs = split_faults(shown);
    const uint64_t now = shared_monotonic_ns();
    const Moment moment = moment_after(now > copy.armed_at_ns ? now - copy.armed_at_ns : 0, wall_clock_ns());
    auto faults = json::array();
    for (int i = 0; i < copy.plan.count; ++i) {
        faults.push_back(counts_json(block, bank_of(copy.revision), i));
        // With after=<calls>, the window begins in each process separately. The block contains the counts of scope=run
        // only.
        const bool is_shared = copy.plan.faults[i].scope == Scope::run;
        const FaultState state = is_shared ? block.run_state[bank_of(copy.revision)][i] : FaultState{};
        faults.back()["index"] = i;
        faults.back()["expired"] = !is_in_window(copy.plan.faults[i], state, moment);
        if (static_cast<size_t>(i) < specs.size()) faults.back()["spec"] = specs[static_cast<size_t>(i)];
    }
    return faults;
}

// Replaces control characters and invalid UTF-8.
std::string name_text(const char (&name)[kShownName]) {
    std::string text;
    for (const char& c : name) {
        const char next = load(c);
        if (!next) break;
        text += next;
    }
    return json::parse(json(one_line(text)).dump(-1, ' ', false, json::error_handler_t::replace));
}

json processes_json(const ControlBlock& block) {
    std::vector<json> processes;
    for (const ProcessSlot& slot : block.processes) {
        const int32_t pid = observe(slot.pid);
        if (pid <= 0) continue;
        const int32_t rank = load(slot.rank);
        processes.push_back({{"pid", pid},
                             {"rank", rank < 0 ? json() : json(rank)},
                             {"program", name_text(slot.program)},
                             {"script", name_text(slot.script)},
                             {"alive", start_time(pid) == load(slot.start_time)},
                             {"acknowledged", load(slot.revision)},
                             {"fired", load(slot.fired)}});
    }
    std::stable_sort(processes.begin(), processes.end(),
                     [](const json& a, const json& b) { return a["pid"] < b["pid"]; });
    return processes;
}

// Returns the name of the event's error code in the API of its function, or null.
json code_name(const Event& event) {
    const Function& function = kFunctions[event.function];
    const ErrorName* error = event.code == 0 ? nullptr : error_of(function.api, event.code);
    return error ? json(error->name) : json();
}

bool is_plausible(const Event& event) {
    return event.function < kFunctionCount && event.fault < kMaxFaults && event.effect < std::size(kEffectNames);
}

}  // namespace

json plan_json(const ControlBlock& block, const json& recorded) {
    const auto copy = std::make_unique<PlanCopy>();
    if (!read_plan(block, *copy))
        return {{"state", "unknown"}, {"why", "the control block is damaged, so no fault can fire"}};
    const std::string resolved(copy->spec, copy->size);
    json plan = {{"state", "disarmed"}, {"revision", copy->revision}, {"faults", json::array()}};
    if (is_blank(text_of(resolved))) return plan;
    const bool is_current = recorded.is_object() && recorded.value("revision", uint64_t{0}) == copy->revision;
    const std::string shown = is_current ? recorded.value("spec", resolved) : resolved;
    plan["state"] = "armed";
    plan["spec"] = shown;
    plan["resolved"] = resolved;
    plan["armed_at"] = utc_text(load(block.header.armed_wall_ns));
    plan["stalled"] = is_stalled(block);
    plan["faults"] = faults_json(block, *copy, shown);
    return plan;
}

void read_replaced(const ControlBlock& block, json& plan) {
    const auto revision = plan.at("revision").get<uint64_t>();
    if (revision + 2 * (kBanks - 1) != load(block.header.revision)) return;
    for (json& fault : plan.at("faults")) {
        const auto index = fault.at("index").get<int>();
        if (index >= 0 && index < kMaxFaults) fault.update(counts_json(block, bank_of(revision), index));
    }
}

json event_json(const Event& event) {
    return {{"sequence", event.sequence},
            {"time", utc_text(event.time_ns)},
            {"pid", event.pid},
            {"tid", event.tid},
            {"rank", event.rank < 0 ? json() : json(event.rank)},
            {"function", string_of(function_name(event.function))},
            {"library", soname_of(kFunctions[event.function])},
            {"gpu", event.gpu < 0 ? json() : json(event.gpu)},
            {"effect", kEffectNames[event.effect]},
            {"code", event.code},
            {"error", code_name(event)},
            {"fault", event.fault},
            {"call", event.call},
            {"revision", event.revision}};
}

EventReader::Slot EventReader::read_slot(uint64_t sequence, Event& out) const {
    const Event& slot = block_.events[(sequence - 1) % kEventSlots];
    const uint64_t found = observe(slot.sequence);
    if (found > sequence) return Slot::overwritten;
    if (found != sequence) return Slot::unfinished;
    out.sequence = sequence;
    // Each of these loads is an acquire, so the sequence is read again after all of them. ThreadSanitizer does not
    // support a fence.
    out.time_ns = observe(slot.time_ns);
    out.call = observe(slot.call);
    out.pid = observe(slot.pid);
    out.tid = observe(slot.tid);
    out.code = observe(slot.code);
    out.function = observe(slot.function);
    out.fault = observe(slot.fault);
    out.effect = observe(slot.effect);
    out.gpu = observe(slot.gpu);
    out.rank = observe(slot.rank);
    out.revision = observe(slot.revision);
    return load(slot.sequence) == sequence ? Slot::whole : Slot::overwritten;
}

void EventReader::skip_overwritten(uint64_t head) {
    if (head + 1 < next_) next_ = head + 1;  // a process has overwritten the head
    const uint64_t oldest = head > kEventSlots ? head - kEventSlots + 1 : 1;
    if (oldest <= next_) return;
    overwritten_ += oldest - next_;
    next_ = oldest;
}

bool EventReader::count_wait() {
    if (++waited_ < kMaxWaits) return false;
    waited_ = 0;
    return true;
}

std::vector<Event> EventReader::collect(bool wait) {
    std::vector<Event> events;
    const uint64_t head = observe(block_.event_head);
    skip_overwritten(head);
    // Counts down, because a damaged head may be the largest number.
    for (uint64_t remaining = head + 1 - next_; remaining > 0; --remaining, ++next_) {
        Event event{};
        const Slot slot = read_slot(next_, event);
        if (slot == Slot::unfinished && wait && !count_wait()) break;
        if (slot == Slot::overwritten) {
            ++overwritten_;
        } else if (slot == Slot::whole && is_plausible(event)) {
            events.push_back(event);
            waited_ = 0;
        } else {
            ++lost_;
        }
    }
    read_ += events.size();
    return events;
}

std::vector<Event> EventReader::read() { return collect(true); }
std::vector<Event> EventReader::read_last() { return collect(false); }

json EventReader::counts() const {
    return {{"total", observe(block_.event_head)}, {"kept", read_}, {"overwritten", overwritten_}, {"lost", lost_}};
}

json evidence_json(const ControlBlock& block, const json& recorded) {
    EventReader events(block);
    events.read_last();
    return {{"plan", plan_json(block, recorded)},
            {"processes", processes_json(block)},
            {"processes_dropped", load(block.processes_dropped)},
            {"events", events.counts()}};
}

}  // namespace cudafault::local
