// SPDX-License-Identifier: Apache-2.0
// Which API server, and as whom: from the kubeconfig files as kubectl reads them, or from the pod this runs in.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

// What the user gives on the command line goes before what the files say; an empty text is not given.
struct ConnectionOptions {
    std::string kubeconfig;  // one file that must exist, in place of KUBECONFIG's list and ~/.kube/config
    std::string context;
    std::string cluster;  // these two name entries of the kubeconfig
    std::string user;
    std::string default_namespace;
    std::string server;
    Impersonation impersonation;  // in place of the kubeconfig's as, as-uid, as-groups and as-user-extra, all of them
    Getenv getenv = ::getenv;
    std::filesystem::path service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
};

// The files are merged as kubectl merges them: the first that has a current-context, or a cluster, context or user of a
// name, wins, and nothing else of that name counts. A pod's own service account is used where there is no kubeconfig
// with a context; a server alone, such as unix:///socket, needs none. Throws ConfigError. Opens no connection.
Connection find_connection(const ConnectionOptions& options);

}  // namespace cudafault::kube
