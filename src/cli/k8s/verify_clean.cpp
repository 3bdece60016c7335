// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "cli/k8s/cluster.hpp"
#include "cli/k8s/findings.hpp"
#include "cli/output.hpp"
#include "kube/audit/snapshot.hpp"
#include "local/error.hpp"
#include "local/system.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kVerifyCleanExamples = R"(Examples:
  cudafault k8s verify-clean -n prod                            nothing of cudafault is there
  cudafault k8s verify-clean -n prod --against before.json      and all is as it was
  cudafault k8s verify-clean -n prod --against before.json --exact --json

Exit codes: 0 clean, 4 not, 3 if not all could be seen; nodes, for cordons, have to be seen with -A only. Not compared:
generation, resourceVersion, status, times in managedFields and, without --exact, the numbers of revisions.)";

struct VerifyCleanOptions {
    ClusterOptions cluster;
    std::string against;
    bool exact = false;
    bool allow_unseen = false;
};

kube::Snapshot read_snapshot(const std::string& file) {
    const auto text = local::read_file(file);
    if (!text) {
        throw local::Error(local::kUsage,
                           fmt::format("the snapshot {} cannot be read: {}; make one with `cudafault k8s "
                                       "snapshot -o {}`",
                                       file, local::error_text(), file));
    }
    const nlohmann::json document = nlohmann::json::parse(*text, nullptr, false);
    try {
        return kube::Snapshot::from_json(document.is_discarded() ? nlohmann::json() : document);
    } catch (const kube::Error& error) {
        throw local::Error(local::kUsage, fmt::format("{}: {}", file, error.what()));
    }
}

// A snapshot is of one namespace, or of all.
std::string namespace_to_verify(const VerifyCleanOptions& options, const ClusterAccess& cluster,
                                const kube::Snapshot* against) {
    const std::string& given = options.cluster.connection.default_namespace;
    if (!against) return options.cluster.all_namespaces ? "" : cluster.in_namespace;
    const bool fits = options.cluster.all_namespaces ? against->in_namespace.empty()
                                                     : given.empty() || given == against->in_namespace;
    if (fits) return against->in_namespace;
    throw local::Error(local::kUsage, fmt::format("the snapshot {} is of {}: verify that one, or take another",
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
    print_rest(differences.size());
}

void print_report(const kube::CleanReport& report, const std::string& where) {
    print_traces(report.traces);
    print_differences(report.differences);
    for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
    print_unseen(report.unseen);
    if (!report.is_clean() || !report.unseen.empty()) return;
    fmt::print("{}: {} ({} of {} looked at)\n", paint(Paint::good, "clean"), where, plural(report.objects, "object"),
               plural(report.kinds, "kind"));
}

void refuse_unless_clean(const kube::CleanReport& report, const std::string& in_namespace,
                         const VerifyCleanOptions& options) {
    if (report.is_clean() && (report.unseen.empty() || options.allow_unseen)) return;
    const std::string where = namespace_text(in_namespace);
    flush_output();
    if (report.is_clean()) {
        throw local::Error(
            local::kEnvironment,
            fmt::format("{} is clean as far as it could be seen, and {} could not be: `cudafault k8s rbac "
                        "verify-clean {}` prints the Role to ask for, --allow-unseen takes it for enough",
                        where, plural(report.unseen.size(), "kind"),
                        in_namespace.empty() ? "-A" : "-n " + in_namespace));
    }
    const bool may_be_users =
        report.differences.empty() && std::all_of(report.traces.begin(), report.traces.end(),
                                                  [](const kube::Trace& trace) { return trace.may_be_users; });
    const char* way_out = !may_be_users ? "take back what is left with `cudafault k8s restore`"
                          : !options.against.empty()
                              ? "variables like these may be somebody's own: remove them where they are not"
                              : "variables like these may be your own, which `--against` a snapshot of "
                                "before tells";
    throw local::Error(local::kLeftBehind, fmt::format("{} is not clean: {} of cudafault and {}; {}", where,
                                                       plural(report.traces.size(), "trace"),
                                                       plural(report.differences.size(), "difference"), way_out));
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
        options.cluster.json ? print_json(report.json()) : print_report(report, namespace_text(clean.in_namespace));
        refuse_unless_clean(report, clean.in_namespace, options);
    });
}

}  // namespace

void add_k8s_verify_clean(CLI::App& k8s) {
    const auto options = std::make_shared<VerifyCleanOptions>();
    CLI::App* verb = k8s.add_subcommand("verify-clean", "Proves that nothing was left behind");
    add_cluster_options(*verb, options->cluster);
    verb->add_option("--against", options->against, "A snapshot of before");
    verb->add_flag("--exact", options->exact, "The numbers of revisions count too");
    verb->add_flag("--allow-unseen", options->allow_unseen, "Kinds that may not be listed are no reason to fail");
    verb->add_flag("-A,--all-namespaces", options->cluster.all_namespaces, "In all namespaces");
    verb->footer(kVerifyCleanExamples);
    verb->callback([options] { verify_clean(*options); });
}

}  // namespace cudafault::cli
