// SPDX-License-Identifier: Apache-2.0
// Going through everything in a namespace, or in all, in which something of ours could be.
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
    std::string why;       // a sentence
};

struct SurveyHandler {
    // A kind begins, or begins anew: what was seen of it counts no more.
    std::function<void(const Resource&)> on_start;
    std::function<void(const Resource&, Json object)> on_object;
};

struct SurveyScope {
    std::string in_namespace;  // empty: all
    bool with_pods = true;
    bool with_nodes = true;
};

// First ConfigMaps and Leases, of which only metadata is read, then workloads, then what controllers make of them, pods
// and nodes; in bounded memory. Kinds that may not be listed are given back. Throws Error if there is no such
// namespace.
std::vector<SkippedKind> survey(Client& client, Discovery& discovery, const SurveyScope& scope,
                                const SurveyHandler& handler);

// Throws Error if there is no such namespace, which is listed as an empty one; who may not look is believed.
void require_namespace(Client& client, const std::string& name);

// Only the workloads, each as a list gives it.
std::vector<SkippedKind> each_workload(Client& client, Discovery& discovery, const std::string& in_namespace,
                                       const std::function<void(const Resource&, const Json&)>& on_workload);

// The same kinds in the same order, for saying which.
std::vector<Resource> surveyed_kinds(Discovery& discovery, const SurveyScope& scope);

}  // namespace cudafault::kube
