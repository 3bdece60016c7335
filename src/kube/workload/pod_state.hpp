// SPDX-License-Identifier: Apache-2.0
// Predicates on the status of a pod.
#pragma once

#include <string>
#include <vector>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// Returns true if the pod mounts the plan of the workload with that hash, and one of its containers has the value
// `injection` in CUDAFAULT_INJECTION. An empty `injection` matches any value.
bool is_injected(const Json& pod, const std::string& hash, const std::string& injection = "");

bool is_terminating(const Json& pod);
bool is_ready(const Json& pod);
bool is_finished(const Json& pod);  // phase Succeeded or Failed

// Returns true if a container has ended since the pod was created. Native sidecars do not count: the containers start
// only after the sidecars, which may restart until then.
bool has_crashed(const Json& pod);

// Returns true if every container is running or has run before, whether Ready or not.
bool has_run(const Json& pod);

// Returns true if the container is running.
bool is_running(const Json& pod, const std::string& container);

std::string pod_name(const Json& pod);
std::string pod_namespace(const Json& pod);
std::string pod_uid(const Json& pod);

// Returns the condition of that type, or nullptr.
const Json* condition_of(const Json& object, const std::string& type);

// Returns "True", "False", "Unknown", or empty if the condition does not exist.
std::string condition_status(const Json& object, const std::string& condition);

// Returns the statuses of the containers that run as long as the pod: containers and native sidecars (init containers
// with restartPolicy Always). The pointers are valid as long as `pod`.
std::vector<const Json*> running_container_statuses(const Json& pod);

// Returns the status of a container, init container or sidecar, or nullptr.
const Json* container_status(const Json& pod, const std::string& container);

}  // namespace cudafault::kube
