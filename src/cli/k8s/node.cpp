// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <optional>

#include "cli/k8s/cluster.hpp"
#include "cli/output.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kNodeExamples = R"(Examples:
  cudafault k8s node cordon node1
  cudafault k8s node drain node1 --nvsentinel       as NVSentinel would: its labels, then evictions
  cudafault k8s node drain node1 --delete-unhealthy --grace 10
  cudafault k8s node uncordon node1                 as it was before, without a trace)";

struct NodeOptions {
    ClusterOptions cluster;
    std::string node;
    bool nvsentinel = false;
    bool delete_unhealthy = false;
    bool force_bare = false;
    bool force = false;
    std::optional<int> grace;
};

CLI::App* add_verb(CLI::App& node, NodeOptions& options, const char* name, const char* about) {
    CLI::App* verb = node.add_subcommand(name, about);
    add_cluster_options(*verb, options.cluster);
    verb->add_option("node", options.node, "The node")->required();
    verb->footer(kNodeExamples);
    return verb;
}

void cordon(const NodeOptions& options) {
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const auto result = kube::cordon(cluster.client, options.node, options.nvsentinel);
        if (options.cluster.json) {
            return print_json(
                {{"node", options.node}, {"was_cordoned", result.was_cordoned}, {"changed", result.changed}});
        }
        fmt::print("node {} {}{}\n", options.node, result.changed ? "cordoned" : "was cordoned by cudafault already",
                   result.was_cordoned ? "; it was cordoned before, and will stay so after `uncordon`" : "");
    });
}

kube::DrainOptions drain_options(const NodeOptions& options) {
    if (options.grace && *options.grace < 0) {
        throw local::Error(local::kUsage,
                           fmt::format("--grace {} is no time: write it in seconds, like 0 or 30", *options.grace));
    }
    kube::DrainOptions drain;
    drain.nvsentinel = options.nvsentinel;
    drain.delete_unhealthy = options.delete_unhealthy;
    drain.force_bare = options.force_bare;
    drain.grace_period_seconds = options.grace;
    drain.on_progress = progress;
    return drain;
}

void drain(const NodeOptions& options) {
    ClusterOptions with_flags = options.cluster;
    if (options.delete_unhealthy) with_flags.verb += " --delete-unhealthy";
    const kube::DrainOptions drain = drain_options(options);
    in_cluster(with_flags, [&](ClusterAccess& cluster) {
        const auto result = kube::drain(cluster.client, options.node, drain);
        if (options.cluster.json) {
            return print_json({{"node", options.node},
                               {"evicted", result.evicted},
                               {"deleted", result.deleted},
                               {"skipped", result.skipped}});
        }
        Table table({"pod", "what"});
        for (const std::string& pod : result.evicted) table.add({pod, "evicted"});
        for (const std::string& pod : result.deleted) table.add({pod, "deleted, since a budget kept it"});
        for (const std::string& pod : result.skipped)
            table.add({pod, "left alone: of a DaemonSet, static or finished"});
        fmt::print("{}node {} is cordoned and drained\n", table.text(), options.node);
    });
}

const char* outcome_text(kube::Uncordoned outcome) {
    switch (outcome) {
        case kube::Uncordoned::kDone: return "uncordoned";
        case kube::Uncordoned::kStaysCordoned: return "stays cordoned, as it was before";
        case kube::Uncordoned::kNotOurs: return "left as it is: cudafault did not cordon it";
    }
    return "";
}

const char* outcome_word(kube::Uncordoned outcome) {
    switch (outcome) {
        case kube::Uncordoned::kDone: return "uncordoned";
        case kube::Uncordoned::kStaysCordoned: return "stays cordoned";
        case kube::Uncordoned::kNotOurs: return "not ours";
    }
    return "";
}

void uncordon(const NodeOptions& options) {
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const auto outcome = kube::uncordon(cluster.client, options.node, options.force);
        if (options.cluster.json) return print_json({{"node", options.node}, {"outcome", outcome_word(outcome)}});
        fmt::print("node {}: {}\n", options.node, outcome_text(outcome));
    });
}

void add_cordon(CLI::App& node) {
    const auto options = std::make_shared<NodeOptions>();
    CLI::App* verb = add_verb(node, *options, "cordon", "Keeps new pods away, and remembers how the node was");
    verb->add_flag("--nvsentinel", options->nvsentinel, "With the labels of NVSentinel's quarantine");
    verb->callback([options] { cordon(*options); });
}

void add_drain(CLI::App& node) {
    const auto options = std::make_shared<NodeOptions>();
    CLI::App* verb = add_verb(node, *options, "drain", "Cordons, and evicts the pods");
    verb->add_flag("--nvsentinel", options->nvsentinel, "With the labels of NVSentinel's quarantine and drain");
    verb->add_flag("--delete-unhealthy", options->delete_unhealthy,
                   "Deletes pods that are not ready where a PodDisruptionBudget refuses their eviction");
    verb->add_flag("--force-bare", options->force_bare, "Evicts pods without a controller too: nobody makes them anew");
    verb->add_option("--grace", options->grace, "Seconds a pod has to end; else its own");
    verb->callback([options] { drain(*options); });
}

void add_uncordon(CLI::App& node) {
    const auto options = std::make_shared<NodeOptions>();
    CLI::App* verb = add_verb(node, *options, "uncordon", "Puts the node back as it was");
    verb->add_flag("--force", options->force, "Whoever cordoned it, NVSentinel included");
    verb->callback([options] { uncordon(*options); });
}

}  // namespace

void add_k8s_node(CLI::App& k8s) {
    CLI::App* node = k8s.add_subcommand("node", "Takes a node out of service and gives it back");
    node->require_subcommand(1);
    node->footer(kNodeExamples);
    add_cordon(*node);
    add_drain(*node);
    add_uncordon(*node);
}

}  // namespace cudafault::cli
