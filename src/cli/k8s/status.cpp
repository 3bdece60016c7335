// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <set>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/findings.hpp"
#include "cli/k8s/injection_options.hpp"
#include "cli/output.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/plan/workload_status.hpp"
#include "kube/workload/survey.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kK8sStatusExamples = R"(Examples:
  cudafault k8s status -n prod                            one line for each injected workload
  cudafault k8s status -A
  cudafault k8s status deployment/web -n prod             the workload and its pods
  cudafault k8s status deployment/web -n prod --watch
  cudafault k8s status dgd/vllm-disagg -n prod -o json

FIRED is the number of calls that failed under the current plan, read from lines that the library writes to the pods'
logs: "unknown" if a log cannot be read, "at least" if part of a log was deleted or calls are still failing.)";

constexpr std::chrono::seconds kWatchInterval{2};
constexpr const char* kNoTimeout = "100000h";  // the timeout of --watch, unless --timeout is given

struct StatusOptions {
    ClusterOptions cluster;
    bool watch = false;
};

bool is_known(const kube::PodStatus& pod) {
    return !pod.evidence.empty() && std::all_of(pod.evidence.begin(), pod.evidence.end(),
                                                [](const auto& evidence) { return evidence.log_read; });
}

bool is_library_seen(const kube::PodStatus& pod) {
    return !pod.evidence.empty() && std::all_of(pod.evidence.begin(), pod.evidence.end(),
                                                [](const auto& evidence) { return evidence.is_library_seen(); });
}

std::optional<uint64_t> acknowledged(const kube::PodStatus& pod) {
    std::optional<uint64_t> least;
    for (const auto& evidence : pod.evidence) {
        const auto revision = evidence.acknowledged();
        if (revision && (!least || *revision < *least)) least = revision;
    }
    return least;
}

uint64_t fired(const kube::PodStatus& pod) {
    uint64_t sum = 0;
    for (const auto& evidence : pod.evidence) sum += evidence.fired();
    return sum;
}

std::set<int64_t> codes(const kube::PodStatus& pod) {
    std::set<int64_t> all;
    for (const auto& evidence : pod.evidence) {
        for (const auto& process : evidence.processes) all.insert(process.codes.begin(), process.codes.end());
    }
    return all;
}

bool is_lower_bound(const kube::PodStatus& pod) {
    return std::any_of(pod.evidence.begin(), pod.evidence.end(),
                       [](const auto& evidence) { return evidence.fired_is_lower_bound(); });
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
    for (const auto& evidence : pod.evidence) {
        json processes = json::array();
        for (const auto& process : evidence.processes) processes.push_back(process_json(process));
        containers.push_back({{"container", evidence.container},
                              {"log_read", evidence.log_read},
                              {"why_unknown", evidence.why_unknown},
                              {"processes", processes}});
    }
    return containers;
}

json terminated_json(const kube::PodStatus& pod) {
    if (!pod.terminated) return {};
    return {{"exit_code", pod.terminated->exit_code},
            {"signal", pod.terminated->signal},
            {"reason", pod.terminated->reason},
            {"message", pod.terminated->message},
            {"finished_at", pod.terminated->finished_at}};
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
            {"library_seen", known ? json(is_library_seen(pod)) : json()},
            {"acknowledged", revision ? json(*revision) : json()},
            {"fired",
             known && is_library_seen(pod) && (fired(pod) > 0 || !is_lower_bound(pod)) ? json(fired(pod)) : json()},
            {"fired_is_lower_bound", is_lower_bound(pod)},
            {"restarts", pod.restarts},
            {"codes", codes(pod)},
            {"terminated", terminated_json(pod)},
            {"trouble", pod.diagnosis},
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
    return is_library_seen(pod) ? "seen" : is_known(pod) ? "not seen" : "unknown";
}

bool is_exact(const kube::PodStatus& pod) { return is_known(pod) && is_library_seen(pod) && !is_lower_bound(pod); }

std::string count_text(uint64_t count, bool exact) {
    if (exact) return std::to_string(count);
    return count > 0 ? fmt::format("at least {}", count) : "unknown";
}

