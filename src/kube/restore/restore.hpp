// SPDX-License-Identifier: Apache-2.0
// Takes an injection back: in any state in which it was left, from any machine, as often as one likes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

struct RestoreOptions {
    bool delete_pods = false;  // consent, for kinds that do not replace their pods themselves
    bool exact = false;        // also the numbers of revisions
    Deadline deadline = kNoDeadline;
    Progress on_progress = [](const std::string&) {};
};

struct RestoreResult {
    std::string workload;           // as Workload::text
    bool restored = false;          // something had to be done
    bool complete = true;           // nothing of ours is left
    std::vector<std::string> kept;  // what others changed meanwhile, left as they have it
    std::vector<std::string> notes;
};

// Throws Error if there is no such workload and nothing of ours for it either.
RestoreResult restore(Client& client, Discovery& discovery, const WorkloadChoice& choice,
                      const RestoreOptions& options);

// Every workload of the namespace that has a record, a plan, a library or a mark of ours.
std::vector<RestoreResult> restore_all(Client& client, Discovery& discovery, const std::string& in_namespace,
                                       const RestoreOptions& options);

}  // namespace cudafault::kube
