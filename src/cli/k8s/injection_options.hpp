// SPDX-License-Identifier: Apache-2.0
// Defines options and results that are shared by `inject`, `plan` and `manifest`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/k8s/cluster.hpp"
#include "kube/inject/inject.hpp"

namespace cudafault::cli {

struct InjectionCommand {
    ClusterOptions cluster;
    std::string delivery = "binary";
    std::vector<std::string> containers, template_paths;
    std::string node, library, compiler_image;
    std::optional<int> contract_xid;  // unset: no contract variables
    bool contract_enabled = true;
    bool or_all_containers = false, allow_empty = false;
    bool itself = false, replace = false, no_wait = false, dry_run = false;  // `manifest` has only --itself
};

// Adds the workload arguments, the connection options and the options that determine the change.
void add_change_options(CLI::App& verb, InjectionCommand& command);
// Calls add_change_options(), and adds the options of a verb that makes the change or shows it.
void add_injection_options(CLI::App& verb, InjectionCommand& command);
// Returns the options for each workload that the command names.
std::vector<kube::InjectOptions> inject_options(const InjectionCommand& command, ClusterAccess& access);

nlohmann::json workload_json(const kube::Workload& workload);

// Prints the change that `inject` would make, for `plan` and `inject --dry-run`.
void show_plan(const InjectionCommand& command);

// Returns true if every pod is replaced and the log of every new pod shows the library.
bool is_complete(const kube::InjectResult& result);

// Returns the reason why is_complete() is false, as one line.
std::string missing_text(const kube::InjectResult& result);

}  // namespace cudafault::cli
