// SPDX-License-Identifier: Apache-2.0
// Going through everything in a namespace, or in all, in which something of ours could be.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/api/client.hpp"
#include "kube/api/discovery.hpp"

namespace cudafault::kube {

// What could not be looked at.
struct Unseen {
    std::string resource;  // "nodes"
    std::string why;       // a sentence

    Json json() const { return {{"resource", resource}, {"why", why}}; }
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
std::vector<Unseen> survey(Client& client, Discovery& discovery, const SurveyScope& scope,
                           const SurveyHandler& handler);

// Throws Error if there is no such namespace, which is listed as an empty one; who may not look is believed.
void require_namespace(Client& client, const std::string& name);

// Only the workloads, each as a list gives it.
std::vector<Unseen> each_workload(Client& client, Discovery& discovery, const std::string& in_namespace,
                                  const std::function<void(const Resource&, const Json&)>& on_workload);

// The same kinds in the same order, for saying which.
std::vector<Resource> surveyed_kinds(Discovery& discovery, const SurveyScope& scope);

// What has a json(), as a list.
template <typename Items>
Json list_json(const Items& items) {
    Json list = Json::array();
    for (const auto& item : items) list.push_back(item.json());
    return list;
}

}  // namespace cudafault::kube
