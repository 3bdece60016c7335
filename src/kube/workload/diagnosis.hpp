// SPDX-License-Identifier: Apache-2.0
// Explains why pods are not ready or are not created.
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

// Explains why a pod is not ready: unschedulable (with the missing resource), image, mount, configuration, init
// container (with its last output), crash loop (with the remaining back-off), readiness, or a lost node. Returns an
// empty Diagnosis if no problem is found or the cause cannot be determined yet. `events` are the events of the pod;
// only events report failing mounts and probes.
Diagnosis diagnose(const Json& pod, const std::vector<Json>& events = {},
                   SystemTime now = std::chrono::system_clock::now());

std::string diagnosis_text(const Json& pod, const std::vector<Json>& events = {},
                           SystemTime now = std::chrono::system_clock::now());

// Explains why a controller cannot create pods, from the conditions of `workload.object`, its events and, for a
// Deployment, the events of the newest ReplicaSet. Sends two or three requests. Returns fewer reasons if the account
// may not read these objects.
std::vector<std::string> diagnose_workload(Client& client, const Workload& workload);

// Returns the warning events of an object, oldest first. Returns no events if the account may not list events.
std::vector<Json> warnings_on(Client& client, const std::string& in_namespace, const std::string& uid);

}  // namespace cudafault::kube
