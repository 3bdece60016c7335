// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/duration.hpp"
#include "cli/k8s/cluster.hpp"
#include "cli/output.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kNodeExamples = R"(Examples:
  cudafault k8s node cordon node1
  cudafault k8s node drain node1 --nvsentinel       as NVSentinel does: set its labels, then evict
  cudafault k8s node drain node1 --delete-unhealthy --grace 10s
  cudafault k8s node uncordon node1                 restore the state before `cordon`)";

struct NodeOptions {
    ClusterOptions cluster;
    std::string node;
    bool nvsentinel = false;
    bool force_bare = false;
    bool force = false;
    std::string grace;  // empty: each pod's own grace period
};

CLI::App* add_verb(CLI::App& node, NodeOptions& options, const char* name, const char* about) {
    CLI::App* verb = node.add_subcommand(name, about);
    add_cluster_options(*verb, options.cluster);
    add_output_option(*verb, options.cluster);
    verb->add_option("node", options.node, "Name of the node")->option_text("NODE")->required();
    verb->footer(kNodeExamples);
    return verb;
}

void cordon(const NodeOptions& options) {
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const auto result = kube::cordon(cluster.client, options.node, options.nvsentinel);
        if (options.cluster.is_document()) {
            return print_document(
                options.cluster,
                {{"node", options.node}, {"was_cordoned", result.was_cordoned}, {"changed", result.changed}});
        }
        fmt::print("node {} {}{}\n", options.node, result.changed ? "cordoned" : "is already cordoned by cudafault",
                   result.was_cordoned ? "; it was cordoned before and stays cordoned after `uncordon`" : "");
    });
}

kube::DrainOptions drain_options(const NodeOptions& options) {
    kube::DrainOptions drain;
    drain.nvsentinel = options.nvsentinel;
    drain.delete_unhealthy = options.cluster.use.delete_unhealthy;
    drain.force_bare = options.force_bare;
    if (!options.grace.empty()) drain.grace_period_seconds = seconds_option("--grace", options.grace).count();
    drain.on_progress = progress;
    return drain;
}

void drain(const NodeOptions& options) {
    const kube::DrainOptions drain = drain_options(options);
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const auto result = kube::drain(cluster.client, options.node, drain);
        if (options.cluster.is_document()) {
            return print_document(options.cluster, {{"node", options.node},
                                                    {"evicted", result.evicted},
                                                    {"deleted", result.deleted},
                                                    {"skipped", result.skipped}});
        }
        Table table({"pod", "result"});
        for (const std::string& pod : result.evicted) table.add({pod, "evicted"});
        for (const std::string& pod : result.deleted)
            table.add({pod, "deleted: a PodDisruptionBudget did not allow its eviction"});
        for (const std::string& pod : result.skipped) table.add({pod, "skipped: DaemonSet, static or finished pod"});
        fmt::print("{}node {} is cordoned and drained\n", table.text(), options.node);
    });
}

const char* uncordon_result_text(kube::Uncordoned outcome) {
    switch (outcome) {
        case kube::Uncordoned::kDone: return "uncordoned";
        case kube::Uncordoned::kStaysCordoned: return "stays cordoned, as before `cordon`";
        case kube::Uncordoned::kNotCordonedByCudafault: return "unchanged: not cordoned by cudafault";
    }
    return "";
}

const char* uncordon_result_word(kube::Uncordoned outcome) {
    switch (outcome) {
        case kube::Uncordoned::kDone: return "uncordoned";
        case kube::Uncordoned::kStaysCordoned: return "stays cordoned";
        case kube::Uncordoned::kNotCordonedByCudafault: return "not cordoned by cudafault";
    }
    return "";
}

void uncordon(const NodeOptions& options) {
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const auto outcome = kube::uncordon(cluster.client, options.node, options.force);
        if (options.cluster.is_document()) {
            return print_document(options.cluster,
                                  {{"node", options.node}, {"outcome", uncordon_result_word(outcome)}});
        }
        fmt::print("node {}: {}\n", options.node, uncordon_result_text(outcome));
    });
}

void add_cordon(CLI::App& node) {
    const auto options = std::make_shared<NodeOptions>();
    CLI::App* verb = add_verb(node, *options, "cordon", "Mark a node unschedulable and record its previous state");
    verb->add_flag("--nvsentinel", options->nvsentinel, "Also set the labels of NVSentinel's quarantine");
    verb->callback([options] { cordon(*options); });
}

void add_drain(CLI::App& node) {
    const auto options = std::make_shared<NodeOptions>();
    CLI::App* verb = add_verb(node, *options, "drain", "Cordon a node and evict its pods");
    verb->add_flag("--nvsentinel", options->nvsentinel, "Also set the labels of NVSentinel's quarantine and drain");
    verb->add_flag("--delete-unhealthy", options->cluster.use.delete_unhealthy,
                   "Delete pods that are not ready if a PodDisruptionBudget does not allow their eviction");
    verb->add_flag("--force-bare", options->force_bare,
                   "Also evict pods without a controller, which are not recreated");
    verb->add_option("--grace", options->grace, "Termination grace period; by default the grace period of each pod")
        ->type_name("DURATION");
    verb->callback([options] { drain(*options); });
}

void add_uncordon(CLI::App& node) {
    const auto options = std::make_shared<NodeOptions>();
    CLI::App* verb = add_verb(node, *options, "uncordon", "Restore the state of a node before `cordon`");
    verb->add_flag("--force", options->force, "Uncordon even if NVSentinel or another client cordoned the node");
    verb->callback([options] { uncordon(*options); });
}

}  // namespace

void add_k8s_node(CLI::App& k8s) {
    CLI::App* node = k8s.add_subcommand("node", "Cordon, drain and uncordon a node");
    node->require_subcommand(1);
    node->footer(kNodeExamples);
    add_cordon(*node);
    add_drain(*node);
    add_uncordon(*node);
}

}  // namespace cudafault::cli
