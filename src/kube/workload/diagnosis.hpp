// SPDX-License-Identifier: Apache-2.0
// Why pods are not what they should be, in words.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kube/api/common/timestamp.hpp"
#include "kube/workload/workload.hpp"
#include "os/timestamp.hpp"

namespace cudafault::kube {

struct Diagnosis {
    std::string what;    // "web-abc Pending: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu"
    std::string advice;  // what to do

    bool empty() const { return what.empty(); }
    std::string text() const { return empty() || advice.empty() ? what : what + "; " + advice; }
};

// Of a pod that is not ready: unschedulable and for want of what, image, mount, configuration, init container with its
// last output, crash loop with the time of back-off left, readiness, a node that is lost. Empty if nothing is wrong, or
// nothing is known yet. `events` are the pod's own; failing mounts and probes are told by them alone.
Diagnosis diagnose(const Json& pod, const std::vector<Json>& events = {},
                   SystemTime now = std::chrono::system_clock::now());

std::string diagnosis_text(const Json& pod, const std::vector<Json>& events = {},
                           SystemTime now = std::chrono::system_clock::now());

// Why a controller cannot even make pods, by the conditions of `workload.object`, its events and those of the newest
// ReplicaSet of a Deployment. Two or three requests; without the permission for them there are fewer reasons.
std::vector<std::string> diagnose_workload(Client& client, const Workload& workload);

// Warnings on an object, the latest last. None if they may not be read.
std::vector<Json> warnings_on(Client& client, const std::string& in_namespace, const std::string& uid);

}  // namespace cudafault::kube
