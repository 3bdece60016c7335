// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/findings.hpp"
#include "cli/k8s/findings_json.hpp"
#include "cli/output.hpp"
#include "kube/audit/snapshot.hpp"
#include "local/error.hpp"
#include "local/system.hpp"
#include "os/file.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kVerifyCleanExamples = R"(Examples:
  cudafault k8s verify-clean -n prod                            check that nothing created by cudafault remains
  cudafault k8s verify-clean -n prod --against before.json      also check that workloads equal the snapshot
  cudafault k8s verify-clean -n prod --against before.json --exact --json

Exit codes: 0 clean, 4 not clean, 3 if a kind could not be listed (nodes only with -A). The comparison ignores
generation, resourceVersion, status, times in managedFields and, without --exact, revision numbers.)";

struct VerifyCleanOptions {
    ClusterOptions cluster;
    std::string against;
    bool exact = false;
    bool allow_skipped = false;
};

kube::Snapshot read_snapshot(const std::string& file) {
    const auto text = read_whole_file(file);
    if (!text) {
        throw local::Error(local::kUsage,
                           fmt::format("cannot read the snapshot {}: {}; create one with `cudafault k8s snapshot "
                                       "-o {}`",
                                       file, local::error_text(), file));
    }
    const nlohmann::json document = nlohmann::json::parse(*text, nullptr, false);
    try {
        return kube::Snapshot::from_json(document.is_discarded() ? nlohmann::json() : document);
    } catch (const kube::Error& error) {
        throw local::Error(local::kUsage, fmt::format("{}: {}", file, error.what()));
    }
}

// Returns the namespace of the snapshot if a snapshot is given. An empty string means all namespaces.
std::string namespace_to_verify(const VerifyCleanOptions& options, const ClusterAccess& cluster,
                                const kube::Snapshot* against) {
    const std::string& requested = options.cluster.connection.default_namespace;
    if (!against) return options.cluster.use.all_namespaces ? "" : cluster.in_namespace;
    const bool is_same_scope = options.cluster.use.all_namespaces
                                   ? against->in_namespace.empty()
                                   : requested.empty() || requested == against->in_namespace;
    if (is_same_scope) return against->in_namespace;
    throw local::Error(local::kUsage,
                       fmt::format("the snapshot {} is of {}: verify the same namespace, or use another snapshot",
                                   options.against, namespace_text(against->in_namespace)));
}

void print_differences(const std::vector<kube::Difference>& differences) {
    if (differences.empty()) return;
    Table table({"object", "where", "before", "now"});
    for (size_t i = 0; i < std::min(differences.size(), kShownFindings); ++i) {
        const kube::Difference& difference = differences[i];
        table.add({difference.object, difference.path.empty() ? "the object" : difference.path,
                   difference.before.value_or("-"), difference.after.value_or("-")});
    }
    fmt::print("{}", table.text());
    print_omitted_count(differences.size());
}

void print_report(const kube::CleanReport& report, const std::string& where) {
    print_traces(report.traces);
    print_differences(report.differences);
    for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
    print_skipped(report.skipped);
    if (!report.is_clean() || !report.skipped.empty()) return;
    fmt::print("{}: {} (searched {} of {})\n", paint(Paint::good, "clean"), where, plural(report.objects, "object"),
               plural(report.kinds, "kind"));
}

// Jobs that were created during an injection keep its template, which is immutable. Returns the commands that delete
// them.
std::string job_deletions(const kube::CleanReport& report) {
    constexpr std::string_view kJob = "job.batch/", kIn = " in namespace ";
    std::map<std::string, std::set<std::string>> names;  // by namespace
    for (const kube::Trace& trace : report.traces) {
        const size_t separator = trace.object.find(kIn);
        if (!trace.object.starts_with(kJob) || separator == std::string::npos) continue;
        names[trace.object.substr(separator + kIn.size())].insert(
            trace.object.substr(kJob.size(), separator - kJob.size()));
    }
    std::vector<std::string> commands;
    for (const auto& [in_namespace, jobs] : names)
        commands.push_back(fmt::format("`kubectl delete job {} -n {}`", fmt::join(jobs, " "), in_namespace));
    return fmt::format("{}", fmt::join(commands, ", "));
}

std::string remedy_for(const kube::CleanReport& report, const VerifyCleanOptions& options) {
    const bool is_ambiguous =
        report.differences.empty() && std::all_of(report.traces.begin(), report.traces.end(),
                                                  [](const kube::Trace& trace) { return trace.is_ambiguous; });
    if (is_ambiguous) {
        return options.against.empty()
                   ? "these variables may belong to the workload; use --against with a snapshot from "
                     "before the injection"
                   : "these variables may belong to the workload: remove the variables that do not";
    }
    const std::string deletions = job_deletions(report);
    const std::string restore = "run `cudafault k8s restore` to remove them";
    if (deletions.empty()) return restore;
    return fmt::format("{}, and delete the Jobs, whose templates are immutable: {}", restore, deletions);
}

void refuse_unless_clean(const kube::CleanReport& report, const std::string& in_namespace,
                         const VerifyCleanOptions& options) {
    if (report.is_clean() && (report.skipped.empty() || options.allow_skipped)) return;
    const std::string where = namespace_text(in_namespace);
    flush_output();
    if (report.is_clean()) {
        throw local::Error(
            local::kEnvironment,
            fmt::format("{} is clean, but {} could not be listed: `cudafault k8s rbac verify-clean {}` prints the "
                        "Role to ask for, --allow-unseen accepts the result",
                        where, plural(report.skipped.size(), "kind"),
                        in_namespace.empty() ? "-A" : "-n " + in_namespace));
    }
    throw local::Error(
        local::kLeftBehind,
        fmt::format("{} is not clean: {} of cudafault and {}; {}", where, plural(report.traces.size(), "trace"),
                    plural(report.differences.size(), "difference"), remedy_for(report, options)));
}

void verify_clean(const VerifyCleanOptions& options) {
    std::optional<kube::Snapshot> against;
    if (!options.against.empty()) against = read_snapshot(options.against);
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        kube::CleanOptions clean;
        clean.against = against ? &*against : nullptr;
        clean.in_namespace = namespace_to_verify(options, cluster, clean.against);
        clean.exact = options.exact;
        const auto report = kube::verify_clean(cluster.client, cluster.discovery, clean);
        options.cluster.is_document() ? print_document(options.cluster, clean_json(report))
                                      : print_report(report, namespace_text(clean.in_namespace));
        refuse_unless_clean(report, clean.in_namespace, options);
    });
}

}  // namespace

void add_k8s_verify_clean(CLI::App& k8s) {
    const auto options = std::make_shared<VerifyCleanOptions>();
    CLI::App* verb = k8s.add_subcommand("verify-clean", "Verify that nothing created by cudafault remains");
    add_cluster_options(*verb, options->cluster);
    add_output_option(*verb, options->cluster);
    verb->add_option("--against", options->against, "Snapshot to compare with")->type_name("FILE");
    verb->add_flag("--exact", options->exact, "Also compare revision numbers");
    verb->add_flag("--allow-unseen", options->allow_skipped, "Do not fail if some kinds cannot be listed");
    verb->add_flag("-A,--all-namespaces", options->cluster.use.all_namespaces, "Verify all namespaces");
    verb->footer(kVerifyCleanExamples);
    verb->callback([options] { verify_clean(*options); });
}

}  // namespace cudafault::cli
