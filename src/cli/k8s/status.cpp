// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <set>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/injection_options.hpp"
#include "cli/output.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/plan/workload_status.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kK8sStatusExamples = R"(Examples:
  cudafault k8s status deployment/web -n prod
  cudafault k8s status dgd/vllm-disagg -n prod --json

FIRED counts failed calls under the current plan, from lines that the library writes to the pods' logs: "unknown" if a log
cannot be read, "at least" if a part of it is gone.)";

bool is_known(const kube::PodStatus& pod) {
    return !pod.evidence.empty() &&
           std::all_of(pod.evidence.begin(), pod.evidence.end(), [](const auto& one) { return one.log_read; });
}

bool library_seen(const kube::PodStatus& pod) {
    return !pod.evidence.empty() &&
           std::all_of(pod.evidence.begin(), pod.evidence.end(), [](const auto& one) { return one.library_seen(); });
}

std::optional<uint64_t> acknowledged(const kube::PodStatus& pod) {
    std::optional<uint64_t> least;
    for (const auto& one : pod.evidence) {
        const auto revision = one.acknowledged();
        if (revision && (!least || *revision < *least)) least = revision;
    }
    return least;
}

uint64_t fired(const kube::PodStatus& pod) {
    uint64_t sum = 0;
    for (const auto& one : pod.evidence) sum += one.fired();
    return sum;
}

std::set<int64_t> codes(const kube::PodStatus& pod) {
    std::set<int64_t> all;
    for (const auto& one : pod.evidence) {
        for (const auto& process : one.processes) all.insert(process.codes.begin(), process.codes.end());
    }
    return all;
}

bool is_lower_bound(const kube::PodStatus& pod) {
    return std::any_of(pod.evidence.begin(), pod.evidence.end(),
                       [](const auto& one) { return one.fired_is_lower_bound(); });
}

json process_json(const kube::ProcessEvidence& process) {
    return {{"boot_id", process.boot_id},
            {"pid", process.pid},
            {"start_time", process.start_time},
            {"acknowledged", process.acknowledged ? json(*process.acknowledged) : json()},
            {"fired", process.fired},
            {"fired_in_all", process.fired_in_all},
            {"last_function", process.last_function},
            {"first_fired_ns", process.first_fired_ns},
            {"last_sequence", process.last_sequence}};
}

json containers_json(const kube::PodStatus& pod) {
    json containers = json::array();
    for (const auto& one : pod.evidence) {
        json processes = json::array();
        for (const auto& process : one.processes) processes.push_back(process_json(process));
        containers.push_back({{"container", one.container},
                              {"log_read", one.log_read},
                              {"why_unknown", one.why_unknown},
                              {"processes", processes}});
    }
    return containers;
}

json pod_json(const kube::PodStatus& pod) {
    const auto revision = acknowledged(pod);
    const bool known = is_known(pod);
    return {{"pod", pod.name},
            {"uid", pod.uid},
            {"node", pod.node},
            {"address", pod.address},
            {"phase", pod.phase},
            {"ready", pod.ready},
            {"terminating", pod.terminating},
            {"injected", pod.injected},
            {"library_seen", known ? json(library_seen(pod)) : json()},
            {"acknowledged", revision ? json(*revision) : json()},
            {"fired", known && library_seen(pod) ? json(fired(pod)) : json()},
            {"fired_is_lower_bound", is_lower_bound(pod)},
            {"restarts", pod.restarts},
            {"codes", codes(pod)},
            {"terminated", pod.terminated},
            {"trouble", pod.trouble},
            {"containers", containers_json(pod)}};
}

json plan_json(const kube::PlanObject* plan) {
    if (!plan) return {};
    return {{"spec", plan->spec},
            {"revision", plan->revision},
            {"until", kube::end_of_plan(plan->spec)},
            {"since", plan->changed_at},
            {"by", plan->changed_by}};
}

