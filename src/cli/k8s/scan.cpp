// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/scan.hpp"

#include <fmt/format.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/findings.hpp"
#include "cli/output.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kScanExamples = R"(Examples:
  cudafault k8s scan -n prod            what is injected there, by whom, until when, and what was left behind
  cudafault k8s scan --all-namespaces --json

Reads only. Ends with 0 whatever it finds; `verify-clean` is what ends with 4.)";

struct ScanOptions {
    ClusterOptions cluster;
};

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string state_text(const kube::FoundInjection& injection) {
    if (injection.state == kube::InjectionState::kUnfinished) return paint(Paint::bad, "unfinished");
    if (injection.state == kube::InjectionState::kUnknown) return "unknown: its workload may not be listed";
    return injection.has_record ? "in force" : paint(Paint::bad, "in force, record lost");
}

std::string armed_text(const kube::FoundInjection& injection) {
    if (!injection.expired.empty()) return "nothing; expired: " + injection.expired;
    return injection.armed.empty() ? "nothing" : injection.armed;
}

std::string time_or_dash(const std::string& utc) { return utc.empty() ? "-" : local_time(utc); }

void print_injections(const std::vector<kube::FoundInjection>& injections) {
    if (injections.empty()) return;
    Table table({"workload", "run", "by", "since", "until", "state", "armed"});
    for (const kube::FoundInjection& injection : injections) {
        table.add({injection.workload.empty() ? "unknown, in namespace " + injection.in_namespace : injection.workload,
                   or_dash(injection.run_id), or_dash(injection.by), time_or_dash(injection.created_at),
                   time_or_dash(injection.until), state_text(injection), armed_text(injection)});
    }
    fmt::print("{}", table.text());
    for (const kube::FoundInjection& injection : injections) {
        if (!injection.record_trouble.empty()) fmt::print("{}\n", injection.record_trouble);
    }
    fmt::print("taken back by `cudafault k8s restore KIND/NAME`\n");
}

void print_leftovers(const std::vector<kube::Leftover>& leftovers) {
    std::vector<kube::Trace> traces;
    for (const kube::Leftover& leftover : leftovers) {
        traces.insert(traces.end(), leftover.traces.begin(), leftover.traces.end());
    }
    if (!traces.empty()) fmt::print("left behind, of no injection that is known:\n");
    print_traces(traces);
}

void print_report(const kube::ScanReport& report, const std::string& where) {
    print_injections(report.injections);
    print_leftovers(report.leftovers);
    for (const kube::Leftover& object : report.put_back) {
        fmt::print(
            "note: {} has fields that cudafault put back and owns since; `cudafault k8s restore` gives them back\n",
            object.object);
    }
    print_unseen(report.unseen);
    const char* limit = report.unseen.empty() ? "" : ", as far as it could be seen,";
    fmt::print("{}{} {} ({} of {} looked at)\n", report.found() ? "that is all of cudafault" : "nothing of cudafault",
               limit, "in " + where, plural(report.objects, "object"), plural(report.kinds, "kind"));
}

void scan(const ScanOptions& options) {
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        const std::string in_namespace = options.cluster.all_namespaces ? "" : cluster.in_namespace;
        const kube::ScanReport report = kube::scan(cluster.client, cluster.discovery, in_namespace);
        if (options.cluster.json) return print_json(report.json());
        print_report(report, namespace_text(in_namespace));
    });
}

}  // namespace

void add_k8s_scan(CLI::App& k8s) {
    const auto options = std::make_shared<ScanOptions>();
    CLI::App* verb = k8s.add_subcommand("scan", "Finds injections and what was left behind, also without a record");
    add_cluster_options(*verb, options->cluster);
    verb->add_flag("-A,--all-namespaces", options->cluster.all_namespaces, "In all namespaces, and on nodes");
    verb->footer(kScanExamples);
    verb->callback([options] { scan(*options); });
}

}  // namespace cudafault::cli
