// SPDX-License-Identifier: Apache-2.0
// Which object an injection is in: the one that was named, or the owner above it.
#pragma once

#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// What the user may mean by a name, in the order of load_workload: without a kind a DynamoGraphDeployment, where that
// is served, and then a Deployment. Throws Error for a kind that was given and is not served.
std::vector<Target> targets_meant(Discovery& discovery, const WorkloadChoice& choice);

// The choice as load_workload has to take it: without climbing where the object itself was injected (--itself), as its
// record or its plan tells, and with the record's template paths.
WorkloadChoice where_injected(Client& client, Discovery& discovery, WorkloadChoice choice);

}  // namespace cudafault::kube
