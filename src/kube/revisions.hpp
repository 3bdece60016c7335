// SPDX-License-Identifier: Apache-2.0
// The history that controllers keep of templates: ReplicaSets of a Deployment, ControllerRevisions of a StatefulSet or
// a DaemonSet.
#pragma once

#include "kube/api/cancellation.hpp"
#include "kube/workload.hpp"

namespace cudafault::kube {

// The numbers that the controller gave to the injected ones.
struct RevisionNumbers {
    int64_t first = 0;  // 0: there was none
    int64_t last = 0;
};

// Deletes those whose template is an injected one and that have no pods, once the controller knows that the workload
// has another template.
RevisionNumbers remove_own_revisions(Client& client, const Workload& workload, Deadline deadline);

// Gives the revision that is in force again the number it had before ours came: to put a template back made it the
// newest one. False if somebody else has made a newer one since.
bool reset_revision_number(Client& client, const Workload& workload, const RevisionNumbers& ours);

}  // namespace cudafault::kube
