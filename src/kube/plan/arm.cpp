// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/arm.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"
#include "kube/object/mentions.hpp"
#include "kube/object/workload_hash.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/record/author.hpp"
#include "kube/record/own_objects.hpp"
#include "kube/record/record.hpp"
#include "kube/workload/pod_state.hpp"
#include "kube/workload/survey.hpp"

namespace cudafault::kube {

namespace {

constexpr int kNudges = 3;
constexpr std::chrono::seconds kNudgeInterval{2};

// Returns the plan of the named object, or else the plan of its owner.
PlanObject find_plan_of(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    for (const ObjectRef& ref : possible_refs(discovery, choice)) {
        if (const auto plan = find_plan(client, choice.in_namespace, workload_hash(ref))) return *plan;
    }
    const Workload workload = load_workload(client, discovery, choice);
    if (const auto plan = find_plan(client, choice.in_namespace, workload.hash())) return *plan;
    if (!InjectedMark::of(workload.object)) {
        throw Error(fmt::format("{} is not injected: run `cudafault k8s inject` first", workload.text()));
    }
    throw Error(
        fmt::format("{} is injected, but its plan, ConfigMap {}, was deleted: run `cudafault k8s restore`, "
                    "then inject it again",
                    workload.text(), workload.own_name(names::kPlanPrefix)));
}

std::vector<AcknowledgingContainer> containers_of(const std::vector<Json>& pods_of_plan) {
    std::vector<AcknowledgingContainer> containers;
    for (const Json& pod : pods_of_plan) {
        for (const std::string& name : injected_containers(pod))
            containers.push_back({pod, name, Acknowledgement::kNo, 0, ""});
    }
    return containers;
}

std::vector<Json> unacknowledged_pods(const std::vector<AcknowledgingContainer>& containers) {
    std::vector<Json> unacknowledged;
    for (const AcknowledgingContainer& container : containers) {
        if (container.state == Acknowledgement::kNo) unacknowledged.push_back(container.pod);
    }
    return unacknowledged;
}

// Returns the names of the plan's pods that match the selector.
std::vector<std::string> selected_names(Client& client, const std::string& in_namespace, const std::string& selector,
                                        const std::vector<Json>& plan_pods) {
    std::vector<std::string> all, chosen;
    client.list({pods(), in_namespace}, {selector}, [&](Page page) {
        if (page.is_first) all.clear();
        for (const Json& pod : page.items) all.push_back(pod_name(pod));
    });
    for (const Json& pod : plan_pods) {
        if (std::find(all.begin(), all.end(), pod_name(pod)) != all.end()) chosen.push_back(pod_name(pod));
    }
    return chosen;
}

// Deletes exactly these pods, identified by UID, and not successors with the same name.
void delete_pods(Client& client, const std::vector<Json>& crashed, const Progress& on_progress) {
    for (const Json& pod : crashed) {
        DeleteOptions preconditions;
        preconditions.uid = pod_uid(pod);
        try {
            client.remove({pods(), pod_namespace(pod), pod_name(pod)}, preconditions);
            on_progress(fmt::format("pod {} was in back-off and was deleted", pod_name(pod)));
        } catch (const ApiError& error) {
            if (!error.is_not_found() && !error.is_conflict()) throw;
        }
    }
}

struct ArmTarget {
    PlanObject plan;
    std::vector<Json> plan_pods;  // pods that mount the plan
    std::string spec;             // empty if the selector matches none of these pods
    uint64_t targeted = 0;        // number of running pods that the spec targets
};

ArmTarget target_for(Client& client, const PlanObject& plan, const ArmChoice& choice, const SpecFor& spec_for) {
    ArmTarget target{plan, pods_with(client, plan), "", 0};
    std::vector<std::string> selected;
    if (!choice.selector.empty()) {
        selected = selected_names(client, plan.in_namespace(), choice.selector, target.plan_pods);
        if (selected.empty()) return target;
    }
    target.spec = spec_for(selected);
    target.targeted = std::count_if(target.plan_pods.begin(), target.plan_pods.end(),
                                    [&](const Json& pod) { return is_pod_targeted(target.spec, pod); });
    return target;
}

void require_within_limit(const PodLimit& limit, uint64_t targeted, uint64_t injected) {
    uint64_t allowed = limit.pods.value_or(targeted);
    if (limit.percent) allowed = std::min(allowed, injected * *limit.percent / 100);
    if (targeted <= allowed) return;
    throw Error(
        fmt::format("the plan would make {} of {} injected pods fail, and --max-pods allows {}: nothing is armed; "
                    "select fewer with --selector or --node, or with pod= or node= in the plan",
                    targeted, injected, allowed));
}

// Returns the workload that a plan belongs to, or std::nullopt if it cannot be read.
std::optional<Json> workload_object(Client& client, Discovery& discovery, const PlanObject& plan) {
    const auto owner = workload_of_config_map(plan.config_map);
    if (!owner) return std::nullopt;
    const auto resource = discovery.find(owner->resource.api_version(), owner->resource.kind);
    if (!resource) return std::nullopt;
    try {
        return client.find({*resource, plan.in_namespace(), owner->name});
    } catch (const ApiError& error) {
        if (!error.is_forbidden()) throw;
        return std::nullopt;
    }
}

// Throws Error if the plan targets no pod that runs or starts later, or if the workload's controller is about to
// replace the targeted pods by pods without the library.
void require_effect(Client& client, Discovery& discovery, const ArmTarget& target) {
    const bool targets_later_pods = target.plan_pods.empty() && is_pod_targeted(target.spec, Json::object());
    if (target.targeted == 0 && !targets_later_pods) {
        throw Error(
            fmt::format("the plan targets none of the {} injected pods of {}, so nothing is armed: check --node, and "
                        "node= and pod= in the plan, or use --allow-empty to arm the plan for pods that start later",
                        target.plan_pods.size(), target.plan.workload_text()));
    }
    const auto object = workload_object(client, discovery, target.plan);
    if (!object || has_mention(value_at(*object, "spec"), target.plan.name())) return;
    throw Error(fmt::format(
        "another client has removed the library from the pod template of {} since the injection (for example kubectl "
        "rollout undo, a GitOps tool or an operator), so nothing is armed: run `cudafault k8s restore`, then inject "
        "it again{}",
        target.plan.workload_text(),
        target.targeted == 0 ? "" : ", or use --allow-empty to arm the pods that still have the library"));
}

// A workload chosen by name is armed even if none of its pods runs, because the plan also applies to later pods. If one
// spec is invalid, nothing is armed.
std::vector<ArmTarget> find_targets(Client& client, Discovery& discovery, const ArmChoice& choice,
                                    const SpecFor& spec_for) {
    std::vector<ArmTarget> all;
    uint64_t targeted = 0, injected = 0;
    for (const PlanObject& plan : find_plans(client, discovery, choice)) {
        ArmTarget target = target_for(client, plan, choice, spec_for);
        injected += target.plan_pods.size();
        targeted += target.targeted;
        if (target.targeted > 0 || (choice.selector.empty() && !choice.workloads.empty()))
            all.push_back(std::move(target));
    }
    if (all.empty()) {
        throw Error(fmt::format(
            "no injected pod in namespace {} is targeted: run `cudafault k8s status` for the list of injected pods",
            choice.in_namespace));
    }
    if (!choice.allow_empty) {
        for (const ArmTarget& target : all) require_effect(client, discovery, target);
    }
    require_within_limit(choice.limit, targeted, injected);
    return all;
}

class ArmOperation {
public:
    ArmOperation(Client& client, Deadline deadline, const Progress& on_progress)
        : client_(client), deadline_(deadline), on_progress_(on_progress), by_(author(client)) {}

