// SPDX-License-Identifier: Apache-2.0
// Creates and deletes the ConfigMaps that cudafault adds for a workload.
#pragma once

#include <optional>
#include <string>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

// Returns a ConfigMap with cudafault's labels and `content` (data, binaryData, immutable). The workload owns it, so it
// is deleted with the workload. If `workload` has no UID, the ConfigMap has no owner and an annotation names the
// workload: an object that `kubectl replace --force` creates again has another UID, and its ConfigMaps must not be
// deleted.
Json own_config_map(const ObjectRef& workload, const std::string& name, const std::string& role, const Json& content);

// Returns the workload that a ConfigMap was created for, or std::nullopt if the ConfigMap names no workload.
std::optional<ObjectRef> workload_of_config_map(const Json& config_map);

// Returns true if own_config_map() for `workload` gives the ConfigMap this owner, or none.
bool has_owner_for(const Json& config_map, const ObjectRef& workload);

// Creates the ConfigMap. Replaces an existing ConfigMap with the same name, which an earlier run did not delete.
Json recreate(Client& client, const Json& config_map);

// Returns false if the ConfigMap does not exist.
bool remove_config_map(Client& client, const std::string& in_namespace, const std::string& name);

// Deletes the objects that an injection created in addition to its record: the plan and the libraries. Returns true if
// any existed.
bool remove_injection_objects(Client& client, const ObjectRef& workload);

}  // namespace cudafault::kube
