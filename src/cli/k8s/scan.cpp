// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/scan.hpp"

#include <fmt/format.h>

#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/findings.hpp"
#include "cli/k8s/findings_json.hpp"
#include "cli/output.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kScanExamples = R"(Examples:
  cudafault k8s scan -n prod            injections with author and end time, and leftovers
  cudafault k8s scan --all-namespaces --json

The command does not change the cluster. Its exit code is 0 even if it finds injections or leftovers; `verify-clean` then
exits with 4.)";

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string state_text(const kube::FoundInjection& injection) {
    if (injection.state == kube::InjectionState::kUnfinished) return paint(Paint::bad, "unfinished");
    if (injection.state == kube::InjectionState::kUnknown) return "unknown: no permission to list its workload";
    return injection.has_record ? "injected" : paint(Paint::bad, "injected, without a record");
}

std::string armed_text(const kube::FoundInjection& injection) {
    if (!injection.expired.empty()) return "nothing; expired: " + injection.expired;
    return injection.armed.empty() ? "nothing" : injection.armed;
}

void print_injections(const std::vector<kube::FoundInjection>& injections) {
    if (injections.empty()) return;
    Table table({"workload", "run", "by", "since", "until", "state", "armed"});
    for (const kube::FoundInjection& injection : injections) {
        table.add({injection.workload ? injection.workload->text() : "unknown, in namespace " + injection.in_namespace,
                   or_dash(injection.run_id), or_dash(injection.by), or_dash(injection.created_at),
                   or_dash(injection.until), state_text(injection), armed_text(injection)});
    }
    fmt::print("{}", table.text());
    for (const kube::FoundInjection& injection : injections) {
        if (!injection.record_problem.empty()) fmt::print("{}\n", injection.record_problem);
    }
    fmt::print("run `cudafault k8s restore KIND/NAME` to undo an injection\n");
}

void print_leftovers(const std::vector<kube::Leftover>& leftovers) {
    std::vector<kube::Trace> traces;
    for (const kube::Leftover& leftover : leftovers) {
        traces.insert(traces.end(), leftover.traces.begin(), leftover.traces.end());
    }
    if (!traces.empty()) fmt::print("leftovers without a known injection:\n");
    print_traces(traces);
}

void print_report(const kube::ScanReport& report, const std::string& where) {
    print_injections(report.injections);
    print_leftovers(report.leftovers);
    for (const kube::Leftover& object : report.manager_only) {
        fmt::print(
            "note: {} has restored fields that cudafault still owns in managedFields; `cudafault k8s restore` "
            "removes that entry\n",
            object.object);
    }
    print_skipped(report.skipped);
    const char* limit = report.skipped.empty() ? "" : ", except in skipped kinds";
    fmt::print("{} in {}{} (searched {} of {})\n",
               report.has_findings() ? "nothing else created by cudafault" : "nothing created by cudafault", where,
               limit, plural(report.objects, "object"), plural(report.kinds, "kind"));
}

void scan(const ClusterOptions& options) {
    in_cluster(options, [&](ClusterAccess& cluster) {
        const std::string in_namespace = options.use.all_namespaces ? "" : cluster.in_namespace;
        const kube::ScanReport report = kube::scan(cluster.client, cluster.discovery, in_namespace);
        if (options.is_document()) return print_document(options, scan_json(report));
        print_report(report, namespace_text(in_namespace));
    });
}

}  // namespace

void add_k8s_scan(CLI::App& k8s) {
    const auto options = std::make_shared<ClusterOptions>();
    CLI::App* verb = k8s.add_subcommand("scan", "Find injections and leftovers, even without a record");
    add_cluster_options(*verb, *options);
    add_output_option(*verb, *options);
    verb->add_flag("-A,--all-namespaces", options->use.all_namespaces, "Scan all namespaces and the nodes");
    verb->footer(kScanExamples);
    verb->callback([options] { scan(*options); });
}

}  // namespace cudafault::cli
