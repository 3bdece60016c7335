// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/injection_options.hpp"
#include "cli/output.hpp"
#include "cli/yaml.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kManifestExamples = R"(Examples:
  cudafault k8s manifest job/train -n prod --create-objects | kubectl replace --force -f -
  cudafault k8s manifest pod/trial -n prod > trial.yaml
  cudafault k8s manifest deployment/web -n prod --create-objects | kubectl apply -f -

Use this command for kinds that `inject` cannot change: `kubectl replace --force` deletes the object and creates it again.
The printed object needs ConfigMaps, which the command names on standard error. Without these ConfigMaps, the pods of the
object start without the library. Arm the object with `cudafault k8s arm`. Keep the original manifest: `restore` disarms an
immutable object, and deletes the ConfigMaps only after the object is deleted or created from its original manifest.)";

// Prints on standard error which objects the manifest on standard output needs.
void explain(const kube::InjectionPlan& plan, bool are_created) {
    const kube::ObjectRef& ref = plan.workload.ref;
    progress(fmt::format("{}: containers {} (delivery {})", ref.text(),
                         fmt::join(kube::container_names(plan.chosen), ", "), kube::text_of(plan.injection.delivery)));
    for (const std::string& note : plan.notes) progress("note: " + note);
    const std::string names = fmt::format("ConfigMaps {}", fmt::join(kube::config_maps_of(plan), " and "));
    const std::string where = fmt::format("{} in namespace {}", names, ref.in_namespace);
    if (are_created) {
        progress(fmt::format("created {}; `cudafault k8s restore` deletes them", where));
    } else {
        progress(fmt::format("the pods of the manifest need {}: --create-objects creates them", where));
    }
    if (!kube::is_immutable(ref.resource)) {
        progress(
            "note: objects of this kind can be changed in place; `cudafault k8s inject` changes them and keeps a "
            "record for `restore`");
    }
}

void print_manifests(const ClusterOptions& options, const json& objects) {
    if (options.output == "json") {
        const json list = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", objects}};
        return print_json(objects.size() == 1 ? objects.front() : list);
    }
    const char* separator = "";
    for (const json& object : objects) {
        fmt::print("{}{}", separator, yaml_text(object));
        separator = "---\n";
    }
}

void manifest(const InjectionCommand& command) {
    in_cluster(command.cluster, [&](ClusterAccess& access) {
        json objects = json::array();
        for (const kube::InjectOptions& options : inject_options(command, access)) {
            const kube::InjectionPlan plan = kube::plan_manifest(access.client, access.discovery, options);
            if (command.cluster.use.create_objects) kube::create_config_maps_of(access.client, plan);
            explain(plan, command.cluster.use.create_objects);
            objects.push_back(plan.injected.object);
        }
        print_manifests(command.cluster, objects);
    });
}

}  // namespace

void add_k8s_manifest(CLI::App& k8s) {
    const auto command = std::make_shared<InjectionCommand>();
    CLI::App* verb = k8s.add_subcommand("manifest", "Print the changed manifest of a workload, for kubectl");
    add_change_options(*verb, *command);
    verb->add_option("-o,--output", command->cluster.output, "Format of the manifest: yaml or json")
        ->check(CLI::IsMember({"yaml", "json"}))
        ->type_name("FORMAT")
        ->default_str("yaml");
    add_json_flag(*verb, command->cluster);
    verb->add_flag("--create-objects", command->cluster.use.create_objects,
                   "Create the ConfigMaps that the pods of the manifest need; changes nothing else");
    verb->footer(kManifestExamples);
    verb->callback([command] { manifest(*command); });
}

}  // namespace cudafault::cli
