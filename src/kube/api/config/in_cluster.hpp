// SPDX-License-Identifier: Apache-2.0
// The API server as a pod sees it.
#pragma once

#include <filesystem>
#include <optional>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

// Nothing if this is no pod with a service account. Token and authority stay files, since the kubelet changes them.
// Throws ConfigError if a file of the folder cannot be read.
std::optional<Connection> in_cluster_connection(const Getenv& getenv, const std::filesystem::path& service_account);

}  // namespace cudafault::kube
