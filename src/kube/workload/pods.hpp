// SPDX-License-Identifier: Apache-2.0
// Finds the pods of a workload.
#pragma once

#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

enum class PodScope {
    kUnfinished,
    kWithFinished,  // also finished pods of batch workloads: those that are not restarted always
};

// Returns the pods that belong to the workload. If the labels of a pod identify its template, the pod is returned only
// if `workload.templates` contains that template. Includes pods of old revisions and terminating pods. Throws ApiError.
std::vector<Json> pods_of(Client& client, Discovery& discovery, const Workload& workload,
                          PodScope scope = PodScope::kUnfinished);

// Returns a label selector that matches all pods of the workload and possibly other pods, or empty if none is known.
std::string pod_selector(const Workload& workload);

}  // namespace cudafault::kube
