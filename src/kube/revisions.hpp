// SPDX-License-Identifier: Apache-2.0
// The history that controllers keep of templates: ReplicaSets of a Deployment, ControllerRevisions of a StatefulSet or
// a DaemonSet.
#pragma once

#include "kube/api/cancellation.hpp"
#include "kube/workload.hpp"

namespace cudafault::kube {

// Deletes those whose template is an injected one and that have no pods, once the controller knows that the workload
// has another template.
void remove_own_revisions(Client& client, const Workload& workload, Deadline deadline);

}  // namespace cudafault::kube
