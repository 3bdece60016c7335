// SPDX-License-Identifier: Apache-2.0
// Computes the permissions that a command needs, and the Role that grants them.
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
    bool cluster_wide = false;  // needs a ClusterRole

    std::string qualified() const;  // "deployments.apps", "pods/log"
    Json rule() const;              // a rule of a Role
};

struct CommandUse {
    std::string command;             // a name that commands() returns
    std::vector<std::string> kinds;  // Deployment, deployments.apps, widgets.acme.com; empty: Deployment
    std::string in_namespace;
    bool all_namespaces = false;
    bool all_workloads = false;     // of arm, disarm, status and restore without a workload
    bool by_labels = false;         // -l
    bool create_objects = false;    // of manifest
    bool exact = false;             // of restore
    bool delete_pods = false;       // of inject and restore
    bool restart_crashed = false;   // of disarm
    bool delete_unhealthy = false;  // of node drain

    bool is_node_command() const { return command.starts_with("node "); }  // such a command has no namespace
};

// Returns "plan", "inject", ..., "node drain", and "all", which covers all commands of a drill in a namespace.
std::vector<std::string> commands();

// Returns each resource once. Throws Error for an unknown command or kind.
std::vector<Permission> permissions_of(const CommandUse& use);

// Returns a Role, or a ClusterRole if the command needs one.
Json role_of(const CommandUse& use);
std::string role_yaml(const CommandUse& use);  // with the reasons as comments

}  // namespace cudafault::kube
