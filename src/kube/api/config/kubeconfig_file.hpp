// SPDX-License-Identifier: Apache-2.0
// Parses one kubeconfig file.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

struct Context {
    std::string cluster;
    std::string user;
    std::string default_namespace;  // empty if not set
};

struct KubeconfigFile {
    std::string current_context;
    std::map<std::string, Cluster> clusters;
    std::map<std::string, Context> contexts;
    std::map<std::string, User> users;
};

// Parses YAML or JSON. `file` names the file in errors, and relative paths are relative to its folder. Unknown fields
// are ignored, as in kubectl. Throws ConfigError, with the line, if the text is not a kubeconfig or defines a name
// twice. A user with invalid base64, contradictory fields or a removed authentication method is marked as unusable.
KubeconfigFile parse_kubeconfig(const std::string& text, const std::filesystem::path& file);

}  // namespace cudafault::kube
