// SPDX-License-Identifier: Apache-2.0
#include "kube/record/own_objects.hpp"

#include "kube/api/resources.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"

namespace cudafault::kube {

Json own_config_map(const Workload& workload, const std::string& name, const std::string& role, const Json& content) {
    Json object = {
        {"apiVersion", "v1"},
        {"kind", "ConfigMap"},
        {"metadata",
         {{"name", name},
          {"namespace", workload.target.in_namespace},
          {"labels", {{names::kManagedBy, names::kManager}, {names::kRole, role}, {names::kWorkload, workload.hash()}}},
          {"ownerReferences",
           {{{"apiVersion", workload.target.resource.api_version()},
             {"kind", workload.target.resource.kind},
             {"name", workload.target.name},
             {"uid", workload.uid()}}}}}}};
    object.update(content);
    return object;
}

Json create_anew(Client& client, const Json& config_map) {
    try {
        return client.create(config_maps(), config_map);
    } catch (const ApiError& error) {
        if (!error.is_already_there()) throw;
    }
    remove_config_map(client, text_at(config_map, {"metadata", "namespace"}),
                      text_at(config_map, {"metadata", "name"}));
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

}  // namespace cudafault::kube
