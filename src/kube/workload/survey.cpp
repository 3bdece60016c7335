// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/survey.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/workload/kinds.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

namespace {

constexpr int kPageSize = 100;  // one page of pods takes about 1 MB, and about 10 MB while it is parsed

void add_once(std::vector<Resource>& kinds, const Resource& resource) {
    const auto is_same = [&](const Resource& kind) { return kind.qualified() == resource.qualified(); };
    if (std::none_of(kinds.begin(), kinds.end(), is_same)) kinds.push_back(resource);
}

// Other ConfigMaps may be large, and cudafault's are recognized without their content.
bool is_metadata_enough(const Resource& resource) {
    return resource.qualified() == config_maps().qualified() || resource.qualified() == leases().qualified();
}

void list_kind(Client& client, const Resource& resource, const std::string& in_namespace,
               const SurveyHandler& handler) {
    ListOptions options;
    options.page_size = kPageSize;
    options.metadata_only = is_metadata_enough(resource);
    client.list({resource, in_namespace}, options, [&](Page page) {
        if (page.is_first) handler.on_start(resource);
        for (Json& object : page.items) handler.on_object(resource, std::move(object));
    });
}

// Status 405 means that the resource does not support list.
bool is_not_listable(const ApiError& error) { return error.is_forbidden() || error.code == 405; }

std::vector<SkippedKind> list_kinds(Client& client, const std::vector<Resource>& kinds, const std::string& in_namespace,
                                    const SurveyHandler& handler) {
    std::vector<SkippedKind> skipped;
    for (const Resource& resource : kinds) {
        try {
            list_kind(client, resource, in_namespace, handler);
        } catch (const ApiError& error) {
            if (error.is_not_found()) continue;  // the CustomResourceDefinition was deleted during the survey
            // An account that may not list any kind must get an error, not an empty result.
            if (!is_not_listable(error) || skipped.size() + 1 == kinds.size()) throw;
            skipped.push_back({resource.qualified(), error.what()});
        }
    }
    return skipped;
}

}  // namespace

std::vector<Resource> surveyed_kinds(Discovery& discovery, const SurveyScope& scope) {
    std::vector<Resource> kinds = {config_maps(), leases()};
    for (const Resource& resource : served_kinds(discovery)) {
        if (resource.qualified() != pods().qualified()) add_once(kinds, resource);
    }
    add_once(kinds, replica_sets());
    add_once(kinds, controller_revisions());
    if (scope.with_pods) add_once(kinds, pods());
    if (scope.with_nodes) add_once(kinds, nodes());
    return kinds;
}

std::vector<SkippedKind> survey(Client& client, Discovery& discovery, const SurveyScope& scope,
                                const SurveyHandler& handler) {
    require_namespace(client, scope.in_namespace);
    return list_kinds(client, surveyed_kinds(discovery, scope), scope.in_namespace, handler);
}

void require_namespace(Client& client, const std::string& name) {
    if (name.empty()) return;
    try {
        client.get({namespaces(), "", name});
    } catch (const ApiError& error) {
        if (!error.is_forbidden()) throw;
    }
}

std::vector<SkippedKind> for_each_workload(Client& client, Discovery& discovery, const std::string& in_namespace,
                                           const std::function<void(const Resource&, const Json&)>& on_workload) {
    return list_kinds(
        client, served_kinds(discovery), in_namespace,
        {[](const Resource&) {}, [&](const Resource& kind, const Json& object) { on_workload(kind, object); }});
}

}  // namespace cudafault::kube
