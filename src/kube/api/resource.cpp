// SPDX-License-Identifier: Apache-2.0
#include "kube/api/resource.hpp"

#include <fmt/format.h>

#include "kube/api/common/encoding.hpp"

namespace cudafault::kube {

namespace {

std::string namespace_of(const Resource& resource, const std::string& given) {
    return resource.namespaced ? given : "";
}

}  // namespace

std::string path_of(const Collection& collection) {
    const Resource& resource = collection.resource;
    std::string path = (resource.group.empty() ? "/api/" : "/apis/") + resource.api_version();
    const std::string in_namespace = namespace_of(resource, collection.in_namespace);
    if (!in_namespace.empty()) path += "/namespaces/" + percent_encode(in_namespace);
    return path + "/" + resource.plural;
}

std::string path_of(const Target& target, const std::string& subresource) {
    const Resource& resource = target.resource;
    if (target.name.empty() || (resource.namespaced && target.in_namespace.empty())) {
        throw Error(fmt::format("an object of {} needs a name{}", resource.qualified(),
                                resource.namespaced ? " and a namespace" : ""));
    }
    const std::string path = path_of(Collection{resource, target.in_namespace}) + "/" + percent_encode(target.name);
    return subresource.empty() ? path : path + "/" + subresource;
}

Subject subject_of(const std::string& verb, const Collection& collection) {
    return {verb, collection.resource.qualified(), namespace_of(collection.resource, collection.in_namespace), ""};
}

Subject subject_of(const std::string& verb, const Target& target, const std::string& subresource) {
    const std::string suffix = subresource.empty() ? "" : "/" + subresource;
    return {verb, target.resource.qualified() + suffix, namespace_of(target.resource, target.in_namespace),
            target.name};
}

}  // namespace cudafault::kube
