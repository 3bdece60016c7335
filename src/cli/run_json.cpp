// SPDX-License-Identifier: Apache-2.0
#include "cli/run_json.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "local/error.hpp"
#include "local/evidence.hpp"
#include "local/history.hpp"
#include "local/registry.hpp"
#include "os/process.hpp"

namespace cudafault::cli {

namespace {

using local::Error, local::Registry, local::Run, local::RunState;
using nlohmann::json;

constexpr useconds_t kFollowPauseUs = 50'000;

// A run, and its control block while the run is live.
struct OpenedRun {
    Run run;
    std::optional<local::Control> control;
};

OpenedRun open_run(const std::string& name) {
    const Registry registry;
    Run run = registry.find_readable(name);
    if (run.state != RunState::running) return {std::move(run), std::nullopt};
    try {
        local::Control control = local::Control::open(run.address());
        return {std::move(run), std::move(control)};
    } catch (const Error&) {
        run = registry.find_readable(name);
        if (run.state == RunState::running) throw;  // the failure has another cause
        return {std::move(run), std::nullopt};
    }
}

// Turns an exception for a missing member into an Error: a file that is valid JSON may still lack members.
template <typename Result>
Result read_or_throw(const Run& run, const std::function<Result()>& read) {
    try {
        return read();
    } catch (const json::exception&) {
        throw Error(local::kEnvironment,
                    fmt::format("\"{}\" is damaged, so run {} cannot be read completely: remove that file",
                                run.file.string(), run.name));
    }
}

json lost_evidence() {
    return {{"plan", {{"state", "unknown"}, {"why", "`cudafault run` was killed, and the evidence is lost"}}},
            {"processes", nullptr},
            {"processes_dropped", nullptr},
            {"events", nullptr}};
}

json evidence_of(const Run& run, const ControlBlock* block) {
    if (block) return local::evidence_json(*block, run.record.at("plan"));
    return run.state == RunState::ended ? run.record.at("evidence") : lost_evidence();
}

json describe(const Run& run, const ControlBlock* block) {
    json status = {{"name", run.name}, {"state", local::state_name(run.state)}};
    for (const char* key : {"pid", "command", "started_at", "gpus", "history", "history_dropped"}) {
        status[key] = run.record.at(key);
    }
    if (run.state == RunState::ended) {
        for (const char* key : {"ended_at", "exit_code", "signal"}) status[key] = run.record.at(key);
    }
    status.update(evidence_of(run, block));
    return status;
}

// Reads the record and the block under the lock. Without the lock, a plan that is replaced between the two reads could
// be missing from both.
json describe_live(const OpenedRun& opened) {
    const auto lock = opened.control->lock();
    Run run = Registry().find_readable(opened.run.name);
    if (run.state != RunState::running) return describe(run, nullptr);
    local::update_history(opened.control->block(), run.record);
    return describe(run, &opened.control->block());
}

json summary(const Run& run) {
    json entry = {{"name", run.name}, {"state", local::state_name(run.state)}};
    if (run.state == RunState::damaged) return entry;
    for (const char* key : {"pid", "command", "started_at"}) entry[key] = run.record.at(key);
    const json& plan = run.record.at("plan");
    const bool armed = run.state == RunState::running && plan.is_object();
    entry["armed"] = armed ? plan.at("spec") : json();
    return entry;
}

json event_document(const Run& run, const json& counts) {
    json document = {{"name", run.name}, {"state", local::state_name(run.state)}};
    document.update(counts);
    return document;
}

json no_counts() { return {{"total", nullptr}, {"kept", 0}, {"overwritten", nullptr}, {"lost", nullptr}}; }

json recorded_events(const Run& run) {
    const bool ended = run.state == RunState::ended;
    json document = event_document(run, ended ? run.record.at("evidence").at("events") : no_counts());
    document["events"] = ended ? run.record.at("event_list") : json::array();
    return document;
}

json live_events(const Run& run, const ControlBlock& block) {
    local::EventReader reader(block);
    json list = json::array();
    for (const Event& event : reader.read_last()) list.push_back(local::event_json(event));
    json document = event_document(run, reader.counts());
    document["events"] = std::move(list);
    return document;
}

}  // namespace

json list_json() {
    json runs = json::array();
    for (const Run& run : Registry().list()) {
        runs.push_back(read_or_throw<json>(run, [&] { return summary(run); }));
    }
    return {{"runs", std::move(runs)}};
}

json status_json(const std::string& name) {
    const OpenedRun opened = open_run(name);
    return read_or_throw<json>(opened.run,
                               [&] { return opened.control ? describe_live(opened) : describe(opened.run, nullptr); });
}

json events_json(const std::string& name) {
    const OpenedRun opened = open_run(name);
    return read_or_throw<json>(opened.run, [&] {
        return opened.control ? live_events(opened.run, opened.control->block()) : recorded_events(opened.run);
    });
}

json follow_events(const std::string& name, const std::function<void(const json&)>& show) {
    const OpenedRun opened = open_run(name);
    if (!opened.control) {
        json document = read_or_throw<json>(opened.run, [&] { return recorded_events(opened.run); });
        for (const json& event : document["events"]) show(event);
        document.erase("events");
        return document;
    }
    local::EventReader reader(opened.control->block());
    const local::Address address = opened.run.address();
    const auto is_alive = [&] { return start_time(address.task) == address.start_time; };
    while (is_alive()) {
        for (const Event& event : reader.read()) show(local::event_json(event));
        usleep(kFollowPauseUs);
    }
    for (const Event& event : reader.read_last()) show(local::event_json(event));
    return event_document(Registry().find_readable(name), reader.counts());
}

}  // namespace cudafault::cli
