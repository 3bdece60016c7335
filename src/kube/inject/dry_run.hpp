// SPDX-License-Identifier: Apache-2.0
// Asks the server whether it would take a pod of a template, before anything is changed: a workload's own dry run runs
// no admission of pods.
#pragma once

#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Throws Error if a pod of a changed template would be refused. What is no refusal but has to be known goes to `notes`:
// no permission to ask, pods that an operator composes, a full quota that a rollout without surge does not exceed, a
// user that only the node can check.
void dry_run_pods(Client& client, const Workload& workload, const Json& changed,
                  const std::vector<TemplateSite>& templates, std::vector<std::string>& notes);

}  // namespace cudafault::kube
