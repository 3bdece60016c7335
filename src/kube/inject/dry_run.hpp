// SPDX-License-Identifier: Apache-2.0
// Checks with a dry run whether the API server would accept a pod of each changed template. A dry run of the workload
// itself does not run pod admission.
#pragma once

#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Throws Error if a pod of a changed template would be refused. Adds a note for each check that is not possible or does
// not block the injection: no permission to create pods, pods that an operator composes, a full quota that a rollout
// without surge does not exceed, and an image user that only the node can check.
void dry_run_pods(Client& client, const Workload& workload, const Json& changed,
                  const std::vector<TemplateSite>& templates, std::vector<std::string>& notes);

}  // namespace cudafault::kube
