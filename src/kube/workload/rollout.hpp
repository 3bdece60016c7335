// SPDX-License-Identifier: Apache-2.0
// Waits until the pods of a workload have been replaced.
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
    std::vector<Json> old;     // pods of another template, including terminating pods
    int desired = 0;           // number of replicas; -1 if unknown
    bool observed = false;     // true if the controller has observed the change

    size_t ready() const;  // number of wanted pods that are Ready
};

using PodTest = std::function<bool(const Json& pod)>;
using PodSource = std::function<std::vector<Json>()>;

struct RolloutResult {
    bool done = false;
    // True for a workload without replicas and a CronJob (`done` is true), and a paused Deployment (`done` is false).
    bool nothing_to_wait_for = false;
    RolloutState state;
    std::vector<std::string> problems;  // filled if `done` is false
};

// The state that a new pod must reach.
enum class NewPod {
    kExists,  // scheduled or not
    kHasRun,  // its containers are running, or have crashed since the pod was created and wait in back-off
    kReady,
};

struct RolloutOptions {
    Deadline deadline = kNoDeadline;  // the deadline of the session applies too
    NewPod need = NewPod::kReady;
    bool pinned = false;  // unschedulable new pods, and old pods kept because of them, are expected and not a failure
    // Deletes pods of the old template if the kind does not replace them itself. Each pod is deleted after the previous
    // one has been replaced. Set it only if the caller has allowed deletions.
    bool delete_stuck = false;
    int pods_before = -1;  // number of pods to wait for if the kind does not report one; -1: the number at the start
    std::function<bool(const Json& object)> is_current;  // the wait ends as soon as this returns false
    Progress on_progress;
    // Problems that last less than this are not reported: a new pod may wait briefly for the GPU of a terminating pod.
    std::chrono::milliseconds report_delay = std::chrono::seconds(3);
    // After this time without a change, the controller is assumed to keep its old pods until new pods are Ready.
    std::chrono::milliseconds controller_pause = std::chrono::seconds(10);
    PodSource list_pods;  // empty: uses `pods_of`
};

// Waits until no pod of another template exists and the desired number of wanted pods exists. Watches the pods and also
// reads the workload every two seconds. Returns immediately if pods are replaced only by deletion and `delete_stuck` is
// false. If the deadline passes, returns a result with `done` false and the reasons in `problems`.
RolloutResult wait_for_rollout(Client& client, Discovery& discovery, const Workload& workload, const PodTest& is_wanted,
                               const RolloutOptions& options);

}  // namespace cudafault::kube
