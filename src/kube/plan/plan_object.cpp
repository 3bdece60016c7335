// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/plan_object.hpp"

#include <fmt/format.h>

#include <chrono>

#include "fault/plan.hpp"
#include "kube/api/client/client.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/retry.hpp"
#include "kube/names.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/record/author.hpp"
#include "kube/record/own_objects.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

ObjectRef ref_of(const PlanObject& plan) { return {config_maps(), plan.in_namespace(), plan.name()}; }

// Returns the annotations of the ConfigMap, with the time, author and pod selector of a change.
Json annotations(const Json& config_map, const std::string& selector, const std::string& by) {
    Json all = value_at(value_at(config_map, "metadata"), "annotations");
    if (!all.is_object()) all = Json::object();
    all[names::kChangedAt] = utc_now();
    all[names::kChangedBy] = by;
    all[names::kPods] = selector;
    return all;
}

PlanObject write_once(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by) {
    require_end(spec);
    JsonPatch patch;
    patch.only_if_unchanged(plan.config_map);
    patch.add(json_pointer({"data"}), {{names::kPlanKey, plan_text(plan.revision + 1, spec)}});
    const std::string selector = text_at(plan.config_map, {"metadata", "annotations", names::kPods});
    patch.add(json_pointer({"metadata", "annotations"}), annotations(plan.config_map, selector, by));
    return plan_from(client.patch(ref_of(plan), patch));
}

}  // namespace

std::string PlanObject::name() const { return text_at(config_map, {"metadata", "name"}); }
std::string PlanObject::hash() const { return text_at(config_map, {"metadata", "labels", names::kWorkload}); }
std::string PlanObject::in_namespace() const { return text_at(config_map, {"metadata", "namespace"}); }

std::optional<WorkloadChoice> PlanObject::workload() const {
    const std::optional<ObjectRef> owner = workload_of_config_map(config_map);
    return owner ? std::optional(choice_of(*owner)) : std::nullopt;
}

std::string PlanObject::workload_text() const {
    return workload_of_config_map(config_map).value_or(ref_of(*this)).text();
}

std::string plan_text(uint64_t revision, const std::string& spec) {
    return fmt::format("#{}\n{}{}", revision, spec, spec.empty() ? "" : "\n");
}

PlanObject plan_from(const Json& config_map) {
    PlanObject plan{config_map, 0, "", text_at(config_map, {"metadata", "annotations", names::kChangedAt}),
                    text_at(config_map, {"metadata", "annotations", names::kChangedBy})};
    const std::string text = text_at(config_map, {"data", names::kPlanKey});
    const Text spec = take_revision({text.data(), text.size()}, plan.revision);
    plan.spec.assign(spec.data, spec.size);
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
    client.list({config_maps(), in_namespace}, {fmt::format("{}={}", names::kRole, names::kPlanRole)}, [&](Page page) {
        if (page.is_first) plans.clear();
        for (const Json& item : page.items) plans.push_back(plan_from(item));
    });
    return plans;
}

PlanObject create_plan(Client& client, const Workload& workload, const std::string& selector, const std::string& by) {
    Json object = own_config_map(workload.ref, workload.own_name(names::kPlanPrefix), names::kPlanRole,
                                 {{"data", {{names::kPlanKey, plan_text(1, "")}}}});
    object["metadata"]["annotations"] = annotations(object, selector, by);
    try {
        return plan_from(client.create(config_maps(), object));
    } catch (const ApiError& error) {
        if (!error.is_already_exists()) throw;
    }
    const PlanObject existing =
        plan_from(client.get({config_maps(), workload.ref.in_namespace, workload.own_name(names::kPlanPrefix)}));
    if (!has_owner_for(existing.config_map, workload.ref)) return plan_from(recreate(client, object));
    return existing.spec.empty() ? existing : write_plan(client, existing, "", by);
}

PlanObject write_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by) {
    PlanObject latest = plan;
    bool read = false;
    return retry_on_conflict(client.session(), [&] {
        if (std::exchange(read, true)) latest = reread(client, plan);
        return write_once(client, latest, spec, by);
    });
}

PlanObject replace_plan(Client& client, const PlanObject& plan, const std::string& spec, const std::string& by) {
    PlanObject latest = plan;
    bool read = false;
    return retry_on_conflict(client.session(), [&] {
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

PlanObject reread(Client& client, const PlanObject& plan) { return plan_from(client.get(ref_of(plan))); }

std::string description_of(const PlanObject& plan) {
    const std::string spec_text = plan.spec.empty() ? "nothing armed" : fmt::format("\"{}\"", plan.spec);
    return fmt::format("{} (revision {}, by {} at {})", spec_text, plan.revision, plan.changed_by, plan.changed_at);
}

std::vector<Json> pods_with(Client& client, const PlanObject& plan) {
    const std::string selector = text_at(plan.config_map, {"metadata", "annotations", names::kPods});
    std::vector<Json> found = client.list_all({pods(), plan.in_namespace()}, {selector});
    std::erase_if(found, [&](const Json& pod) { return !is_injected(pod, plan.hash()) || is_finished(pod); });
    return found;
}

std::vector<std::string> nudge(Client& client, const std::vector<Json>& pods_to_nudge, uint64_t revision) {
    std::vector<std::string> failures;
    // The value must be unique: an annotation that does not change does not make the kubelet sync the pod.
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string value = fmt::format("{}.{}", revision, now / std::chrono::milliseconds(1));
    const Json patch = {{"metadata", {{"annotations", {{names::kNudge, value}}}}}};
    for (const Json& pod : pods_to_nudge) {
        const std::string name = text_at(pod, {"metadata", "name"});
        try {
            client.merge_patch({pods(), text_at(pod, {"metadata", "namespace"}), name}, patch);
        } catch (const ApiError& error) {
            if (!error.is_not_found()) failures.push_back(fmt::format("{}: {}", name, error.what()));
        }
    }
    return failures;
}

}  // namespace cudafault::kube
