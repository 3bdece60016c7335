// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/k8s/armed_output.hpp"
#include "cli/k8s/cluster.hpp"
#include "kube/plan/arm.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kK8sDisarmExamples = R"(Examples:
  cudafault k8s disarm deployment/web -n prod
  cudafault k8s disarm -n prod                                     all injected workloads of the namespace
  cudafault k8s disarm deployment/web -n prod --restart-crashed

GPU calls succeed again within about a second. A pod in CrashLoopBackOff stays there for up to 300 s unless it is
deleted.)";

void disarm(const ClusterOptions& options) {
    ClusterOptions cluster = options;
    if (cluster.use.all_workloads && !cluster.workloads.empty())
        throw local::Error(local::kUsage, "invalid use of --all: it cannot be combined with a workload");
    cluster.use.all_workloads = cluster.workloads.empty();
    in_cluster(cluster, [&](ClusterAccess& access) {
        kube::ArmChoice choice;
        choice.in_namespace = access.in_namespace;
        choice.workloads = chosen_workloads(cluster, access);
        const auto all = kube::disarm(access.client, access.discovery, choice, cluster.use.restart_crashed,
                                      access.deadline, progress);
        if (cluster.is_document()) return print_results(cluster, armed_json(all, ""));
        fmt::print("disarmed\n");
        print_armed(all);
    });
}

}  // namespace

void add_k8s_disarm(CLI::App& k8s) {
    const auto options = std::make_shared<ClusterOptions>();
    CLI::App* verb = k8s.add_subcommand("disarm", "Make GPU calls in injected pods succeed again");
    add_workload_arguments(*verb, options->workloads,
                           "KIND/NAME or KIND NAME; by default all injected workloads of the namespace", false);
    add_cluster_options(*verb, *options);
    add_output_option(*verb, *options);
    verb->add_flag("--all", options->use.all_workloads,
                   "All injected workloads of the namespace, as without a workload");
    verb->add_flag("--restart-crashed", options->use.restart_crashed,
                   "Delete pods in CrashLoopBackOff, so that they are replaced immediately");
    verb->footer(kK8sDisarmExamples);
    verb->callback([options] { disarm(*options); });
}

}  // namespace cudafault::cli
