// SPDX-License-Identifier: Apache-2.0
// Finds the pods of a workload.
#pragma once

#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// The pods that belong to the workload and, where a pod shows its template, to one of `workload.templates`. Includes
// pods of old revisions and terminating pods, but not finished ones. Throws ApiError.
std::vector<Json> pods_of(Client& client, Discovery& discovery, const Workload& workload);

// A label selector that matches all pods of the workload, possibly others too; empty if none is known.
std::string pod_selector(const Workload& workload);

}  // namespace cudafault::kube
