// SPDX-License-Identifier: Apache-2.0
// Connects to the API server from inside a pod.
#pragma once

#include <filesystem>
#include <optional>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

// Returns nullopt outside a pod with a service account. The connection contains the paths of the token and authority
// files instead of their content, because the kubelet updates the files. Throws ConfigError if a file in the folder
// cannot be read.
std::optional<Connection> in_cluster_connection(const Getenv& getenv, const std::filesystem::path& service_account);

}  // namespace cudafault::kube
