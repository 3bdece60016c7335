// SPDX-License-Identifier: Apache-2.0
// Lists all objects of a namespace, or of all namespaces, that may contain traces of cudafault.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

class Client;
class Discovery;

// A kind whose objects could not be read.
struct SkippedKind {
    std::string resource;  // "nodes"
    std::string why;       // one sentence
};

struct SurveyHandler {
    // Called when the list of a kind starts or restarts. After a restart, discard the objects of that kind seen before.
    std::function<void(const Resource&)> on_start;
    std::function<void(const Resource&, Json object)> on_object;
};

struct SurveyScope {
    std::string in_namespace;  // empty: all namespaces
    bool with_pods = true;
    bool with_nodes = true;
};

// Lists ConfigMaps and Leases first (only their metadata), then workloads, then objects that controllers create from
// them, pods and nodes. Memory use is bounded. Returns the kinds that the account may not list. Throws Error if the
// namespace does not exist.
std::vector<SkippedKind> survey(Client& client, Discovery& discovery, const SurveyScope& scope,
                                const SurveyHandler& handler);

// Throws Error if the namespace does not exist, because listing a missing namespace succeeds with no objects. Without
// permission to read the namespace, the namespace is assumed to exist.
void require_namespace(Client& client, const std::string& name);

// Calls `on_workload` for each workload. Lists no other objects.
std::vector<SkippedKind> for_each_workload(Client& client, Discovery& discovery, const std::string& in_namespace,
                                           const std::function<void(const Resource&, const Json&)>& on_workload);

// Returns the kinds that `survey` lists, in the same order, for messages.
std::vector<Resource> surveyed_kinds(Discovery& discovery, const SurveyScope& scope);

}  // namespace cudafault::kube
