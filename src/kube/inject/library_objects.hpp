// SPDX-License-Identifier: Apache-2.0
// How the library gets into the pods: in ConfigMaps of the workload, or as the source in the namespace's.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/payload/payload.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// ConfigMaps cudafault-library-<hash>-<architecture>, immutable.
void create_libraries(Client& client, const Workload& workload, const std::vector<Architecture>& architectures);
// Those that somebody has removed, while the workload is injected.
void create_missing_libraries(Client& client, const Workload& workload, const std::vector<Architecture>& architectures);

// The ConfigMap cuda-fault-injection-lib. Whether it had to be made or changed.
bool create_source(Client& client, const std::string& in_namespace);
bool has_source(Client& client, const std::string& in_namespace);

// False if there was none. Throws Error, and names the workload, while one mounts it; and if it is not ours.
bool remove_source(Client& client, Discovery& discovery, const std::string& in_namespace);

}  // namespace cudafault::kube
