// SPDX-License-Identifier: Apache-2.0
#include "local/arm.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "local/control.hpp"
#include "local/error.hpp"
#include "local/evidence.hpp"
#include "local/history.hpp"
#include "local/registry.hpp"
#include "os/clock.hpp"
#include "os/timestamp.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

// Most calls in flight are counted within this time. The next `status` or `arm` reads the counts of later calls.
constexpr useconds_t kGraceUs = 2000;

void require_live(const Run& run) {
    if (run.state == RunState::running) return;
    throw Error(kEnvironment, fmt::format("run {} has ended{}, so no plan can be armed: start the run again", run.name,
                                          run.state == RunState::lost ? " (its `cudafault run` was killed)" : ""));
}

struct Change {
    bool was_armed;
    uint64_t revision;
};

// The replaced plan's counts are still in the block, in the other bank.
void keep_evidence(const Control& control, json replaced, json& record) {
    if (replaced.at("state") != "armed") return;
    replaced["state"] = "replaced";
    replaced["replaced_at"] = utc_text(wall_clock_ns());
    usleep(kGraceUs);
    read_replaced(control.block(), replaced);
    add_to_history(record, std::move(replaced));
}

// `original` is the text from the command line, `spec` the text with resolved GPUs.
Change change_plan(const Registry& registry, const Run& found, const std::string& original, const std::string& spec) {
    Control control = Control::open(found.address());
    const auto lock = control.lock();
    Run run = registry.find_readable(found.name);
    require_live(run);  // the run may have ended since it was found
    update_history(control.block(), run.record);
    json replaced = plan_json(control.block(), run.record.at("plan"));
    const bool was_armed = replaced.at("state") == "armed";
    const uint64_t revision = control.write_plan(spec);
    run.record["plan"] = original.empty() ? json() : json{{"spec", original}, {"revision", revision}};
    keep_evidence(control, std::move(replaced), run.record);
    registry.replace(run.name, run.record);
    return {was_armed, revision};
}

}  // namespace

Armed arm(const std::string& name, const std::string& spec) {
    const Registry registry;
    const Run run = registry.find_readable(name);
    require_live(run);
    const auto variables = run.record.value("target_variables", TargetVariables{});
    const auto plan = parse_spec(spec, variables.ranks);
    if (plan->count == 0) {
        throw Error(
            kUsage,
            fmt::format("the plan is empty: expected a fault such as xid=79; `cudafault disarm {}` disarms the run",
                        name));
    }
    const Resolved resolved = resolve_gpus(spec, run.record.at("gpus").get<Machine>());
    const Change change = change_plan(registry, run, spec, resolved.spec);
    return {resolved.spec, change.revision, plan_notes(*plan, resolved, variables)};
}

bool disarm(const std::string& name) {
    const Registry registry;
    const Run run = registry.find_readable(name);
    return run.state == RunState::running && change_plan(registry, run, "", "").was_armed;
}

}  // namespace cudafault::local
