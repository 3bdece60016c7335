// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace cudafault::kube {

// The whole file, or nothing if it is not there. Throws ConfigError, which calls it `what`, if it cannot be read.
std::optional<std::string> read_if_there(const std::string& file, const std::string& what);

// The same, and a missing file is an error as well.
std::string read_file(const std::string& file, const std::string& what);

// What a kubeconfig gives as data, or else as a file; empty if it gives neither.
std::string data_or_file(const std::string& data, const std::string& file, const std::string& what);

}  // namespace cudafault::kube
