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

The command works from any machine, any number of times, and after an interrupted inject or restore. It keeps and lists
changes that other clients made since the injection. `cudafault k8s verify-clean` verifies the result.)";

json result_json(const kube::RestoreResult& result) {
    return {{"workload", result.workload}, {"restored", result.restored}, {"already_clean", !result.restored},
            {"complete", result.complete}, {"kept", result.kept},         {"notes", result.notes}};
}

void print_result(const kube::RestoreResult& result) {
    const char* outcome = !result.complete ? "not completely restored" : result.restored ? "restored" : "already clean";
    fmt::print("{} {}\n", paint(Paint::bold, result.workload), outcome);
    for (const std::string& kept : result.kept) fmt::print("  kept: {}\n", kept);
    for (const std::string& note : result.notes) fmt::print("  note: {}\n", note);
}

std::vector<kube::RestoreResult> run(const ClusterOptions& options, ClusterAccess& access) {
    kube::RestoreOptions restore;
    restore.delete_pods = options.use.delete_pods;
    restore.exact = options.use.exact;
    restore.deadline = access.deadline;
    restore.on_progress = progress;
    if (options.use.all_workloads) {
        return kube::restore_all(access.client, access.discovery, access.in_namespace, restore);
    }
    const std::vector<kube::WorkloadChoice> choices = chosen_workloads(options, access);
    if (choices.size() == 1) return {kube::restore(access.client, access.discovery, choices.front(), restore)};
    return kube::restore_each(access.client, choices, restore);
}

std::string remaining_text(const std::vector<kube::RestoreResult>& results) {
    std::vector<std::string> incomplete;
    for (const auto& result : results) {
        if (result.complete) continue;
        const std::string why = fmt::format("{}", fmt::join(result.notes, "; "));
        incomplete.push_back(
            fmt::format("{} is not completely restored{}{}", result.workload, why.empty() ? "" : ": ", why));
    }
    return fmt::format("{}; resolve this and run the command again", fmt::join(incomplete, "; "));
}

const kube::ApiError* first_permission_error(const std::vector<kube::RestoreResult>& results) {
    for (const auto& result : results) {
        const kube::ApiError* denied = result.error ? permission_error(*result.error) : nullptr;
        if (denied) return denied;
    }
    return nullptr;
}

void restore(const ClusterOptions& options) {
    if (options.use.all_workloads && !options.workloads.empty())
        throw local::Error(local::kUsage, "invalid --all: it cannot be combined with a workload");
    if (!options.use.all_workloads && options.workloads.empty())
        throw local::Error(local::kUsage, "missing target: expected a workload such as deployment/web, or --all");
    in_cluster(options, [&](ClusterAccess& access) {
        const std::vector<kube::RestoreResult> results = run(options, access);
        if (options.is_document()) {
            json list = json::array();
            for (const auto& result : results) list.push_back(result_json(result));
            print_results(options, list);
        } else {
            for (const auto& result : results) print_result(result);
            if (results.empty()) fmt::print("nothing is injected in namespace {}\n", access.in_namespace);
        }
        if (std::all_of(results.begin(), results.end(), [](const auto& result) { return result.complete; })) return;
        const auto failed =
            std::find_if(results.begin(), results.end(), [](const auto& result) { return result.error; });
        throw local::Error(failed == results.end() ? local::kLeftBehind : local::kEnvironment,
                           remaining_text(results) + role_remedy(first_permission_error(results), options, access));
    });
}

}  // namespace

void add_k8s_restore(CLI::App& k8s) {
    const auto options = std::make_shared<ClusterOptions>();
    CLI::App* verb = k8s.add_subcommand("restore", "Disarm and undo an injection");
    add_workload_arguments(*verb, options->workloads, "KIND/NAME or KIND NAME", false);
    add_cluster_options(*verb, *options);
    add_output_option(*verb, *options);
    verb->add_flag("--all", options->use.all_workloads, "Restore all workloads of the namespace");
    verb->add_flag("--delete-pods", options->use.delete_pods,
                   "Allow deleting pods, for kinds that do not replace pods themselves");
    verb->add_flag("--exact", options->use.exact,
                   "Also restore revision numbers, which writes to ReplicaSets and ControllerRevisions");
    verb->footer(kRestoreExamples);
    verb->callback([options] { restore(*options); });
}

}  // namespace cudafault::cli
