// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/plan_object.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <climits>

#include "kube/api/resources.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/retry.hpp"
#include "kube/names.hpp"
#include "kube/object/owners.hpp"
#include "kube/record/own_objects.hpp"
#include "kube/workload/rollout.hpp"
#include "os/timestamp.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kChangedAt = "cudafault.dev/changed-at";
constexpr const char* kChangedBy = "cudafault.dev/changed-by";
constexpr const char* kPods = "cudafault.dev/pods";

Target target_of(const PlanObject& plan) { return {config_maps(), plan.in_namespace(), plan.name()}; }

Json annotations(const std::string& selector, const std::string& by) {
    return {{kChangedAt, utc_now()}, {kChangedBy, by}, {kPods, selector}};
}

// Where the spec begins: behind a first line "#<number>", if there is one. The library reads it so, too.
size_t take_revision(const std::string& text, uint64_t& revision) {
    const size_t size = std::min(text.find('\n'), text.size());
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data() + std::min<size_t>(1, size), text.data() + size, number);
    if (!text.starts_with('#') || error != std::errc() || end != text.data() + size) return 0;
    revision = number;
    return std::min(size + 1, text.size());
}

PlanObject write_once(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by) {
    JsonPatch patch;
    patch.only_if_unchanged(plan.config_map);
    patch.add(json_pointer({"data"}), {{names::kPlanKey, plan_text(plan.revision + 1, spec)}});
    const std::string selector = text_at(plan.config_map, {"metadata", "annotations", kPods});
    patch.add(json_pointer({"metadata", "annotations"}), annotations(selector, by));
    return plan_from(client.patch(target_of(plan), patch));
}

}  // namespace

std::string PlanObject::name() const { return text_at(config_map, {"metadata", "name"}); }
std::string PlanObject::hash() const { return text_at(config_map, {"metadata", "labels", names::kWorkload}); }
std::string PlanObject::in_namespace() const { return text_at(config_map, {"metadata", "namespace"}); }

std::optional<WorkloadChoice> PlanObject::workload() const {
    const Json* owners = find(config_map, {"metadata", "ownerReferences"});
    if (!owners || !owners->is_array() || owners->empty()) return {};
    const Json& owner = owners->front();
    const std::string api_version = text_at(owner, {"apiVersion"});
    const size_t slash = api_version.find('/');
    WorkloadChoice choice;
    choice.kind = text_at(owner, {"kind"});
    if (slash != std::string::npos) choice.kind += "." + api_version.substr(0, slash);
    choice.name = text_at(owner, {"name"});
    choice.in_namespace = in_namespace();
    return choice;
}

std::string PlanObject::workload_text() const {
    const std::optional<WorkloadChoice> owner = workload();
    if (!owner) return "ConfigMap " + name();
    std::string kind = owner->kind;
    std::transform(kind.begin(), kind.end(), kind.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return fmt::format("{}/{}", kind, owner->name);
}

std::string plan_text(uint64_t revision, const std::string& spec) {
    return fmt::format("#{}\n{}{}", revision, spec, spec.empty() ? "" : "\n");
}

PlanObject plan_from(const Json& config_map) {
    PlanObject plan{config_map, 0, "", text_at(config_map, {"metadata", "annotations", kChangedAt}),
                    text_at(config_map, {"metadata", "annotations", kChangedBy})};
    const std::string text = text_at(config_map, {"data", names::kPlanKey});
    plan.spec = text.substr(take_revision(text, plan.revision));
    while (plan.spec.ends_with('\n')) plan.spec.pop_back();
    return plan;
}

std::optional<PlanObject> find_plan(Client& client, const std::string& in_namespace, const std::string& hash) {
    const std::optional<Json> found = client.find({config_maps(), in_namespace, names::kPlanPrefix + hash});
    if (!found) return {};
    return plan_from(*found);
}

std::vector<PlanObject> all_plans(Client& client, const std::string& in_namespace) {
    std::vector<PlanObject> plans;
    client.list({config_maps(), in_namespace}, {fmt::format("{}=plan", names::kRole)}, [&](Page page) {
        if (page.is_first) plans.clear();
        for (const Json& item : page.items) plans.push_back(plan_from(item));
    });
    return plans;
}

PlanObject create_plan(Client& client, const Workload& workload, const std::string& selector, const std::string& by) {
    Json object = own_config_map(workload, workload.by_name(names::kPlanPrefix), "plan",
                                 {{"data", {{names::kPlanKey, plan_text(1, "")}}}});
    object["metadata"]["annotations"] = annotations(selector, by);
    try {
        return plan_from(client.create(config_maps(), object));
    } catch (const ApiError& error) {
        if (!error.is_already_there()) throw;
    }
    const PlanObject there =
        plan_from(client.get({config_maps(), workload.target.in_namespace, workload.by_name(names::kPlanPrefix)}));
    if (!is_owned_by(there.config_map, workload.uid())) return plan_from(create_anew(client, object));
    return there.spec.empty() ? there : write_plan(client, there, "", by);
}

PlanObject write_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by) {
    PlanObject latest = plan;
    bool read = false;
    return recompute_on_lost_race(client.session(), [&] {
        if (std::exchange(read, true)) latest = reread(client, plan);
        return write_once(client, latest, spec, by);
    });
}

