// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/library_objects.hpp"

#include <fmt/format.h>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "kube/object/mentions.hpp"
#include "kube/record/own_objects.hpp"
#include "kube/workload/survey.hpp"

namespace cudafault::kube {

namespace {

// Returns the first workload of the namespace that mounts the source's ConfigMap, or an empty string.
std::string find_workload_with_source(Client& client, Discovery& discovery, const std::string& in_namespace) {
    std::string mounting_workload;
    // Kinds that cannot be listed do not block the deletion: a pod without the source still starts, without the
    // library.
    for_each_workload(client, discovery, in_namespace, [&](const Resource& kind, const Json& object) {
        const Json* spec = find(object, {"spec"});
        if (!mounting_workload.empty() || !spec || !has_mention(*spec, names::kSourceConfigMap)) return;
        mounting_workload = ref_of(kind, object).kubectl_name();
    });
    return mounting_workload;
}

Json library_config_map(const Workload& workload, Architecture architecture) {
    const std::string name = names::library(workload.hash(), kubernetes_name(architecture));
    const Json content = {{"immutable", true},
                          {"binaryData", {{names::kLibraryFile, base64_encode(library_for(architecture))}}}};
    return own_config_map(workload.ref, name, names::kLibraryRole, content);
}

Json source_config_map(const std::string& in_namespace) {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata",
             {{"name", names::kSourceConfigMap},
              {"namespace", in_namespace},
              {"labels", {{names::kManagedBy, names::kManager}, {names::kRole, names::kSourceRole}}}}},
            {"data", {{names::kSourceKey, std::string(one_file_source())}}}};
}

void require_created_by_cudafault(const Json& config_map) {
    if (text_at(config_map, {"metadata", "labels", names::kManagedBy}) == names::kManager) return;
    throw Error(
        fmt::format("ConfigMap {} in namespace {} was not created by cudafault, so cudafault does not change it: "
                    "delete or rename it",
                    names::kSourceConfigMap, text_at(config_map, {"metadata", "namespace"})));
}

}  // namespace

void create_libraries(Client& client, const Workload& workload, const std::vector<Architecture>& architectures) {
    for (const Architecture architecture : architectures) recreate(client, library_config_map(workload, architecture));
}

void create_missing_libraries(Client& client, const Workload& workload,
                              const std::vector<Architecture>& architectures) {
    for (const Architecture architecture : architectures) {
        const Json config_map = library_config_map(workload, architecture);
        if (!client.find(ref_of(config_maps(), config_map))) client.create(config_maps(), config_map);
    }
}

bool create_source(Client& client, const std::string& in_namespace) {
    const Json wanted = source_config_map(in_namespace);
    const ObjectRef ref{config_maps(), in_namespace, names::kSourceConfigMap};
    const std::optional<Json> existing = client.find(ref);
    if (!existing) {
        client.create(config_maps(), wanted);
        return true;
    }
    require_created_by_cudafault(*existing);
    if (existing->value("data", Json()) == wanted.at("data")) return false;
    JsonPatch patch;
    patch.only_if_unchanged(*existing).add("/data", wanted.at("data"));
    client.patch(ref, patch);
    return true;
}

bool has_source(Client& client, const std::string& in_namespace) {
    return client.find({config_maps(), in_namespace, names::kSourceConfigMap}).has_value();
}

bool remove_source(Client& client, Discovery& discovery, const std::string& in_namespace) {
    const std::optional<Json> existing = client.find({config_maps(), in_namespace, names::kSourceConfigMap});
    if (!existing) {
        require_namespace(client, in_namespace);
        return false;
    }
    require_created_by_cudafault(*existing);
    const std::string mounting_workload = find_workload_with_source(client, discovery, in_namespace);
    if (!mounting_workload.empty()) {
        throw Error(
            fmt::format("ConfigMap {} in namespace {} is still mounted by {}, whose pods would start without "
                        "the library: restore that workload first",
                        names::kSourceConfigMap, in_namespace, mounting_workload));
    }
    return remove_config_map(client, in_namespace, names::kSourceConfigMap);
}

}  // namespace cudafault::kube
