// SPDX-License-Identifier: Apache-2.0
// The kinds of workloads that are known: one table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/resource.hpp"
#include "kube/workload/templates.hpp"

namespace cudafault::kube {

class Discovery;

enum class Support {
    kPossible,
    kByPath,      // only where a user gives the path of the template
    kImpossible,  // a change is refused or undone
};

// How the pods of a workload are found.
enum class PodSearch {
    kSelector,     // spec.selector; the workload owns them
    kReplicaSets,  // spec.selector; its ReplicaSets own them
    kJobs,         // its Jobs own them
    kLabels,       // Kind::pod_labels
    kItself,       // it is one
    kOwners,       // by the owners of all pods of the namespace
};

// Where a kind's controller keeps old templates.
enum class History {
    kNone,
    kReplicaSets,
    kControllerRevisions,
    kUnknown,  // an operator may create either
};

// Where a kind's rolling update has its limits.
struct SurgeLimits {
    Path at;                         // the object with maxSurge and maxUnavailable; may not exist
    bool surges_by_default = false;  // without maxSurge
};

struct Kind {
    std::string group;
    std::string kind;
    std::vector<std::string> versions;  // the best first
    std::vector<TemplatePattern> templates;
    Replacement (*replacement)(const Json& object);
    Support support;
    std::string note;  // what a user has to know of it; of one that cannot be injected why, and the ways there are
    PodSearch pod_search = PodSearch::kOwners;
    std::string pod_labels = "";  // a selector, in which {} is the workload's name
    // The name of the template that a pod is of; empty where the pod does not tell.
    std::string (*template_of)(const Json& object, const Json& pod) = nullptr;
    // nullptr, or nothing: the kind, or the object with its strategy, never has more pods than replicas.
    std::optional<SurgeLimits> (*surge_limits)(const Json& object) = nullptr;
    History history = History::kUnknown;
    bool has_replicas = false;  // spec.replicas is the number of its pods
    bool is_cluster_scoped = false;
};

const std::vector<Kind>& kinds();

const Kind* kind_of(const std::string& group, const std::string& kind);  // nullptr: not in the table
std::string resource_of(const Kind& kind);  // "deployments.apps"; the plural of each of the table is a regular one
inline const Kind* kind_of(const Resource& resource) { return kind_of(resource.group, resource.kind); }
const Kind* kind_of_object(const Json& object);  // by its apiVersion and kind

// The best version that is served; one request for each version that is tried.
std::optional<Resource> served_version(Discovery& discovery, const Kind& kind);

// The kinds of the table that the server serves, also those that cannot be injected: for looking at everything in a
// namespace.
std::vector<Resource> served_kinds(Discovery& discovery);

// The resources in which controllers keep old templates of a kind: ReplicaSets, ControllerRevisions, or nothing. Both
// for a kind that is not in the table.
std::vector<Resource> histories_of(const std::string& group, const std::string& kind);

}  // namespace cudafault::kube
