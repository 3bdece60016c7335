// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/snapshot.hpp"

#include <fmt/format.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/findings.hpp"
#include "cli/k8s/findings_json.hpp"
#include "cli/output.hpp"
#include "local/system.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kSnapshotExamples = R"(Examples:
  cudafault k8s snapshot -n prod -o before.json                 before the drill
  cudafault k8s verify-clean -n prod --against before.json      after the drill
  cudafault k8s snapshot -n prod -o web.json deployment/web     only that workload

The command saves workloads, their ReplicaSets and ControllerRevisions, and the names of the cordoned nodes. It does not
read Secrets, but it saves pod templates with the values of their variables. Only the owner of the file can read the file.)";

struct SnapshotOptions {
    ClusterOptions cluster;
    std::string file;
};

nlohmann::json summary(const kube::Snapshot& snapshot, const std::string& file) {
    return {{"file", file},
            {"namespace", snapshot.in_namespace},
            {"taken_at", snapshot.taken_at},
            {"objects", snapshot.objects.size()},
            {"nodes", snapshot.nodes.size()},
            {"ours", snapshot.own_objects},
            {"unseen", skipped_json(snapshot.skipped)}};
}

// replace_file() makes the file readable only by its owner.
void save(const kube::Snapshot& snapshot, const std::string& file) {
    local::replace_file(file, snapshot.json().dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void print_summary(const kube::Snapshot& snapshot, const std::string& file) {
    print_skipped(snapshot.skipped);
    for (const std::string& name : snapshot.own_objects) fmt::print("already exists, created by cudafault: {}\n", name);
    fmt::print("saved {} and {} of {} in {}\n", plural(snapshot.objects.size(), "object"),
               plural(snapshot.nodes.size(), "node"), namespace_text(snapshot.in_namespace), file);
}

void snapshot(const SnapshotOptions& options) {
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const std::string in_namespace = options.cluster.use.all_namespaces ? "" : cluster.in_namespace;
        std::vector<kube::WorkloadChoice> only = chosen_workloads(options.cluster, cluster);
        for (kube::WorkloadChoice& choice : only) choice.accept_refused = true;
        const auto taken = kube::take_snapshot(cluster.client, cluster.discovery, in_namespace, only);
        save(taken, options.file);
        options.cluster.is_document() ? print_document(options.cluster, summary(taken, options.file))
                                      : print_summary(taken, options.file);
    });
}

}  // namespace

void add_k8s_snapshot(CLI::App& k8s) {
    const auto options = std::make_shared<SnapshotOptions>();
    CLI::App* verb = k8s.add_subcommand("snapshot", "Save the state of workloads for a later `verify-clean`");
    add_cluster_options(*verb, options->cluster);
    add_json_flag(*verb, options->cluster);
    verb->add_option("-o,--output", options->file, "File to write")->type_name("FILE")->required();
    add_workload_arguments(*verb, options->cluster.workloads,
                           "KIND/NAME or KIND NAME; by default all workloads of the namespace", false);
    verb->add_flag("-A,--all-namespaces", options->cluster.use.all_namespaces, "Save all namespaces");
    verb->footer(kSnapshotExamples);
    verb->callback([options] { snapshot(*options); });
}

}  // namespace cudafault::cli
