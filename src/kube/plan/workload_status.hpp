// SPDX-License-Identifier: Apache-2.0
// What is known of an injected workload and of each of its pods, as far as the cluster and their logs tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/plan/plan_object.hpp"
#include "kube/plan/pod_evidence.hpp"
#include "kube/record/record.hpp"

namespace cudafault::kube {

struct PodStatus {
    std::string name, uid, node, address, phase;
    bool injected = false;  // it has the library and the plan; else it is of an older template
    bool ready = false;
    bool terminating = false;
    int restarts = 0;  // of its containers, in sum
    Json terminated;   // how a container ended last: exit_code, signal, reason, message; null if none has
    std::string diagnosis;
    std::vector<ContainerEvidence> evidence;  // of the injected containers
};

struct WorkloadStatus {
    Workload workload;
    std::optional<InjectedMark> mark;
    std::optional<Record> record;
    std::optional<PlanObject> plan;
    std::vector<PodStatus> pods;

    // The plan if it makes calls fail now, and if its time is over; else null.
    const PlanObject* armed() const;
    const PlanObject* expired() const;
};

WorkloadStatus status_of(Client& client, Discovery& discovery, const WorkloadChoice& choice);

// In the order of the choices; kinds that cannot be injected are accepted.
std::vector<WorkloadStatus> status_of_each(Client& client, std::vector<WorkloadChoice> choices);

// Of every workload of the namespace, or of all if it is empty, that has a plan object.
std::vector<WorkloadStatus> status_of_all(Client& client, const std::string& in_namespace);

}  // namespace cudafault::kube
