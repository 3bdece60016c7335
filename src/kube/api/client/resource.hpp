// SPDX-License-Identifier: Apache-2.0
// Identifies API resources, collections and objects, and builds their paths.
#pragma once

#include <string>
#include <vector>

#include "kube/api/common/json.hpp"
#include "kube/api/common/subject.hpp"

namespace cudafault::kube {

// A resource as reported by discovery. A resource created from only an apiVersion and a kind has no plural and
// therefore no path; Discovery::find returns the complete resource.
struct Resource {
    std::string group;  // empty for the core group
    std::string version;
    std::string plural;  // the name in paths
    std::string singular;
    std::string kind;
    bool namespaced = true;
    std::vector<std::string> short_names;
    std::vector<std::string> verbs;
    std::vector<std::string> subresources;

    static Resource of_kind(const std::string& api_version, const std::string& kind);

    std::string api_version() const { return group.empty() ? version : group + "/" + version; }
    std::string qualified() const { return group.empty() ? plural : plural + "." + group; }   // "deployments.apps"
    std::string qualified_kind() const { return group.empty() ? kind : kind + "." + group; }  // "Deployment.apps"
    std::string kubectl_kind() const;                                                         // "deployment.apps"
};

// All objects of a resource in one namespace, or in all namespaces if `in_namespace` is empty.
struct Collection {
    Resource resource;
    std::string in_namespace;
};

// The identity of one object.
struct ObjectRef {
    Resource resource;
    std::string in_namespace;  // ignored for cluster-scoped resources
    std::string name;
    std::string uid = {};  // empty if unknown

    std::string kubectl_name() const;  // "deployment.apps/web"
    std::string text() const;          // "deployment.apps/web in namespace prod"
};

// Returns the identity of an object that was read from the server.
ObjectRef ref_of(const Resource& resource, const Json& object);

std::string path_of(const Collection& collection);

// Throws Error if the name is empty, or if the namespace of a namespaced resource is empty, because the path
// would then name a collection.
std::string path_of(const ObjectRef& ref, const std::string& subresource = "");

Subject subject_of(const std::string& verb, const Collection& collection);
Subject subject_of(const std::string& verb, const ObjectRef& ref, const std::string& subresource = "");

// Built-in resources of every API server.
const Resource& config_maps();
const Resource& events();  // in the core group, which all Kubernetes components use
const Resource& namespaces();
const Resource& nodes();
const Resource& pods();
const Resource& leases();
const Resource& replica_sets();
const Resource& controller_revisions();
const Resource& jobs();

}  // namespace cudafault::kube
