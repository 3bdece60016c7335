// SPDX-License-Identifier: Apache-2.0
// Declares the table of known workload kinds.
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
    kByPath,      // only if the user gives the path of the template
    kImmutable,   // the API server rejects a change of the template; an object with the injection can be created
    kImpossible,  // a controller reverts a change, or the change has no effect
};

// How the pods of a workload are found.
enum class PodSearch {
    kSelector,     // by spec.selector; the workload owns them
    kReplicaSets,  // by spec.selector; the workload's ReplicaSets own them
    kJobs,         // the workload's Jobs own them
    kLabels,       // by Kind::pod_labels
    kItself,       // the workload is a pod
    kOwners,       // by the owner references of all pods in the namespace
};

// Where the controller of a kind keeps old templates.
enum class History {
    kNone,
    kReplicaSets,
    kControllerRevisions,
    kUnknown,  // an operator may create ReplicaSets or ControllerRevisions
};

// The location of the rolling update limits of a kind.
struct SurgeLimits {
    Path at;                         // the object with maxSurge and maxUnavailable; may not exist
    bool surges_by_default = false;  // true if the kind surges when maxSurge is not set
};

struct Kind {
    std::string group;
    std::string kind;
    std::vector<std::string> versions;  // preferred first
    std::vector<TemplatePattern> templates;
    Replacement (*replacement)(const Json& object);
    Support support;
    std::string note;  // how pods are replaced; for a kind that cannot be injected, the reason and the alternatives
    PodSearch pod_search = PodSearch::kOwners;
    std::string pod_labels = "";  // a label selector; {} is replaced with the workload's name
    // Returns the name of the template of a pod, or empty if the pod's labels do not identify it.
    std::string (*template_of)(const Json& object, const Json& pod) = nullptr;
    // If this is nullptr or returns nothing, the kind (or the object with its strategy) never creates more
    // pods than replicas.
    std::optional<SurgeLimits> (*surge_limits)(const Json& object) = nullptr;
    History history = History::kUnknown;
    bool has_replicas = false;  // true if spec.replicas is the desired number of pods
    bool is_cluster_scoped = false;
};

const std::vector<Kind>& kinds();

const Kind* kind_of(const std::string& group, const std::string& kind);  // nullptr if it is not in the table
std::string resource_of(const Kind& kind);  // such as "deployments.apps"; all kinds in the table have regular plurals
inline const Kind* kind_of(const Resource& resource) { return kind_of(resource.group, resource.kind); }
const Kind* kind_of_object(const Json& object);  // by its apiVersion and kind; nullptr if it is not in the table
bool is_immutable(const Resource& resource);     // true if the table marks the kind as Support::kImmutable

// Returns the resource in the preferred version that the server serves, or std::nullopt if the server serves no version
// of the kind. Sends one request for each version tried.
std::optional<Resource> served_version(Discovery& discovery, const Kind& kind);

// Returns the kinds of the table that the server serves, including kinds that cannot be injected. Used to inspect all
// workloads in a namespace.
std::vector<Resource> served_kinds(Discovery& discovery);

// Returns the resources in which controllers keep old templates of a kind: ReplicaSets, ControllerRevisions, or none.
// Returns both for a kind that is not in the table.
std::vector<Resource> histories_of(const std::string& group, const std::string& kind);

}  // namespace cudafault::kube
