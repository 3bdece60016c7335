// SPDX-License-Identifier: Apache-2.0
// Finds the resources that the API server serves, and caches them. A lookup that finds nothing in the cache requests
// the resources again, because a CustomResourceDefinition may have been added.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/resource.hpp"

namespace cudafault::kube {

class Session;

class Discovery {
public:
    explicit Discovery(Session& session) : session_(session) {}

    // Sends one request on the first call. Returns nullopt if the server does not serve the kind.
    std::optional<Resource> find(const std::string& api_version, const std::string& kind);

    // Resolves a word from the command line: a kind, plural, singular or short name in any case, optionally with .group
    // or .version.group. Returns the first match in the server's order of groups and versions. Sends two requests, or
    // one per version if the server does not support aggregated discovery. Throws Error if nothing matches; the message
    // names the groups that were unavailable.
    Resource resolve(const std::string& word);

    // Returns the versions of a group, preferred version first. The core group is "".
    std::vector<std::string> versions_of(const std::string& group);

private:
    struct GroupVersion {
        std::string group;
        std::string version;
        std::string api_version() const { return group.empty() ? version : group + "/" + version; }
    };

    const std::vector<GroupVersion>& group_versions();
    void load_groups(const std::string& root);
    void load_aggregated(const Json& list);
    const std::vector<Resource>* resources_of(const GroupVersion& at);
    std::optional<Resource> search(const std::string& word);
    void clear_cache();

    Session& session_;
    std::optional<std::vector<GroupVersion>> group_versions_;
    std::map<std::string, std::vector<Resource>> resources_;  // by apiVersion
    std::vector<std::string> unavailable_;                    // apiVersions that are advertised but unavailable
};

}  // namespace cudafault::kube
