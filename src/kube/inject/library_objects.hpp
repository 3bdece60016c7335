// SPDX-License-Identifier: Apache-2.0
// Creates and removes the ConfigMaps that contain the library: one for each workload and architecture, or one with the
// source code for each namespace.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/payload/payload.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Creates the immutable ConfigMaps cudafault-library-<hash>-<architecture>, and replaces existing ConfigMaps.
void create_libraries(Client& client, const Workload& workload, const std::vector<Architecture>& architectures);
// Creates only the libraries that were deleted while the workload is injected.
void create_missing_libraries(Client& client, const Workload& workload, const std::vector<Architecture>& architectures);

// Creates or updates the ConfigMap cuda-fault-injection-lib. Returns true if the ConfigMap changed.
bool create_source(Client& client, const std::string& in_namespace);
bool has_source(Client& client, const std::string& in_namespace);

// Returns false if the ConfigMap does not exist. Throws Error if a workload mounts it (the message names the workload),
// or if it was not created by cudafault.
bool remove_source(Client& client, Discovery& discovery, const std::string& in_namespace);

}  // namespace cudafault::kube
