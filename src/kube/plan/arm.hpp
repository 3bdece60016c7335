// SPDX-License-Identifier: Apache-2.0
// Arms and disarms injected workloads: writes their plans, makes the kubelets update the volumes, and reads the
// acknowledgements.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/plan/acknowledgement.hpp"
#include "kube/plan/plan_object.hpp"

namespace cudafault::kube {

// The maximum number of pods that the specs may target, counted when the plan is armed. Unset fields set no limit. A
// percentage applies to the injected pods of the chosen workloads and is rounded down.
struct PodLimit {
    std::optional<uint64_t> pods;
    std::optional<uint64_t> percent;
};

// Selects the plans of the named workloads. Without workloads, selects the plan of each injected workload in the
// namespace with a pod that matches the selector and that the spec targets.
struct ArmChoice {
    std::vector<WorkloadChoice> workloads;
    std::string in_namespace;
    std::string selector;  // evaluated once: the plan lists the names of the matching pods
    PodLimit limit;
    bool replace = false;  // also replace active plans of other authors
    // Also arm a plan that targets no pod, or only pods that are replaced by pods without the library.
    bool allow_empty = false;
};

struct Armed {
    PlanObject plan;
    std::vector<AcknowledgingContainer> containers;  // containers that mount the plan
    std::vector<std::string> notes;
};

// Returns the spec for the pods of one workload. `pods` has the names of the pods to which the spec is limited; if it
// is empty, the spec is not limited.
using SpecFor = std::function<std::string(const std::vector<std::string>& pods)>;

// Returns one result for each workload. Waits until every running container has acknowledged the plan, but not longer
// than about 6 s, because a container that has made no CUDA call yet does not acknowledge plans. Throws Error before
// anything is armed if no injected workload is found, if a spec targets no pod or the pod template has lost the library
// (both unless `allow_empty`), if the specs target more pods than the limit, or if a plan of another author is active.
// Also throws Error if another client writes one of the plans during the call.
std::vector<Armed> arm(Client& client, Discovery& discovery, const ArmChoice& choice, const SpecFor& spec_for,
                       Deadline deadline, const Progress& on_progress);

// Disarms the plans. With `restart_crashed`, also deletes pods in back-off, so that their replacements start
// immediately.
std::vector<Armed> disarm(Client& client, Discovery& discovery, const ArmChoice& choice, bool restart_crashed,
                          Deadline deadline, const Progress& on_progress);

// Returns the plans that a choice selects. Throws Error if the choice selects no plan.
std::vector<PlanObject> find_plans(Client& client, Discovery& discovery, const ArmChoice& choice);

// Returns the names of the containers of a pod that load the library, including sidecars.
std::vector<std::string> injected_containers(const Json& pod);

// Returns true if a container of the pod is in back-off before its restart.
bool is_in_back_off(const Json& pod);

}  // namespace cudafault::kube
