// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/resource.hpp"

#include <fmt/format.h>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

std::string namespace_of(const Resource& resource, const std::string& in_namespace) {
    return resource.namespaced ? in_namespace : "";
}

}  // namespace

Resource Resource::of_kind(const std::string& api_version, const std::string& kind) {
    const size_t slash = api_version.find('/');
    Resource resource;
    if (slash != std::string::npos) resource.group = api_version.substr(0, slash);
    resource.version = slash == std::string::npos ? api_version : api_version.substr(slash + 1);
    resource.kind = kind;
    return resource;
}

std::string Resource::kubectl_kind() const { return lower_case(qualified_kind()); }

std::string ObjectRef::kubectl_name() const { return resource.kubectl_kind() + "/" + name; }

std::string ObjectRef::text() const { return subject_of("get", *this).text(); }

ObjectRef ref_of(const Resource& resource, const Json& object) {
    const Json& metadata = value_at(object, "metadata");
    return {resource, text_at(metadata, "namespace"), text_at(metadata, "name"), text_at(metadata, "uid")};
}

std::string path_of(const Collection& collection) {
    const Resource& resource = collection.resource;
    std::string path = (resource.group.empty() ? "/api/" : "/apis/") + resource.api_version();
    const std::string in_namespace = namespace_of(resource, collection.in_namespace);
    if (!in_namespace.empty()) path += "/namespaces/" + percent_encode(in_namespace);
    return path + "/" + resource.plural;
}

std::string path_of(const ObjectRef& ref, const std::string& subresource) {
    const Resource& resource = ref.resource;
    if (ref.name.empty() || (resource.namespaced && ref.in_namespace.empty())) {
        throw Error(fmt::format("an object of {} requires a name{}", resource.qualified(),
                                resource.namespaced ? " and a namespace" : ""));
    }
    const std::string path = path_of(Collection{resource, ref.in_namespace}) + "/" + percent_encode(ref.name);
    return subresource.empty() ? path : path + "/" + subresource;
}

Subject subject_of(const std::string& verb, const Collection& collection) {
    return {verb, collection.resource.qualified(), namespace_of(collection.resource, collection.in_namespace), ""};
}

Subject subject_of(const std::string& verb, const ObjectRef& ref, const std::string& subresource) {
    const std::string suffix = subresource.empty() ? "" : "/" + subresource;
    const Resource& resource = ref.resource;
    const std::string word = resource.plural.empty() ? resource.qualified_kind() : resource.qualified();
    return {verb, word + suffix, namespace_of(resource, ref.in_namespace), ref.name, resource.kubectl_kind()};
}

const Resource& config_maps() {
    static const Resource resource{"", "v1", "configmaps", "configmap", "ConfigMap", true, {"cm"}, {}, {}};
    return resource;
}

const Resource& events() {
    static const Resource resource{"", "v1", "events", "event", "Event", true, {"ev"}, {}, {}};
    return resource;
}

const Resource& namespaces() {
    static const Resource resource{"", "v1", "namespaces", "namespace", "Namespace", false, {"ns"}, {}, {}};
    return resource;
}

const Resource& nodes() {
    static const Resource resource{"", "v1", "nodes", "node", "Node", false, {"no"}, {}, {}};
    return resource;
}

const Resource& pods() {
    static const Resource resource{"", "v1", "pods", "pod", "Pod", true, {"po"}, {}, {}};
    return resource;
}

const Resource& leases() {
    static const Resource resource{"coordination.k8s.io", "v1", "leases", "lease", "Lease", true, {}, {}, {}};
    return resource;
}

const Resource& replica_sets() {
    static const Resource resource{"apps", "v1", "replicasets", "replicaset", "ReplicaSet", true, {"rs"}, {}, {}};
    return resource;
}

const Resource& controller_revisions() {
    static const Resource resource{
        "apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision", true, {}, {}, {}};
    return resource;
}

const Resource& jobs() {
    static const Resource resource{"batch", "v1", "jobs", "job", "Job", true, {}, {}, {}};
    return resource;
}

}  // namespace cudafault::kube
