// SPDX-License-Identifier: Apache-2.0
// Reverts a complete or partial injection. Idempotent; can run on any machine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

struct RestoreOptions {
    bool delete_pods = false;  // allows deleting pods of kinds whose controllers do not replace them
    bool exact = false;        // also reset revision numbers
    Deadline deadline = kNoDeadline;
    Progress on_progress = [](const std::string&) {};
    bool is_one_of_several = false;  // progress lines name the workload
};

struct RestoreResult {
    std::string workload;                // Workload::text()
    bool restored = false;               // the command changed something
    bool complete = true;                // no object or value of the injection remains
    std::shared_ptr<const Error> error;  // set by restore_each(): the error that ended the restore, or nullptr
    std::vector<std::string> kept;       // values that other clients changed since the injection; not reverted
    std::vector<std::string> notes;      // ends with the error
};

// Throws Error if neither the workload nor objects created by cudafault for it exist.
RestoreResult restore(Client& client, Discovery& discovery, const WorkloadChoice& choice,
                      const RestoreOptions& options);

// Disarms the workloads, then restores them in parallel. Returns one result for each workload, in the order of the
// choices; several choices may resolve to one workload. A workload that cannot be restored has a result with the error
// as its note, and the others are restored.
std::vector<RestoreResult> restore_each(Client& client, const std::vector<WorkloadChoice>& choices,
                                        const RestoreOptions& options);

// Restores every workload of the namespace that has a record, a plan, a library or a mark of cudafault.
std::vector<RestoreResult> restore_all(Client& client, Discovery& discovery, const std::string& in_namespace,
                                       const RestoreOptions& options);

}  // namespace cudafault::kube
