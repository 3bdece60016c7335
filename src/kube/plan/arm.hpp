// SPDX-License-Identifier: Apache-2.0
// Arms and disarms injected workloads: writes their plans, has the kubelets look, and sees who has taken it up.
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

// How many pods may be meant at most by the specs, counted now; what is not set does not limit. A percentage is of the
// injected pods of the workloads meant, rounded down.
struct PodLimit {
    std::optional<uint64_t> pods;
    std::optional<uint64_t> percent;
};

// Which plans: those of the workloads, or without any those of all injected workloads of the namespace with pods that
// the selector finds and the spec targets.
struct ArmChoice {
    std::vector<WorkloadChoice> workloads;
    std::string in_namespace;
    std::string selector;  // resolved now: the plan then names the pods it finds
    PodLimit limit;
    bool replace = false;      // also plans that another author armed and that have not ended
    bool allow_empty = false;  // also if the plan is known to reach no pod, running or to come
};

struct Armed {
    PlanObject plan;
    std::vector<AcknowledgingContainer> containers;  // that mount the plan
    std::vector<std::string> notes;
};

// The spec for the pods of one workload: `pods` are the names it is restricted to; empty: it is not.
using SpecFor = std::function<std::string(const std::vector<std::string>& pods)>;

// One result for each workload. Returns as soon as every container that runs has acknowledged, or when it is clear that
// one does not: it may have made no CUDA call yet. Throws Error before anything is armed if nothing is injected there,
// if the specs would reach no pod (unless `allow_empty`) or more than the limit, or if another author's plan is armed;
// and if another client writes one of the plans during the call.
std::vector<Armed> arm(Client& client, Discovery& discovery, const ArmChoice& choice, const SpecFor& spec_for,
                       Deadline deadline, const Progress& on_progress);

// As arming nothing. With `restart_crashed`, pods that wait out a back-off are deleted, so that their successors come
// at once.
std::vector<Armed> disarm(Client& client, Discovery& discovery, const ArmChoice& choice, bool restart_crashed,
                          Deadline deadline, const Progress& on_progress);

// The plans that a choice means. Throws Error if there is none.
std::vector<PlanObject> find_plans(Client& client, Discovery& discovery, const ArmChoice& choice);

// Those of a pod that the library was put into, sidecars too.
std::vector<std::string> injected_containers(const Json& pod);

// Whether one of its containers waits to be restarted.
bool is_in_back_off(const Json& pod);

}  // namespace cudafault::kube
