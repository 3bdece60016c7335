// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/arm.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <memory>

#include "cli/k8s/armed_output.hpp"
#include "cli/k8s/cluster.hpp"
#include "cli/k8s/expiry.hpp"
#include "cli/output.hpp"
#include "fault/values.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kK8sArmExamples = R"(Examples:
  cudafault k8s arm deployment/web 'xid=79' -n prod                     every pod, also those that come later
  cudafault k8s arm deployment/web 'xid=79' --node gpu-node-7 -n prod   its pods on that node
  cudafault k8s arm 'xid=94 gpu=0' --selector role=decode -n prod       the injected pods that have this label now
  cudafault k8s arm deployment/web 'xid=79' --node gpu-node-7 --max-pods 25% -n prod
  cudafault k8s arm dgd/vllm-disagg 'xid=48 for=30s' --expires 10m -n prod

The plan replaces the one before, and ends by itself when --expires is over, whatever becomes of this tool; a fault with an
until= of its own ends then instead. A pod that is restarted or made anew while it is armed fails too. docs/plans.md has
all keys.)";

constexpr const char* kNoPlan =
    "the plan is missing, which says what is to fail: `cudafault k8s arm deployment/web 'xid=79'`";

struct K8sArmOptions {
    ClusterOptions cluster;
    std::vector<std::string> words;  // [KIND/NAME] SPEC
    std::string selector, node, max_pods, expires = "1h";
};

std::chrono::system_clock::time_point end_of(const std::string& expires) {
    uint64_t ns = 0;
    if (!parse_duration(local::text_of(expires), ns) || ns == 0) {
        throw local::Error(local::kUsage, fmt::format("--expires {} is no time: write it like 30m or 4h", expires));
    }
    return std::chrono::system_clock::now() +
           std::chrono::duration_cast<std::chrono::seconds>(std::chrono::nanoseconds(ns));
}

kube::PodLimit limit_of(const std::string& max_pods) {
    kube::PodLimit limit;
    if (max_pods.empty()) return limit;
    uint64_t number = 0;
    const auto [rest, error] = std::from_chars(max_pods.data(), max_pods.data() + max_pods.size(), number);
    const std::string_view unit(rest, max_pods.data() + max_pods.size() - rest);
    const bool is_percentage = unit == "%" && number <= 100;
    if (error != std::errc() || !(unit.empty() || is_percentage)) {
        throw local::Error(local::kUsage,
                           fmt::format("--max-pods {} is no number of pods: write it like 2 or 25%", max_pods));
    }
    (is_percentage ? limit.percent : limit.pods) = number;
    return limit;
}

kube::ArmChoice choice_of(const K8sArmOptions& options) {
    kube::ArmChoice choice;
    choice.selector = options.selector;
    choice.limit = limit_of(options.max_pods);
    if (options.words.size() == 2) {
        choice.workload = parse_workload(options.words.front(), "");
    } else if (options.selector.empty() && options.node.empty()) {
        throw local::Error(local::kUsage, "say what is to fail: KIND/NAME, --selector or --node");
    }
    return choice;
}

bool has_plan(const std::vector<std::string>& words) {
    if (words.size() != 1) return !words.empty();
    return words.front().find('=') != std::string::npos || words.front().find('/') == std::string::npos;
}

void arm(const K8sArmOptions& options) {
    if (!has_plan(options.words)) throw local::Error(local::kUsage, kNoPlan);
    const std::string spec = options.words.back();
    const auto end = end_of(options.expires);
    // Refused, if at all, before anything is asked.
    const Expiring expiring = with_expiry(spec, end, options.node, {});
    kube::ArmChoice choice = choice_of(options);
    ClusterOptions cluster = options.cluster;
    if (options.words.size() == 2) cluster.workload = options.words.front();
    if (choice.workload.name.empty()) cluster.verb += " --all";
    in_cluster(cluster, [&](ClusterAccess& access) {
        choice.workload.in_namespace = access.in_namespace;
        const auto spec_for = [&](const std::vector<std::string>& pods) {
            return with_expiry(spec, end, options.node, pods).spec;
        };
        const std::vector<kube::Armed> armed =
            kube::arm(access.client, access.discovery, choice, spec_for, access.deadline, progress);
        if (options.cluster.json) return print_json(armed_json(choice, armed, expiring.until));
        fmt::print("armed until {}: {}\n", local_time(expiring.until), paint(Paint::bold, spec));
        print_armed(armed);
    });
}

}  // namespace

void add_k8s_arm(CLI::App& k8s) {
    const auto options = std::make_shared<K8sArmOptions>();
    CLI::App* verb = k8s.add_subcommand("arm", "Makes the GPU calls of injected pods fail");
    verb->add_option("words", options->words, "[KIND/NAME] SPEC: the workload, and what fails")->expected(0, 2);
    add_cluster_options(*verb, options->cluster);
    verb->add_option("--selector", options->selector, "The injected pods that have these labels now, by name");
    verb->add_option("--node", options->node, "Pods on this node only, which may be a pattern; it pins nothing");
    verb->add_option("--max-pods", options->max_pods,
                     "Arms nothing if more pods than that would fail now: a number, or a percentage of the injected");
    verb->add_option("--expires", options->expires, "When it disarms itself, where the plan has no until=")
        ->capture_default_str();
    verb->footer(kK8sArmExamples);
    verb->callback([options] { arm(*options); });
}

}  // namespace cudafault::cli
