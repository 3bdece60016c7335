// SPDX-License-Identifier: Apache-2.0
#include "kube/record/own_objects.hpp"

#include <fmt/format.h>

#include <sstream>

#include "kube/api/client/resource.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"
#include "kube/object/owners.hpp"
#include "kube/object/workload_hash.hpp"

namespace cudafault::kube {

namespace {

// The value of names::kFor, such as "batch/v1 Job train".
std::string for_text(const ObjectRef& workload) {
    return fmt::format("{} {} {}", workload.resource.api_version(), workload.resource.kind, workload.name);
}

std::optional<ObjectRef> parse_for(const std::string& text, const std::string& in_namespace) {
    std::istringstream words(text);
    std::string api_version, kind, name;
    if (!(words >> api_version >> kind >> name)) return {};
    return ObjectRef{Resource::of_kind(api_version, kind), in_namespace, name};
}

}  // namespace

Json own_config_map(const ObjectRef& workload, const std::string& name, const std::string& role, const Json& content) {
    Json object = {{"apiVersion", "v1"},
                   {"kind", "ConfigMap"},
                   {"metadata",
                    {{"name", name},
                     {"namespace", workload.in_namespace},
                     {"labels",
                      {{names::kManagedBy, names::kManager},
                       {names::kRole, role},
                       {names::kWorkload, workload_hash(workload)}}}}}};
    if (workload.uid.empty()) {
        object["metadata"]["annotations"] = {{names::kFor, for_text(workload)}};
    } else {
        object["metadata"]["ownerReferences"] = {owner_reference(workload)};
    }
    object.update(content);
    return object;
}

std::optional<ObjectRef> workload_of_config_map(const Json& config_map) {
    if (const auto owner = first_owner_of(config_map)) return owner;
    return parse_for(text_at(config_map, {"metadata", "annotations", names::kFor}),
                     text_at(config_map, {"metadata", "namespace"}));
}

bool has_owner_for(const Json& config_map, const ObjectRef& workload) {
    return workload.uid.empty() ? !first_owner_of(config_map) : is_owned_by(config_map, workload.uid);
}

Json recreate(Client& client, const Json& config_map) {
    try {
        return client.create(config_maps(), config_map);
    } catch (const ApiError& error) {
        if (!error.is_already_exists()) throw;
    }
    const ObjectRef ref = ref_of(config_maps(), config_map);
    remove_config_map(client, ref.in_namespace, ref.name);
    return client.create(config_maps(), config_map);
}

bool remove_config_map(Client& client, const std::string& in_namespace, const std::string& name) {
    try {
        client.remove({config_maps(), in_namespace, name});
        return true;
    } catch (const ApiError& error) {
        if (!error.is_not_found()) throw;
        return false;
    }
}

bool remove_injection_objects(Client& client, const ObjectRef& workload) {
    const std::string hash = workload_hash(workload);
    bool removed = remove_config_map(client, workload.in_namespace, names::kPlanPrefix + hash);
    for (const char* architecture : names::kArchitectures) {
        removed |= remove_config_map(client, workload.in_namespace, names::library(hash, architecture));
    }
    return removed;
}

}  // namespace cudafault::kube
