// SPDX-License-Identifier: Apache-2.0
// One kubeconfig file as it stands, before it is merged with others.
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

// `file` names it in errors, and its folder is what relative paths start from. YAML or JSON; unknown fields are ignored
// as kubectl does. Throws ConfigError, with the line, for what is no kubeconfig or has a name twice. A user that has
// base64 that is none, contradicts itself, or authenticates in a way that does not exist any more, is marked unusable.
KubeconfigFile parse_kubeconfig(const std::string& text, const std::filesystem::path& file);

}  // namespace cudafault::kube
