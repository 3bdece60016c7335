// SPDX-License-Identifier: Apache-2.0
// The objects that are made beside a workload: what they have in common.
#pragma once

#include <string>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

// A ConfigMap with our labels and `content` (data, binaryData, immutable). Its owner is the workload: where that is
// deleted, nothing of ours stays behind.
Json own_config_map(const ObjectRef& workload, const std::string& name, const std::string& role, const Json& content);

// Creates it, or replaces one of the same name that is another run's leftover.
Json create_anew(Client& client, const Json& config_map);

// Does nothing if it is not there.
bool remove_config_map(Client& client, const std::string& in_namespace, const std::string& name);

// Deletes what an injection created beside its record: the plan and the libraries. True if anything existed.
bool remove_injection_objects(Client& client, const ObjectRef& workload);

}  // namespace cudafault::kube
