// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/arm.hpp"
#include "kube/api/common/numbers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/duration.hpp"
#include "cli/k8s/armed_output.hpp"
#include "cli/k8s/cluster.hpp"
#include "cli/k8s/expiring_plan.hpp"
#include "cli/output.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kK8sArmExamples = R"(Examples:
  cudafault k8s arm deployment/web 'xid=79' -n prod                     every pod, including pods created later
  cudafault k8s arm deployment/web 'xid=79' --node gpu-node-7 -n prod   only its pods on that node
  cudafault k8s arm 'xid=94 gpu=0' -l role=decode -n prod               the injected pods that have this label now
  cudafault k8s arm deployment/web 'xid=79' --node gpu-node-7 --max-pods 25% -n prod
  cudafault k8s arm dgd/vllm-disagg 'xid=48 for=30s' --expires 10m -n prod

PLAN has the form KEY=VALUE ...; docs/plans.md lists all keys. The plan replaces a plan that you
armed earlier; --replace allows it to replace an active plan of another author. The library disarms itself after
--expires, even if cudafault and the API server are unreachable; a fault with its own until= ends at that time instead.
Pods that are restarted or created while the plan is armed also fail.)";

constexpr const char* kNoPlan = "missing plan: expected for example `cudafault k8s arm deployment/web 'xid=79'`";

struct K8sArmOptions {
    ClusterOptions cluster;
    std::string selector, node, max_pods, expires = "1h";
    bool replace = false, allow_empty = false;
};

std::chrono::system_clock::time_point expiry_time(const std::string& expires) {
    return std::chrono::system_clock::now() +
           std::chrono::ceil<std::chrono::seconds>(duration_option("--expires", expires));
}

kube::PodLimit limit_of(const std::string& max_pods) {
    kube::PodLimit limit;
    if (max_pods.empty()) return limit;
    const bool is_percentage = max_pods.ends_with('%');
    const auto number =
        kube::parse_integer<uint64_t>(std::string_view(max_pods).substr(0, max_pods.size() - is_percentage));
    if (!number || (is_percentage && *number > 100)) {
        throw local::Error(
            local::kUsage,
            fmt::format("invalid --max-pods \"{}\": expected a number of pods such as 2, or 25%", max_pods));
    }
    (is_percentage ? limit.percent : limit.pods) = *number;
    return limit;
}

kube::ArmChoice choice_of(const K8sArmOptions& options) {
    kube::ArmChoice choice;
    choice.selector = options.selector;
    choice.limit = limit_of(options.max_pods);
    choice.replace = options.replace;
    choice.allow_empty = options.allow_empty;
    choice.workloads = parse_workloads(options.cluster.workloads.words, "");
    if (choice.workloads.empty() && options.selector.empty() && options.node.empty()) {
        throw local::Error(local::kUsage, "missing target: expected a workload such as deployment/web, -l or --node");
    }
    return choice;
}

// The last word is the plan. A plan contains a "=", so `arm deployment/web` and `arm deployment web` have no plan.
std::string take_plan(std::vector<std::string>& words) {
    const bool is_workload = !words.empty() && words.back().find('=') == std::string::npos &&
                             (words.back().find('/') != std::string::npos || words.size() > 1);
    const bool follows_pair = words.size() == 2 && words.front().find('/') != std::string::npos;
    if (words.empty() || (is_workload && !follows_pair)) throw local::Error(local::kUsage, kNoPlan);
    std::string plan = words.back();
    words.pop_back();
    return plan;
}

void arm(K8sArmOptions options) {
    const std::string spec = take_plan(options.cluster.workloads.words);
    const auto end = expiry_time(options.expires);
    // Checks the plan before the first request, so that an invalid plan is refused without a cluster.
    const kube::Expiring expiring = expiring_plan(spec, end, options.node, {});
    kube::ArmChoice choice = choice_of(options);
    ClusterOptions& cluster = options.cluster;
    cluster.use.all_workloads = choice.workloads.empty();
    in_cluster(cluster, [&](ClusterAccess& access) {
        choice.in_namespace = access.in_namespace;
        for (kube::WorkloadChoice& workload : choice.workloads) workload.in_namespace = access.in_namespace;
        const auto spec_for = [&](const std::vector<std::string>& pods) {
            return expiring_plan(spec, end, options.node, pods).spec;
        };
        const std::vector<kube::Armed> armed =
            kube::arm(access.client, access.discovery, choice, spec_for, access.deadline, progress);
        if (cluster.is_document()) return print_results(cluster, armed_json(armed, expiring.until));
        fmt::print("armed until {}: {}\n", expiring.until, paint(Paint::bold, spec));
        print_armed(armed);
    });
}

}  // namespace

void add_k8s_arm(CLI::App& k8s) {
    const auto options = std::make_shared<K8sArmOptions>();
    CLI::App* verb = k8s.add_subcommand("arm", "Make GPU calls in injected pods fail");
    verb->add_option("words", options->cluster.workloads.words,
                     "KIND/NAME or KIND NAME, and the plan to arm; by default all workloads that -l or --node selects")
        ->option_text("[WORKLOAD...] PLAN");
    add_cluster_options(*verb, options->cluster);
    add_output_option(*verb, options->cluster);
    verb->add_option("-l,--selector", options->selector,
                     "Only injected pods that have these labels now; the plan lists their names")
        ->type_name("LABELS");
    verb->add_option("--node", options->node, "Only pods on this node (a glob); does not pin pods to it")
        ->type_name("NODE");
    verb->add_option("--max-pods", options->max_pods,
                     "Do not arm if more pods than this would fail now: a number, or a percentage of the injected pods")
        ->type_name("N|N%");
    verb->add_flag("--allow-empty", options->allow_empty,
                   "Arm a workload even if the plan targets no current pod, or the pod template has lost the library");
    verb->add_option("--expires", options->expires,
                     "Time after which the library disarms the faults that have no until=")
        ->type_name("DURATION")
        ->capture_default_str();
    verb->add_flag("--replace", options->replace, "Also replace an active plan of another author");
    verb->footer(kK8sArmExamples);
    verb->callback([options] { arm(*options); });
}

}  // namespace cudafault::cli
