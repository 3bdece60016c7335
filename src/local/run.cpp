// SPDX-License-Identifier: Apache-2.0
#include "local/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fault/atomics.hpp"
#include "local/arm.hpp"
#include "local/control.hpp"
#include "local/error.hpp"
#include "local/evidence.hpp"
#include "local/history.hpp"
#include "local/holder.hpp"
#include "local/no_fire.hpp"
#include "local/products.hpp"
#include "local/registry.hpp"
#include "local/spec.hpp"
#include "local/target_variables.hpp"
#include "os/clock.hpp"
#include "os/timestamp.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

bool is_disabled() {
    const char* value = std::getenv("CUDAFAULT_DISABLE");
    return value && (std::string_view(value) == "1" || std::string_view(value) == "true");
}

json make_record(const RunOptions& options, const std::string& name, const Machine& machine, const Address& address) {
    json record = {{"name", name},
                   {"state", "running"},
                   {"pid", getpid()},
                   {"task", address.task},
                   {"start_time", address.start_time},
                   {"fd", address.descriptor},
                   {"inode", address.inode},
                   {"command", options.command},
                   {"gpus", machine},
                   {"started_at", utc_text(wall_clock_ns())},
                   {"plan", nullptr}};
    start_history(record);
    return record;
}

json event_list(const ControlBlock& block) {
    auto list = json::array();
    EventReader reader(block);
    for (const Event& event : reader.read_last()) list.push_back(event_json(event));
    return list;
}

// Returns the record with the changes that `arm` has made, or `own` if the file is damaged or belongs to another run.
json latest_record(const Registry& registry, const std::string& name, const json& own) {
    try {
        const Run run = registry.find_readable(name);
        return run.record.value("start_time", json()) == own["start_time"] ? run.record : own;
    } catch (const Error&) {
        return own;
    }
}

// Returns the report that `status` and `events` show for an ended run.
json make_report(const Registry& registry, const std::string& name, const json& own, const Control& control, End end) {
    json report = latest_record(registry, name, own);
    report["state"] = "ended";
    report["ended_at"] = utc_text(wall_clock_ns());
    report["exit_code"] = end.code();
    report["signal"] = end.by_signal ? json(end.value) : json();
    update_history(control.block(), report);
    report["evidence"] = evidence_json(control.block(), report.value("plan", json()));
    report["event_list"] = event_list(control.block());
    return report;
}

constexpr const char* kUnreadable = "the evidence of the run cannot be read";

// Catches all exceptions, because the report must be written even if the reason cannot be found.
std::string find_reason(const json& report, const Control& control) {
    try {
        return reason_for_no_fire(report, load(control.block().header.library_loaded) != 0);
    } catch (const std::exception&) {
        return kUnreadable;
    }
}

// Prints an error instead of throwing it, because `cudafault run` must exit with the code of the command.
void write_report(const Registry& registry, const json& own, const Control& control, RunResult& result) {
    try {
        const auto lock = control.lock();
        const json report = make_report(registry, result.name, own, control, result.end);
        result.was_armed = has_been_armed(report);
        result.fired = count_fired(report) > 0;
        if (!result.fired && result.reason.empty()) result.reason = find_reason(report, control);
        registry.replace(result.name, report);
    } catch (const std::exception& error) {
        if (!result.fired && result.reason.empty()) result.reason = kUnreadable;
        fmt::print(stderr, "cudafault: cannot write the report of run {}: {}\n", result.name, error.what());
    }
}

}  // namespace

RunResult run(const RunOptions& options) {
    const std::string name = options.name.empty() ? fmt::format("run-{}", getpid()) : options.name;
    check_name(name);
    const TargetVariables variables = target_variables();
    const auto plan = parse_spec(options.plan, variables.ranks);
    const Machine machine = find_machine(options.gpus);
    const Products products = find_products(machine.simulated);
    const Resolved resolved = resolve_gpus(options.plan, machine);
    for (const std::string& note : plan_notes(*plan, resolved, variables)) options.note(note);
    if (plan->count > 0 && is_disabled()) options.note("CUDAFAULT_DISABLE is set, so no fault can fire: unset it");

    Control control = Control::create();
    const Address address = control.address(start_holder());
    json record = make_record(options, name, machine, address);
    record["target_variables"] = variables;
    if (plan->count > 0) record["plan"] = {{"spec", options.plan}, {"revision", control.write_plan(resolved.spec)}};
    Registry registry;
    registry.claim(name, record);
    Environment environment(environ);
    enter_run(environment, address.text(), products, machine);
    RunResult result{name, {}, plan->count > 0, false, is_disabled() ? "CUDAFAULT_DISABLE is set" : ""};
    try {
        result.end = run_command(options.command, environment, [&] { control.renew_heartbeat(); });
    } catch (const Error&) {
        registry.remove(name);  // the command did not start
        throw;
    }
    write_report(registry, record, control, result);
    return result;
}

}  // namespace cudafault::local
