// SPDX-License-Identifier: Apache-2.0
// Reports the status of an injected workload and its pods from cluster objects and pod logs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/plan/plan_object.hpp"
#include "kube/plan/pod_evidence.hpp"
#include "kube/record/record.hpp"

namespace cudafault::kube {

// How a container ended.
struct Termination {
    int64_t exit_code = 0;
    int64_t signal = 0;  // 0: none
    std::string reason, message;
    std::string finished_at;  // UTC
};

struct PodStatus {
    std::string name, uid, node, address, phase;
    bool injected = false;  // true if the pod has the library and the plan; otherwise it has an older template
    bool ready = false;
    bool terminating = false;
    int restarts = 0;                       // sum over containers and native sidecars
    std::optional<Termination> terminated;  // the last termination of a container
    std::string diagnosis;
    std::vector<ContainerEvidence> evidence;  // one entry for each injected container

    bool is_finished() const { return phase == "Succeeded" || phase == "Failed"; }
};

struct WorkloadStatus {
    Workload workload;
    std::optional<InjectedMark> mark;
    std::optional<Record> record;
    std::optional<PlanObject> plan;
    std::vector<PodStatus> pods;  // including injected pods of batch workloads that have finished

    // Both return the plan or null: armed() if the plan is active, expired() if it has ended.
    const PlanObject* armed() const;
    const PlanObject* expired() const;
};

WorkloadStatus status_of(Client& client, Discovery& discovery, const WorkloadChoice& choice);

// Returns the statuses in the order of the choices. Also accepts kinds that cannot be injected.
std::vector<WorkloadStatus> status_of_each(Client& client, std::vector<WorkloadChoice> choices);

// Returns the status of every workload in the namespace (all namespaces if empty) that has a plan object.
std::vector<WorkloadStatus> status_of_all(Client& client, const std::string& in_namespace);

}  // namespace cudafault::kube
