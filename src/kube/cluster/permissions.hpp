// SPDX-License-Identifier: Apache-2.0
// Which permissions a command needs, from one table: the Role to ask for.
#pragma once

#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

struct Permission {
    std::string group;
    std::string resource;  // plural, with /subresource
    std::vector<std::string> verbs;
    std::vector<std::string> why;
    bool cluster_wide = false;  // no Role in a namespace gives it

    std::string qualified() const;  // "deployments.apps", "pods/log"
    Json rule() const;              // as in a Role
};

struct CommandUse {
    std::string command;             // a name of commands()
    std::vector<std::string> kinds;  // Deployment, deployments.apps, widgets.acme.com; empty: Deployment
    std::string in_namespace;
    bool all_namespaces = false;
    bool all_workloads = false;     // arm, disarm, status and restore without the name of one
    bool by_labels = false;         // -l
    bool exact = false;             // of restore
    bool delete_pods = false;       // of inject and restore
    bool restart_crashed = false;   // of disarm
    bool delete_unhealthy = false;  // of node drain
};

// plan, inject, ..., "node drain", and "all": a whole drill in a namespace.
std::vector<std::string> commands();

// Each resource once. Throws Error for a command or kind that it does not know.
std::vector<Permission> permissions_of(const CommandUse& use);

// A Role, or a ClusterRole where one is needed.
Json role_of(const CommandUse& use);
std::string role_yaml(const CommandUse& use);  // with the reasons

}  // namespace cudafault::kube
