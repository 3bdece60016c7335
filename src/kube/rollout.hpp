// SPDX-License-Identifier: Apache-2.0
// Waiting until pods are what they should be, and saying in words why they are not.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/workload.hpp"

namespace cudafault::kube {

// Whether a pod has our volumes. `hash` is the workload's (its plan ConfigMap is mounted); `edition` that of the
// injection it has to be of, 0: any.
bool is_injected(const Json& pod, const std::string& hash, int edition = 0);

bool is_terminating(const Json& pod);
bool is_ready(const Json& pod);
bool is_finished(const Json& pod);  // phase Succeeded or Failed

// A sentence on a pod that is not ready: unschedulable and for want of what (free GPUs are named), image, mount, quota,
// crash loop with the time of back-off, readiness, init container with its last output. Empty if nothing is wrong.
std::string trouble_of(const Json& pod);

// The reasons for which a controller could not even make pods: quota, admission, from its conditions and events.
std::vector<std::string> trouble_of_workload(Client& client, Discovery& discovery, const Workload& workload);

struct RolloutState {
    std::vector<Json> wanted;     // pods of the new template, not terminating
    std::vector<Json> old;        // pods of another template, terminating ones included
    int desired = 0;              // replicas; -1: unknown
    bool observed = false;        // the controller has seen the change
};

using PodTest = std::function<bool(const Json& pod)>;

RolloutState rollout_state(Client& client, Discovery& discovery, const Workload& workload, const PodTest& is_wanted);

struct RolloutResult {
    bool done = false;
    bool nothing_to_wait_for = false;  // no replicas, or a CronJob
    RolloutState state;
    std::vector<std::string> troubles; // if not done
};

struct RolloutOptions {
    Deadline deadline = kNoDeadline;
    bool need_ready = true;         // else a new pod that exists, scheduled or not, is enough
    bool delete_stuck = false;      // with the user's consent: pods of the old template are deleted where the kind
                                    // does not replace them itself
    std::function<void(const std::string&)> on_progress;  // one line whenever something has changed
};

// Until no pod of another template is left and as many wanted ones as desired are there. Watches and does not poll.
RolloutResult wait_for_rollout(Client& client, Discovery& discovery, const Workload& workload,
                               const PodTest& is_wanted, const RolloutOptions& options);

}  // namespace cudafault::kube
