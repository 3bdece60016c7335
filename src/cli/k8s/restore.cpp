// SPDX-License-Identifier: Apache-2.0
#include "kube/restore/restore.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/output.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

using nlohmann::json;

constexpr const char* kRestoreExamples = R"(Examples:
  cudafault k8s restore deployment/web -n prod
  cudafault k8s restore --all -n prod

Works from any machine, as often as you like, and in whatever state the injection was left. Edits that others made
meanwhile are kept and named. `cudafault k8s verify-clean` proves the result.)";

struct RestoreOptions {
    ClusterOptions cluster;
    bool all = false, delete_pods = false, exact = false;
};

json result_json(const kube::RestoreResult& result) {
    return {{"workload", result.workload}, {"restored", result.restored}, {"already_clean", !result.restored},
            {"complete", result.complete}, {"kept", result.kept},         {"notes", result.notes}};
}

void print_result(const kube::RestoreResult& result) {
    const char* what = !result.complete  ? "is only partly restored"
                       : result.restored ? "is restored"
                                         : "was clean already";
    fmt::print("{} {}\n", paint(Paint::bold, result.workload), what);
    for (const std::string& kept : result.kept) fmt::print("  kept: {}\n", kept);
    for (const std::string& note : result.notes) fmt::print("  note: {}\n", note);
}

std::vector<kube::RestoreResult> run(const RestoreOptions& options, ClusterAccess& access) {
    kube::RestoreOptions restore;
    restore.delete_pods = options.delete_pods;
    restore.exact = options.exact;
    restore.deadline = access.deadline;
    restore.on_progress = progress;
    if (options.all) return kube::restore_all(access.client, access.discovery, access.in_namespace, restore);
    return {kube::restore(access.client, access.discovery,
                          parse_workload(options.cluster.workload, access.in_namespace), restore)};
}

std::string what_is_left(const std::vector<kube::RestoreResult>& results) {
    std::vector<std::string> left;
    for (const auto& result : results) {
        if (result.complete) continue;
        const std::string why = fmt::format("{}", fmt::join(result.notes, "; "));
        left.push_back(fmt::format("{} is only partly restored{}{}", result.workload, why.empty() ? "" : ": ", why));
    }
    return fmt::format("{}; repeat the command when that is over", fmt::join(left, "; "));
}

void restore(const RestoreOptions& options) {
    if (options.all != options.cluster.workload.empty()) {
        throw local::Error(local::kUsage, "say what to restore: KIND/NAME, or --all of the namespace");
    }
    ClusterOptions cluster = options.cluster;
    if (options.all) cluster.verb += " --all";
    if (options.delete_pods) cluster.verb += " --delete-pods";
    if (options.exact) cluster.verb += " --exact";
    in_cluster(cluster, [&](ClusterAccess& access) {
        const std::vector<kube::RestoreResult> results = run(options, access);
        if (options.cluster.json) {
            json list = json::array();
            for (const auto& result : results) list.push_back(result_json(result));
            print_json(options.all ? json{{"workloads", list}} : list.front());
        } else {
            for (const auto& result : results) print_result(result);
            if (results.empty()) fmt::print("nothing is injected in namespace {}\n", access.in_namespace);
        }
        if (std::all_of(results.begin(), results.end(), [](const auto& result) { return result.complete; })) return;
        throw local::Error(local::kLeftBehind, what_is_left(results));
    });
}

}  // namespace

void add_k8s_restore(CLI::App& k8s) {
    const auto options = std::make_shared<RestoreOptions>();
    CLI::App* verb = k8s.add_subcommand("restore", "Takes an injection back");
    verb->add_option("workload", options->cluster.workload, "KIND/NAME");
    add_cluster_options(*verb, options->cluster);
    verb->add_flag("--all", options->all, "Everything of ours in the namespace");
    verb->add_flag("--delete-pods", options->delete_pods,
                   "Consent to delete pods, for kinds that do not replace them by themselves");
    verb->add_flag("--exact", options->exact,
                   "Also the numbers of revisions, as they were; writes to ReplicaSets and ControllerRevisions");
    verb->footer(kRestoreExamples);
    verb->callback([options] { restore(*options); });
}

}  // namespace cudafault::cli
