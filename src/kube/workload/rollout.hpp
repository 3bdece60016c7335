// SPDX-License-Identifier: Apache-2.0
// Waiting until the pods of a workload are what they should be.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/workload/pod_state.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

struct RolloutState {
    std::vector<Json> wanted;  // pods of the new template, not terminating
    std::vector<Json> old;     // pods of another template, terminating ones included
    int desired = 0;           // replicas; -1: unknown
    bool observed = false;     // the controller has seen the change

    size_t ready() const;  // of the wanted
};

using PodTest = std::function<bool(const Json& pod)>;
using PodSource = std::function<std::vector<Json>()>;

struct RolloutResult {
    bool done = false;
    bool nothing_to_wait_for = false;  // no replicas, or a CronJob: `done`; a paused Deployment: not done
    RolloutState state;
    std::vector<std::string> problems;  // if not done
};

// What a new pod has to be to count.
enum class NewPod {
    kExists,  // scheduled or not
    kHasRun,  // its containers run, or have crashed since it was made and wait out a back-off
    kReady,
};

struct RolloutOptions {
    Deadline deadline = kNoDeadline;  // the session's own is kept to as well
    NewPod need = NewPod::kReady;
    bool pinned = false;        // new pods that find no place are the user's wish, and old ones that stay for that
    bool delete_stuck = false;  // with the user's consent: pods of the old template are deleted where the kind
                                // does not replace them itself, each when the one before has been replaced
    int pods_before = -1;  // as many are waited for where a kind does not say how many; -1: as there are at the start
    std::function<bool(const Json& object)> is_current;  // ends the wait as soon as it gives false
    Progress on_progress;
    // What is wrong for a shorter time is not worth a line: a new pod waits for the GPU of one that is just ending.
    std::chrono::milliseconds report_delay = std::chrono::seconds(3);
    // A controller that has done nothing for so long keeps its old pods until new ones are Ready.
    std::chrono::milliseconds controller_pause = std::chrono::seconds(10);
    PodSource list_pods;  // empty: `pods_of`
};

// Until no pod of another template is left and as many wanted ones as desired are there. Watches; every two seconds the
// workload is read too. Without consent it ends at once where nothing but deletion replaces pods. A deadline that
// passes is no error but a result that is not done, and says why.
RolloutResult wait_for_rollout(Client& client, Discovery& discovery, const Workload& workload, const PodTest& is_wanted,
                               const RolloutOptions& options);

}  // namespace cudafault::kube
