// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "kube/inject/library_objects.hpp"
#include "kube/names.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kLibraryExamples = R"(Examples:
  cudafault k8s library create -n prod
  cudafault k8s library delete -n prod

Only `inject --delivery source` needs this ConfigMap, which contains the library's source. An init container compiles it.)";

void create(const ClusterOptions& options) {
    in_cluster(options, [&](ClusterAccess& access) {
        const bool changed = kube::create_source(access.client, access.in_namespace);
        if (options.is_document()) {
            return print_document(options, {{"config_map", kube::names::kSourceConfigMap},
                                            {"namespace", access.in_namespace},
                                            {"changed", changed}});
        }
        fmt::print("ConfigMap {} in namespace {} {}\n", kube::names::kSourceConfigMap, access.in_namespace,
                   changed ? "created" : "is up to date");
    });
}

void remove(const ClusterOptions& options) {
    in_cluster(options, [&](ClusterAccess& access) {
        const bool changed = kube::remove_source(access.client, access.discovery, access.in_namespace);
        if (options.is_document()) {
            return print_document(options, {{"config_map", kube::names::kSourceConfigMap},
                                            {"namespace", access.in_namespace},
                                            {"changed", changed}});
        }
        fmt::print("ConfigMap {} in namespace {} {}\n", kube::names::kSourceConfigMap, access.in_namespace,
                   changed ? "deleted" : "does not exist");
    });
}

}  // namespace

void add_k8s_library(CLI::App& k8s) {
    CLI::App* verb = k8s.add_subcommand("library", "Manage the ConfigMap for --delivery source");
    verb->require_subcommand(1);
    verb->footer(kLibraryExamples);
    const auto add = [&](const char* name, const char* about, void (*action)(const ClusterOptions&)) {
        const auto options = std::make_shared<ClusterOptions>();
        CLI::App* sub = verb->add_subcommand(name, about);
        add_cluster_options(*sub, *options);
        add_output_option(*sub, *options);
        sub->callback([options, action] { action(*options); });
    };
    add("create", "Create or update the ConfigMap", create);
    add("delete", "Delete the ConfigMap, unless a workload still mounts it", remove);
}

}  // namespace cudafault::cli
