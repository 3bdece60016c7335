// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/inject.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/injection_options.hpp"
#include "cli/output.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kInjectExamples = R"(Examples:
  cudafault k8s inject deployment/web -n prod
  cudafault k8s inject daemonset/workers -n prod --container 'train*' --delivery source
  cudafault k8s inject dgd/vllm-disagg -n prod --node gpu-node-7       pinned to that node until `restore`

No fault is armed: the pods are replaced with healthy pods that have the library. `cudafault k8s plan` shows the change
before it is made, `cudafault k8s arm` makes the pods fail, and `cudafault k8s restore` undoes all changes.)";

json pods_json(const kube::InjectResult& result) {
    json pods = json::array();
    for (const auto& pod : result.pods) {
        pods.push_back(
            {{"pod", pod.name}, {"node", pod.node}, {"ready", pod.ready}, {"library_seen", pod.library_seen}});
    }
    return pods;
}

json pending_json(const kube::InjectResult& result) {
    json pending = json::array();
    for (const auto& pod : result.pods) {
        if (!pod.diagnosis.empty()) pending.push_back({{"pod", pod.name}, {"why", pod.diagnosis}});
    }
    return pending;
}

// Returns the names of the pods of the old template, which their controller deletes only after new pods are Ready.
std::vector<std::string> kept_pods(const kube::InjectResult& result) {
    std::vector<std::string> names;
    for (const kube::Json& pod : result.rollout.state.old) names.push_back(kube::pod_name(pod));
    return names;
}

json result_json(const kube::InjectResult& result) {
    const kube::InjectionPlan& plan = result.plan;
    return {{"workload", workload_json(plan.workload)},
            {"run", plan.injection.mark.run_id},
            {"edition", plan.injection.mark.edition},
            {"delivery", kube::text_of(plan.injection.delivery)},
            {"containers", kube::container_names(plan.chosen)},
            {"unchanged", plan.unchanged},
            {"complete", is_complete(result)},
            {"pods", pods_json(result)},
            {"pending", pending_json(result)},
            {"old_pods", kept_pods(result)},
            {"troubles", result.rollout.problems},
            {"notes", plan.notes}};
}

void print_result(const kube::InjectResult& result) {
    const kube::InjectionPlan& plan = result.plan;
    if (plan.chosen.empty()) {
        fmt::print("{} is not changed\n", paint(Paint::bold, plan.workload.text()));
        for (const std::string& note : plan.notes) fmt::print("  note: {}\n", note);
        return;
    }
    fmt::print("{} {}: containers {} (delivery {}); nothing is armed\n", paint(Paint::bold, plan.workload.text()),
               plan.unchanged ? "is already injected" : "injected", fmt::join(kube::container_names(plan.chosen), ", "),
               kube::text_of(plan.injection.delivery));
    if (!result.pods.empty()) {
        Table table({"pod", "node", "ready", "library", ""});
        for (const auto& pod : result.pods) {
            table.add({pod.name, pod.node.empty() ? "-" : pod.node, pod.ready ? "yes" : "no",
                       pod.library_seen ? "seen" : "not seen", pod.diagnosis});
        }
        fmt::print("{}", table.text("  "));
    }
    for (const std::string& problem : result.rollout.problems) fmt::print("  {}\n", problem);
    const std::vector<std::string> kept = kept_pods(result);
    if (result.rollout.done && !kept.empty()) {
        fmt::print("  pods that run without the library until new pods are Ready: {}\n", fmt::join(kept, ", "));
    }
    for (const std::string& note : plan.notes) fmt::print("  note: {}\n", note);
}

// With --node, pods that do not fit on the node are expected and are not a failure.
bool has_only_expected_failures(const kube::InjectResult& result) {
    return !result.plan.injection.pin_label.empty() && result.rollout.done && !result.pods.empty() &&
           std::all_of(result.pods.begin(), result.pods.end(),
                       [](const auto& pod) { return pod.library_seen || (!pod.ready && pod.node.empty()); });
}

std::vector<kube::InjectAttempt> run(const InjectionCommand& command, ClusterAccess& access) {
    std::vector<kube::InjectOptions> all = inject_options(command, access);
    if (all.size() > 1) return kube::inject_each(access.client, std::move(all));
    return {{kube::inject(access.client, access.discovery, all.front()), nullptr}};
}

// Returns why pods of the workload lack the library, or an empty text.
std::string incompleteness(const InjectionCommand& command, const kube::InjectResult& result) {
    if (command.no_wait || is_complete(result) || has_only_expected_failures(result)) return "";
    return fmt::format(
        "{} is injected, but not all pods have the library yet: {}; run the command again to wait, or `cudafault k8s "
        "restore` to undo it",
        result.plan.workload.text(), missing_text(result));
}

void inject(const InjectionCommand& command) {
    if (command.dry_run) return show_plan(command);
    in_cluster(command.cluster, [&](ClusterAccess& access) {
        json list = json::array();
        std::vector<std::string> failures;
        const kube::ApiError* denied = nullptr;
        const std::vector<kube::InjectAttempt> attempts = run(command, access);
        for (const kube::InjectAttempt& attempt : attempts) {
            if (attempt.error) {
                failures.emplace_back(attempt.error->what());
                if (!denied) denied = permission_error(*attempt.error);
                continue;
            }
            list.push_back(result_json(*attempt.result));
            if (!command.cluster.is_document()) print_result(*attempt.result);
            const std::string why = incompleteness(command, *attempt.result);
            if (!why.empty()) failures.push_back(why);
        }
        if (command.cluster.is_document()) print_results(command.cluster, list);
        if (failures.empty()) return;
        throw local::Error(local::kEnvironment, fmt::format("{}{}", fmt::join(failures, "; "),
                                                            role_remedy(denied, command.cluster, access)));
    });
}

}  // namespace

void add_k8s_inject(CLI::App& k8s) {
    const auto command = std::make_shared<InjectionCommand>();
    CLI::App* verb = k8s.add_subcommand("inject", "Add the library to a workload's pods, without arming a fault");
    add_injection_options(*verb, *command);
    verb->add_flag("--no-wait", command->no_wait, "Return when the workload is changed, before its pods are replaced");
    verb->add_flag("--dry-run", command->dry_run, "Show what would change, as `cudafault k8s plan` does");
    verb->footer(kInjectExamples);
    verb->callback([command] { inject(*command); });
}

}  // namespace cudafault::cli
