// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/k8s/armed_output.hpp"
#include "cli/k8s/cluster.hpp"
#include "cli/output.hpp"
#include "kube/plan/arm.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kK8sDisarmExamples = R"(Examples:
  cudafault k8s disarm deployment/web -n prod
  cudafault k8s disarm -n prod                                     everything that is injected in the namespace
  cudafault k8s disarm deployment/web -n prod --restart-crashed

Calls work again at once. A pod in CrashLoopBackOff waits that out, up to 300 s, unless it is deleted.)";

struct K8sDisarmOptions {
    ClusterOptions cluster;
    bool restart_crashed = false;
};

void disarm(const K8sDisarmOptions& options) {
    ClusterOptions cluster = options.cluster;
    if (options.cluster.workload.empty()) cluster.verb += " --all";
    if (options.restart_crashed) cluster.verb += " --restart-crashed";
    in_cluster(cluster, [&](ClusterAccess& access) {
        kube::ArmChoice choice;
        if (!options.cluster.workload.empty())
            choice.workload = parse_workload(options.cluster.workload, access.in_namespace);
        choice.workload.in_namespace = access.in_namespace;
        const auto disarmed =
            kube::disarm(access.client, access.discovery, choice, options.restart_crashed, access.deadline, progress);
        if (options.cluster.json) return print_json(armed_json(choice, disarmed, ""));
        fmt::print("disarmed\n");
        print_armed(disarmed);
    });
}

}  // namespace

void add_k8s_disarm(CLI::App& k8s) {
    const auto options = std::make_shared<K8sDisarmOptions>();
    CLI::App* verb = k8s.add_subcommand("disarm", "Makes the GPU calls of injected pods work again");
    verb->add_option("workload", options->cluster.workload, "KIND/NAME; else all of the namespace");
    add_cluster_options(*verb, options->cluster);
    verb->add_flag("--restart-crashed", options->restart_crashed,
                   "Deletes pods in CrashLoopBackOff, for new ones at once");
    verb->footer(kK8sDisarmExamples);
    verb->callback([options] { disarm(*options); });
}

}  // namespace cudafault::cli
