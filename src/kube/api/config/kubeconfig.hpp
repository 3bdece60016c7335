// SPDX-License-Identifier: Apache-2.0
// Finds the API server and the user: from kubeconfig files as kubectl does, or from the pod that the program runs in.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

// Connection options from the command line, which override the kubeconfig. An empty option was not given.
struct ConnectionOptions {
    std::string kubeconfig;  // a file that must exist; replaces KUBECONFIG and ~/.kube/config
    std::string context;
    std::string cluster;  // cluster and user are names of kubeconfig entries
    std::string user;
    std::string default_namespace;
    std::string server;
    Impersonation impersonation;  // replaces as, as-uid, as-groups and as-user-extra of the kubeconfig together
    Getenv getenv = ::getenv;
    std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

// Merges the files as kubectl does: the first file that sets current-context, or that defines a cluster, context or
// user of a given name, wins, and later definitions are ignored as a whole. The pod's service account is used if no
// kubeconfig has a context. A server option alone, such as unix:///socket, requires no kubeconfig. Throws ConfigError.
// Opens no connection.
Connection find_connection(const ConnectionOptions& options);

}  // namespace cudafault::kube
