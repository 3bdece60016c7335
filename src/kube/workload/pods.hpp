// SPDX-License-Identifier: Apache-2.0
// Finds the pods of a workload.
#pragma once

#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Returns the pods that belong to the workload and, if a pod shows its template, to one of `workload.templates`.
// Includes pods of old revisions and terminating pods, but not finished pods. Throws ApiError.
std::vector<Json> pods_of(Client& client, Discovery& discovery, const Workload& workload);

// Returns a label selector that matches all pods of the workload and possibly others; empty if none is known.
std::string pod_selector(const Workload& workload);

}  // namespace cudafault::kube
