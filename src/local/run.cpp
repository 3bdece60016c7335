// SPDX-License-Identifier: Apache-2.0
#include "local/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "local/arm.hpp"
#include "local/control.hpp"
#include "local/error.hpp"
#include "local/evidence.hpp"
#include "local/history.hpp"
#include "local/products.hpp"
#include "local/registry.hpp"
#include "local/spec.hpp"
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
                   {"pid", address.pid},
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

// `arm` may have added to the record; if somebody has destroyed it, what the run itself knows must do.
json latest_record(const Registry& registry, const std::string& name, const json& own) {
    try {
        const Run run = registry.find_readable(name);
        return run.record.value("start_time", json()) == own["start_time"] ? run.record : own;
    } catch (const Error&) {
        return own;
    }
}

// So that `status` and `events` still answer. The command has ended by now: whatever goes wrong, its exit code counts.
void leave_report(const Registry& registry, const std::string& name, const json& own, Control& control, End end) {
    try {
        const auto lock = control.lock();
        json record = latest_record(registry, name, own);
        record["state"] = "ended";
        record["ended_at"] = utc_text(wall_clock_ns());
        record["exit_code"] = end.code();
        record["signal"] = end.by_signal ? json(end.value) : json();
        update_history(control.block(), record);
        record["evidence"] = evidence_json(control.block(), record.value("plan", json()));
        record["event_list"] = event_list(control.block());
        registry.replace(name, record);
    } catch (const std::exception& error) {
        fmt::print(stderr, "cudafault: run {} leaves no report: {}\n", name, error.what());
    }
}

}  // namespace

End run(const RunOptions& options) {
    const std::string name = options.name.empty() ? fmt::format("run-{}", getpid()) : options.name;
    check_name(name);
    const auto plan = parse_spec(options.plan);
    const Machine machine = find_machine(options.gpus);
    const Products products = find_products(machine.simulated);
    const Resolved resolved = resolve_gpus(options.plan, machine);
    if (!resolved.unresolved.empty()) fmt::print(stderr, "cudafault: {}\n", unresolved_note(resolved));

    if (plan->count > 0 && is_disabled()) {
        fmt::print(stderr, "cudafault: CUDAFAULT_DISABLE is set, so nothing will fail: unset it\n");
    }

    Control control = Control::create();
    json record = make_record(options, name, machine, control.address());
    if (plan->count > 0) record["plan"] = {{"spec", options.plan}, {"revision", control.write_plan(resolved.spec)}};
    Registry registry;
    registry.claim(name, record);
    Environment environment(environ);
    enter_run(environment, control.address().text(), products, machine);
    try {
        const End end = run_command(options.command, environment, [&] { control.beat(); });
        leave_report(registry, name, record, control, end);
        return end;
    } catch (const Error&) {
        registry.remove(name);  // nothing ran
        throw;
    }
}

}  // namespace cudafault::local
