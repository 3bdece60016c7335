// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/output.hpp"
#include "kube/cluster/permissions.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kRbacExamples = R"(Examples:
  cudafault k8s rbac inject -n prod | kubectl apply -f -
  cudafault k8s rbac restore -n prod --kind StatefulSet --exact
  cudafault k8s rbac all -n prod --kind Deployment --kind DynamoGraphDeployment
  cudafault k8s rbac node drain --json

The command does not contact a cluster.)";

struct RbacOptions {
    std::vector<std::string> command;
    kube::CommandUse use;
    bool json = false;
};

void rbac(const RbacOptions& options) {
    kube::CommandUse use = options.use;
    use.command = fmt::format("{}", fmt::join(options.command, " "));
    try {
        if (options.json) return print_json(kube::role_of(use));
        fmt::print("{}", kube::role_yaml(use));
    } catch (const kube::Error& error) {
        throw local::Error(local::kUsage, error.what());
    }
}

}  // namespace

void add_k8s_rbac(CLI::App& k8s) {
    const auto options = std::make_shared<RbacOptions>();
    CLI::App* verb = k8s.add_subcommand("rbac", "Print the smallest Role that a command needs");
    kube::CommandUse& use = options->use;
    use.in_namespace = "default";
    verb->add_option("command", options->command, fmt::format("One of: {}", fmt::join(kube::commands(), ", ")))
        ->option_text("COMMAND")
        ->required()
        ->expected(1, 2);
    verb->add_option("-n,--namespace", use.in_namespace, "Namespace of the Role")
        ->type_name("NAMESPACE")
        ->capture_default_str();
    verb->add_flag("-A,--all-namespaces", use.all_namespaces,
                   "Print a ClusterRole; for scan, snapshot and verify-clean it includes nodes");
    verb->add_option("--kind", use.kinds, "Kind of the workloads; repeatable (default: Deployment)")
        ->type_name("KIND")
        ->allow_extra_args(false);
    verb->add_flag("--all", use.all_workloads,
                   "For `restore --all`, and `arm`, `disarm` and `status` without a workload");
    verb->add_flag("--by-labels", use.by_labels, "For commands with -l");
    verb->add_flag("--delete-pods", use.delete_pods, "For `inject --delete-pods` and `restore --delete-pods`");
    verb->add_flag("--create-objects", use.create_objects, "For `manifest --create-objects`");
    verb->add_flag("--exact", use.exact, "For `restore --exact`");
    verb->add_flag("--restart-crashed", use.restart_crashed, "For `disarm --restart-crashed`");
    verb->add_flag("--delete-unhealthy", use.delete_unhealthy, "For `node drain --delete-unhealthy`");
    verb->add_flag("--json", options->json, "Print the Role as JSON");
    verb->footer(kRbacExamples);
    verb->callback([options] { rbac(*options); });
}

}  // namespace cudafault::cli