    Armed arm(const ArmTarget& target) {
        Armed armed = deliver(replace_plan(client_, target.plan, target.spec, by_), target.plan_pods);
        if (is_armed(target.plan.spec)) armed.notes.push_back("replaced the plan " + description_of(target.plan));
        return armed;
    }

    Armed disarm(const PlanObject& plan, const std::vector<Json>& pods_of_plan) {
        Armed disarmed = deliver(write_plan(client_, plan, "", by_), pods_of_plan);
        if (is_by_another_author(plan)) disarmed.notes.push_back("ended the plan " + description_of(plan));
        return disarmed;
    }

    // Returns true if the plan is active and another author armed it.
    bool is_by_another_author(const PlanObject& plan) const { return is_armed(plan.spec) && plan.changed_by != by_; }

    // Throws Error if another client changed or deleted the plan since it was armed.
    void require_in_force(const Armed& armed) {
        const auto latest = find_plan(client_, armed.plan.in_namespace(), armed.plan.hash());
        if (latest && latest->revision <= armed.plan.revision) return;
        throw Error(fmt::format("the plan of {} is not in force: another client {}", armed.plan.workload_text(),
                                latest ? "replaced it with " + description_of(*latest) : "deleted it"));
    }

    // The kubelet may handle the first nudge before it receives the new ConfigMap, so the nudge is repeated.
    void wait(Armed& armed, Deadline started) {
        AcknowledgementOptions options;
        options.since = started;
        for (int nudges = 1;; ++nudges) {
            options.deadline = std::min(deadline_, after(kNudgeInterval));
            armed.containers = wait_for_acknowledgement(client_, armed.containers, armed.plan.revision, options);
            const std::vector<Json> unacknowledged = unacknowledged_pods(armed.containers);
            if (unacknowledged.empty() || nudges == kNudges || Clock::now() >= deadline_) return;
            on_progress_(fmt::format("{} of {} containers of {} have not acknowledged revision {} yet",
                                     unacknowledged.size(), armed.containers.size(), armed.plan.workload_text(),
                                     armed.plan.revision));
            nudge(client_, unacknowledged, armed.plan.revision);
        }
    }

private:
    Armed deliver(const PlanObject& plan, const std::vector<Json>& pods_of_plan) {
        Armed armed{plan, containers_of(pods_of_plan), {}};
        armed.notes = nudge(client_, pods_of_plan, plan.revision);
        return armed;
    }