PlanObject replace_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by) {
    PlanObject latest = plan;
    bool read = false;
    return recompute_on_lost_race(client.session(), [&] {
        if (std::exchange(read, true)) latest = reread(client, plan);
        if (latest.revision != plan.revision) {
            throw Error(
                fmt::format("{} was not armed: another client changed its plan to {}; run the command again to "
                            "replace that",
                            plan.workload_text(), description_of(latest)));
        }
        return write_once(client, latest, spec, by);
    });
}

PlanObject reread(Client& client, const PlanObject& plan) { return plan_from(client.get(target_of(plan))); }

std::string description_of(const PlanObject& plan) {
    const std::string what = plan.spec.empty() ? "nothing armed" : fmt::format("\"{}\"", plan.spec);
    return fmt::format("{} (revision {}, by {} at {})", what, plan.revision, plan.changed_by, plan.changed_at);
}

std::vector<Json> pods_with(Client& client, const PlanObject& plan) {
    std::vector<Json> found;
    const std::string selector = text_at(plan.config_map, {"metadata", "annotations", kPods});
    client.list({pods(), plan.in_namespace()}, {selector}, [&](Page page) {
        if (page.is_first) found.clear();
        for (Json& pod : page.items) {
            if (is_injected(pod, plan.hash()) && !is_finished(pod)) found.push_back(std::move(pod));
        }
    });
    return found;
}

std::vector<std::string> nudge(Client& client, const std::vector<Json>& pods_to_tell, uint64_t revision) {
    std::vector<std::string> untold;
    // Never the same twice: what changes nothing makes nobody look.
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string value = fmt::format("{}.{}", revision, now / std::chrono::milliseconds(1));
    const Json patch = {{"metadata", {{"annotations", {{names::kNudge, value}}}}}};
    for (const Json& pod : pods_to_tell) {
        const std::string name = text_at(pod, {"metadata", "name"});
        try {
            client.merge_patch({pods(), text_at(pod, {"metadata", "namespace"}), name}, patch);
        } catch (const ApiError& error) {
            if (!error.is_not_found()) untold.push_back(fmt::format("{}: {}", name, error.what()));
        }
    }
    return untold;
}

std::string utc(std::time_t time) { return utc_text(std::chrono::system_clock::from_time_t(time), Precision::seconds); }
std::string utc_now() { return utc(std::time(nullptr)); }

std::string this_user() {
    char host[HOST_NAME_MAX + 1] = "?";
    gethostname(host, sizeof host - 1);
    const passwd* user = getpwuid(getuid());
    return fmt::format("{}@{}", user ? user->pw_name : std::to_string(getuid()), host);
}

}  // namespace cudafault::kube
