// SPDX-License-Identifier: Apache-2.0
// What the API server serves under one path, and where its objects lie.
#pragma once

#include <string>
#include <vector>

#include "kube/api/transport/api_error.hpp"

namespace cudafault::kube {

struct Resource {
    std::string group;  // empty for the core group
    std::string version;
    std::string plural;  // as in paths
    std::string singular;
    std::string kind;
    bool namespaced = true;
    std::vector<std::string> short_names;
    std::vector<std::string> verbs;
    std::vector<std::string> subresources;

    std::string api_version() const { return group.empty() ? version : group + "/" + version; }
    std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
};

// All objects of a resource, in one namespace or, if it is empty, in all.
struct Collection {
    Resource resource;
    std::string in_namespace;
};

struct Target {
    Resource resource;
    std::string in_namespace;  // ignored for what has none
    std::string name;
};

std::string path_of(const Collection& collection);

// Throws Error without a name, since that path would be another one's.
std::string path_of(const Target& target, const std::string& subresource = "");

Subject subject_of(const std::string& verb, const Collection& collection);
Subject subject_of(const std::string& verb, const Target& target, const std::string& subresource = "");

}  // namespace cudafault::kube
