// SPDX-License-Identifier: Apache-2.0
// The history that controllers keep of templates: ReplicaSets of a Deployment, ControllerRevisions of a StatefulSet or
// a DaemonSet.
#pragma once

#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/record/record.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Those whose template is an injected one, once the controller knows that the workload has another template: their
// numbers; and deletes them as soon as they have no pods.
RevisionNumbers numbers_of_own_revisions(Client& client, const Workload& workload, Deadline deadline);
void remove_own_revisions(Client& client, const Workload& workload, Deadline deadline);

struct UnmarkedRevisions {
    bool changed = false;
    std::vector<std::string> notes;  // one for each that keeps it, and why
};

// Takes our annotation from those of the user's own templates: controllers copy it there where somebody has put the
// template back but not the annotations.
UnmarkedRevisions remove_marks_of_revisions(Client& client, const Workload& workload);

// Gives the revision that is in force again the number it had before ours came: to put a template back made it the
// newest one. False if somebody else has made a newer one since.
bool reset_revision_number(Client& client, const Workload& workload, const RevisionNumbers& ours);

}  // namespace cudafault::kube
