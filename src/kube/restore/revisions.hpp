// SPDX-License-Identifier: Apache-2.0
// Cleans up the template history that controllers keep: ReplicaSets of a Deployment, ControllerRevisions of a
// StatefulSet or DaemonSet.
#pragma once

#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/record/record.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Both functions first wait until the controller has observed the reverted template. They act on the revisions with an
// injected template: the first returns their numbers, the second deletes each revision when it has no pods.
RevisionNumbers injected_revision_numbers(Client& client, const Workload& workload, Deadline deadline);
void remove_injected_revisions(Client& client, const Workload& workload, Deadline deadline);

struct UnmarkedRevisions {
    bool changed = false;
    std::vector<std::string> notes;  // one for each revision that keeps the annotation, with the reason
};

// Removes cudafault's annotation from revisions with an original template. Controllers copy it there if another client
// reverts the template but not the annotations.
UnmarkedRevisions remove_marks_of_revisions(Client& client, const Workload& workload);

// Resets the number of the current revision to its value before the injection, because reverting the template gave that
// revision the highest number. Returns false if another client has created a newer revision since.
bool reset_revision_number(Client& client, const Workload& workload, const RevisionNumbers& numbers);

}  // namespace cudafault::kube
