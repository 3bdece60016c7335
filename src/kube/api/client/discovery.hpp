// SPDX-License-Identifier: Apache-2.0
// Which resources the API server serves. What it said once is remembered; what is not found is asked for again, since a
// CustomResourceDefinition may have come meanwhile.
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

    // One request, the first time. Nothing if the server does not serve it.
    std::optional<Resource> find(const std::string& api_version, const std::string& kind);

    // By what a user types: kind, plural, singular or short name in any case, optionally with .group or .version.group,
    // in the server's order of groups and versions. Two requests, or one per version where the server has no aggregated
    // discovery. Throws Error if there is none, and names the groups that could not be asked.
    Resource resolve(const std::string& word);

    // Preferred versions first. The core group is "".
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
    void forget();

    Session& session_;
    std::optional<std::vector<GroupVersion>> group_versions_;
    std::map<std::string, std::vector<Resource>> resources_;  // by apiVersion
    std::vector<std::string> unavailable_;                    // apiVersions that are announced and do not answer
};

}  // namespace cudafault::kube