    Client& client_;
    Deadline deadline_;
    const Progress& on_progress_;
    const std::string by_;
};

void refuse_plans_of_other_authors(const ArmOperation& operation, const std::vector<ArmTarget>& all) {
    for (const ArmTarget& target : all) {
        if (!operation.is_by_another_author(target.plan)) continue;
        throw Error(
            fmt::format("{} has an active plan of another author: {}; nothing is armed; use --replace to end that plan",
                        target.plan.workload_text(), description_of(target.plan)));
    }
}

}  // namespace

std::vector<Armed> arm(Client& client, Discovery& discovery, const ArmChoice& choice, const SpecFor& spec_for,
                       Deadline deadline, const Progress& on_progress) {
    const Deadline started = Clock::now();
    ArmOperation operation(client, deadline, on_progress);
    const std::vector<ArmTarget> found = find_targets(client, discovery, choice, spec_for);
    if (!choice.replace) refuse_plans_of_other_authors(operation, found);
    std::vector<Armed> all;
    for (const ArmTarget& target : found) all.push_back(operation.arm(target));
    for (Armed& armed : all) operation.wait(armed, started);
    for (const Armed& armed : all) operation.require_in_force(armed);
    return all;
}

std::vector<Armed> disarm(Client& client, Discovery& discovery, const ArmChoice& choice, bool restart_crashed,
                          Deadline deadline, const Progress& on_progress) {
    const Deadline started = Clock::now();
    ArmOperation operation(client, deadline, on_progress);
    std::vector<Armed> all;
    std::vector<Json> crashed;
    for (const PlanObject& plan : find_plans(client, discovery, choice)) {
        const std::vector<Json> plan_pods = pods_with(client, plan);
        Armed disarmed = operation.disarm(plan, plan_pods);
        for (const Json& pod : plan_pods) {
            if (!is_in_back_off(pod)) continue;
            crashed.push_back(pod);
            if (restart_crashed) continue;
            disarmed.notes.push_back(
                fmt::format("pod {} is in CrashLoopBackOff and restarts after the back-off, "
                            "within 300 s; --restart-crashed deletes the pod immediately, so that it is recreated",
                            pod_name(pod)));
        }
        all.push_back(std::move(disarmed));
    }
    if (restart_crashed) delete_pods(client, crashed, on_progress);
    for (Armed& disarmed : all) operation.wait(disarmed, started);
    return all;
}

std::vector<PlanObject> find_plans(Client& client, Discovery& discovery, const ArmChoice& choice) {
    std::vector<PlanObject> plans;
    for (const WorkloadChoice& workload : choice.workloads) {
        PlanObject plan = find_plan_of(client, discovery, workload);
        const auto is_same = [&](const PlanObject& other) { return other.name() == plan.name(); };
        if (std::none_of(plans.begin(), plans.end(), is_same)) plans.push_back(std::move(plan));
    }
    if (!choice.workloads.empty()) return plans;
    plans = all_plans(client, choice.in_namespace);
    if (!plans.empty()) return plans;
    require_namespace(client, choice.in_namespace);
    throw Error(
        fmt::format("nothing is injected in namespace {}: run `cudafault k8s inject` first", choice.in_namespace));
}

std::vector<std::string> injected_containers(const Json& pod) {
    std::vector<std::string> found;
    for (const char* list : {"containers", "initContainers"}) {
        for (const Json& container : items_at(pod, {"spec", list})) {
            if (find(container, Path{"env"}.item(names::kInjection))) found.push_back(text_at(container, {"name"}));
        }
    }
    return found;
}

bool is_in_back_off(const Json& pod) {
    const auto is_backing_off = [](const Json& status) {
        if (text_at(status, {"state", "waiting", "reason"}) == "CrashLoopBackOff") return true;
        // A container that ended is not reported as CrashLoopBackOff immediately. The first restart has no back-off.
        return number_at(status, {"state", "terminated", "exitCode"}) != 0 && number_at(status, {"restartCount"}) > 0;
    };
    for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
        const Json& statuses = items_at(pod, {"status", list});
        if (std::any_of(statuses.begin(), statuses.end(), is_backing_off)) return true;
    }
    return false;
}

}  // namespace cudafault::kube
