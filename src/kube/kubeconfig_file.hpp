// SPDX-License-Identifier: Apache-2.0
// One kubeconfig file as it stands, before it is merged with others.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "kube/connection.hpp"

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
// as kubectl does. Throws ConfigError, with the line, for what is no kubeconfig, a name twice, base64 that is none, or
// a way to authenticate that does not exist any more.
KubeconfigFile parse_kubeconfig(const std::string& text, const std::filesystem::path& file);

}  // namespace cudafault::kube