std::string fired_text(const kube::PodStatus& pod) {
    return pod.injected ? count_text(fired(pod), is_exact(pod)) : "-";
}

std::string injection_text(const kube::WorkloadStatus& status) {
    if (status.mark) {
        const std::string by = status.record && !status.record->is_rebuilt
                                   ? fmt::format("by {} at {}", status.record->by, status.record->created_at)
                                   : "without a record";
        return fmt::format("injected (run {}, {})", status.mark->run_id, by);
    }
    const auto injected =
        std::count_if(status.pods.begin(), status.pods.end(), [](const auto& pod) { return pod.injected; });
    if (injected == 0) return "not injected";
    return fmt::format("not injected, but {} of its pods still {} the library; run `cudafault k8s restore`", injected,
                       injected == 1 ? "has" : "have");
}

std::string plan_line(const kube::WorkloadStatus& status) {
    if (!status.plan) return status.mark ? "plan: missing, so nothing is armed\n" : "";
    const kube::PlanObject& plan = *status.plan;
    if (plan.spec.empty()) return fmt::format("plan: nothing is armed (revision {})\n", plan.revision);
    return fmt::format("plan: {}{} (revision {}, armed {} by {})\n", status.expired() ? "expired: " : "",
                       paint(Paint::bold, plan.spec), plan.revision, plan.changed_at, plan.changed_by);
}

std::string head_text(const kube::WorkloadStatus& status) {
    return fmt::format("{}: {}\n{}", paint(Paint::bold, status.workload.text()), injection_text(status),
                       plan_line(status));
}

std::string ready_text(const kube::PodStatus& pod) {
    if (pod.terminating) return "terminating";
    if (pod.is_finished()) return pod.phase == "Failed" ? "failed" : "completed";
    return pod.ready ? "yes" : "no";
}

// Returns how a container last terminated, such as "exit code 1 (Error)".
std::string ending_text(const kube::PodStatus& pod) {
    if (!pod.terminated) return "-";
    const std::string code = fmt::format("exit code {}", pod.terminated->exit_code);
    return pod.terminated->reason.empty() ? code : fmt::format("{} ({})", code, pod.terminated->reason);
}

std::string pods_text(const kube::WorkloadStatus& status, bool is_wide) {
    if (status.pods.empty()) return "no pods\n";
    std::vector<std::string> heading = {"pod", "node", "ready", "restarts", "library", "plan", "fired"};
    if (is_wide) heading.insert(heading.end(), {"codes", "last exit", "address"});
    heading.emplace_back("");
    Table table(heading);
    for (const auto& pod : status.pods) {
        std::vector<std::string> row = {pod.name,          pod.node.empty() ? "-" : pod.node,
                                        ready_text(pod),   std::to_string(pod.restarts),
                                        library_text(pod), plan_text(pod, status),
                                        fired_text(pod)};
        if (is_wide) {
            const std::set<int64_t> all = codes(pod);
            row.push_back(all.empty() ? "-" : fmt::format("{}", fmt::join(all, ",")));
            row.push_back(ending_text(pod));
            row.push_back(pod.address.empty() ? "-" : pod.address);
        }
        row.push_back(pod.diagnosis);
        table.add(row);
    }
    return table.text("  ");
}

// Counts the matching pods among those that have not finished.
std::string ratio(const kube::WorkloadStatus& status, const std::function<bool(const kube::PodStatus&)>& matches) {
    size_t matching = 0, all = 0;
    for (const kube::PodStatus& pod : status.pods) {
        if (pod.is_finished()) continue;
        ++all;
        matching += matches(pod);
    }
    return fmt::format("{}/{}", matching, all);
}

std::string armed_text(const kube::WorkloadStatus& status) {
    if (status.armed()) return status.armed()->spec;
    return status.expired() ? "expired: " + status.expired()->spec : "nothing";
}