json status_json(const kube::WorkloadStatus& status) {
    json document = {{"workload", workload_json(status.workload)}, {"injected", status.mark.has_value()}};
    document["run"] = status.mark ? json(status.mark->run_id) : json();
    document["by"] = status.record ? json(status.record->by) : json();
    document["since"] = status.record ? json(status.record->created_at) : json();
    document["armed"] = plan_json(status.armed());
    document["expired"] = plan_json(status.expired());
    document["pods"] = json::array();
    for (const auto& pod : status.pods) document["pods"].push_back(pod_json(pod));
    return document;
}

std::string plan_text(const kube::PodStatus& pod, const kube::WorkloadStatus& status) {
    if (!pod.injected) return "-";
    const auto revision = acknowledged(pod);
    if (!revision) return is_known(pod) ? "not acknowledged" : "unknown";
    return status.plan && *revision == status.plan->revision ? "acknowledged" : fmt::format("older ({})", *revision);
}

std::string library_text(const kube::PodStatus& pod) {
    if (!pod.injected) return "not injected";
    return library_seen(pod) ? "seen" : is_known(pod) ? "not seen" : "unknown";
}

std::string fired_text(const kube::PodStatus& pod) {
    if (!pod.injected) return "-";
    if (!is_known(pod) || !library_seen(pod))
        return fired(pod) > 0 ? fmt::format("at least {}", fired(pod)) : "unknown";
    return is_lower_bound(pod) ? fmt::format("at least {}", fired(pod)) : std::to_string(fired(pod));
}

void print_head(const kube::WorkloadStatus& status) {
    fmt::print("{}: ", paint(Paint::bold, status.workload.text()));
    if (!status.mark) return fmt::print("not injected\n");
    const std::string by = status.record && !status.record->is_rebuilt
                               ? fmt::format(", by {} at {}", status.record->by, status.record->created_at)
                               : ", record lost";
    fmt::print("injected (run {}{})\n", status.mark->run_id, by);
    if (!status.plan) return fmt::print("plan: missing, so nothing is armed\n");
    if (status.plan->spec.empty()) return fmt::print("plan: nothing is armed (revision {})\n", status.plan->revision);
    const std::string state = status.expired() ? "expired: " : "";
    fmt::print("plan: {}{} (revision {}, armed {} by {})\n", state, paint(Paint::bold, status.plan->spec),
               status.plan->revision, status.plan->changed_at, status.plan->changed_by);
}

void print_status(const kube::WorkloadStatus& status) {
    print_head(status);
    if (status.pods.empty()) return fmt::print("no pods\n");
    Table table({"pod", "node", "ready", "restarts", "library", "plan", "fired", ""});
    for (const auto& pod : status.pods) {
        table.add({pod.name, pod.node.empty() ? "-" : pod.node,
                   pod.terminating ? "terminating"
                   : pod.ready     ? "yes"
                                   : "no",
                   std::to_string(pod.restarts), library_text(pod), plan_text(pod, status), fired_text(pod),
                   pod.trouble});
    }
    fmt::print("{}", table.text("  "));
}

void show_status(const ClusterOptions& options) {
    in_cluster(options, [&](ClusterAccess& access) {
        kube::WorkloadChoice choice = parse_workload(options.workload, access.in_namespace);
        choice.accept_refused = true;
        const kube::WorkloadStatus status = kube::status_of(access.client, access.discovery, choice);
        options.json ? print_json(status_json(status)) : print_status(status);
    });
}

}  // namespace

void add_k8s_status(CLI::App& k8s) {
    const auto options = std::make_shared<ClusterOptions>();
    CLI::App* verb = k8s.add_subcommand("status", "Show what is injected and armed, and what fired in each pod");
    verb->add_option("workload", options->workload, "KIND/NAME")->option_text("WORKLOAD")->required();
    add_cluster_options(*verb, *options);
    verb->footer(kK8sStatusExamples);
    verb->callback([options] { show_status(*options); });
}

}  // namespace cudafault::cli
