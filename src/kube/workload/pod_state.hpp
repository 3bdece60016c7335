// SPDX-License-Identifier: Apache-2.0
// What a pod's object says at a glance.
#pragma once

#include <string>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// Whether the plan of the workload with that hash is mounted. `injection` is the value CUDAFAULT_INJECTION has to have
// in one of its containers; empty: any.
bool is_injected(const Json& pod, const std::string& hash, const std::string& injection = "");

bool is_terminating(const Json& pod);
bool is_ready(const Json& pod);
bool is_finished(const Json& pod);  // phase Succeeded or Failed

// Whether one of its containers has ended since the pod was made.
bool has_crashed(const Json& pod);

// Whether each of its containers runs, Ready or not, or has.
bool has_run(const Json& pod);

// Whether that container runs now.
bool is_running(const Json& pod, const std::string& container);

std::string pod_name(const Json& pod);
std::string pod_namespace(const Json& pod);
std::string pod_uid(const Json& pod);

// The condition of that type, or nullptr.
const Json* condition_of(const Json& object, const std::string& type);

// "True", "False", "Unknown", or empty if there is no such condition.
std::string condition_status(const Json& object, const std::string& condition);

// The status of a container, init container or sidecar, or nullptr.
const Json* container_status(const Json& pod, const std::string& container);

}  // namespace cudafault::kube