std::vector<std::string> summary_row(const kube::WorkloadStatus& status) {
    uint64_t sum = 0;
    bool exact = true;
    for (const auto& pod : status.pods) {
        if (!pod.injected) continue;
        sum += fired(pod);
        exact = exact && is_exact(pod);
    }
    return {kube::text_at(status.workload.object, {"metadata", "namespace"}),
            status.workload.ref.kubectl_name(),
            ratio(status, [](const auto& pod) { return pod.ready; }),
            ratio(status, [](const auto& pod) { return pod.injected; }),
            count_text(sum, exact),
            status.armed() ? status.armed()->changed_by : "-",
            armed_text(status)};
}

std::string summary_text(const std::vector<kube::WorkloadStatus>& all, const std::string& where) {
    if (all.empty()) return fmt::format("nothing is injected in {}\n", where);
    Table table({"namespace", "workload", "ready", "injected", "fired", "armed by", "armed"});
    for (const kube::WorkloadStatus& status : all) table.add(summary_row(status));
    return table.text();
}

struct Report {
    json document;
    std::string text;
};

Report report_on(const StatusOptions& options, ClusterAccess& access) {
    const ClusterOptions& cluster = options.cluster;
    const bool is_wide = cluster.output == "wide";
    Report report;
    std::vector<kube::WorkloadStatus> all;
    if (cluster.workloads.empty()) {
        const std::string in_namespace = cluster.use.all_namespaces ? "" : access.in_namespace;
        all = kube::status_of_all(access.client, in_namespace);
        if (all.empty() && !in_namespace.empty()) kube::require_namespace(access.client, in_namespace);
        report.text = summary_text(all, namespace_text(in_namespace));
    } else {
        all = kube::status_of_each(access.client, chosen_workloads(cluster, access));
    }
    json list = json::array();
    for (const kube::WorkloadStatus& status : all) {
        list.push_back(status_json(status));
        if (!cluster.workloads.empty() || is_wide) report.text += head_text(status) + pods_text(status, is_wide);
    }
    report.document = cluster.workloads.is_single() ? list.front() : json{{"workloads", list}};
    return report;
}

void print_report(const ClusterOptions& options, const Report& report) {
    if (options.is_document()) {
        print_document(options, report.document);
    } else {
        fmt::print("{}", report.text);
    }
    flush_output();
}

// Prints the report each time it changes, until the command is interrupted or reaches --timeout.
void watch(const StatusOptions& options, ClusterAccess& access) {
    Report last;
    for (;;) {
        Report report = report_on(options, access);
        const bool has_changed = report.text != last.text || report.document != last.document;
        if (has_changed) {
            if (!options.cluster.is_document()) fmt::print("{}\n", paint(Paint::quiet, kube::utc_now()));
            print_report(options.cluster, report);
        }
        last = std::move(report);
        access.session.wait_until(kube::after(kWatchInterval));
    }
}

void show_status(const StatusOptions& options) {
    ClusterOptions cluster = options.cluster;
    cluster.use.all_workloads = cluster.workloads.empty();
    if (cluster.use.all_namespaces && !cluster.workloads.empty()) {
        throw local::Error(local::kUsage, "invalid use of -A: it cannot be combined with a workload");
    }
    in_cluster(cluster, [&](ClusterAccess& access) {
        if (!options.watch) return print_report(cluster, report_on(options, access));
        try {
            watch(options, access);
        } catch (const kube::Cancelled&) {
        } catch (const kube::DeadlinePassed&) {
        }
    });
}

}  // namespace

void add_k8s_status(CLI::App& k8s) {
    const auto options = std::make_shared<StatusOptions>();
    CLI::App* verb = k8s.add_subcommand("status", "Show what is injected and armed, and what fired in each pod");
    add_workload_arguments(*verb, options->cluster.workloads,
                           "KIND/NAME or KIND NAME; by default all injected workloads of the namespace", false);
    add_cluster_options(*verb, options->cluster);
    add_output_option(*verb, options->cluster);
    verb->add_flag("-A,--all-namespaces", options->cluster.use.all_namespaces, "All namespaces");
    verb->add_flag("-w,--watch", options->watch, "Print the status again each time it changes, until interrupted");
    verb->footer(kK8sStatusExamples);
    verb->callback([options, verb] {
        if (options->watch && verb->count("--timeout") == 0) options->cluster.timeout = kNoTimeout;
        show_status(*options);
    });
}

}  // namespace cudafault::cli
