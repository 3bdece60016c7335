// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace cudafault::kube {

// Returns the content of `file`, or nullopt if the file does not exist. Throws ConfigError if the file cannot be read;
// the message describes the file as `what`.
std::optional<std::string> read_if_exists(const std::string& file, const std::string& what);

// Like read_if_exists, but a missing file is an error.
std::string read_file(const std::string& file, const std::string& what);

// Returns the data of a kubeconfig field, or else the content of its file; empty if neither is set.
std::string data_or_file(const std::string& data, const std::string& file, const std::string& what);

}  // namespace cudafault::kube
