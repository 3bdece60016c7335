// SPDX-License-Identifier: Apache-2.0
// What `inject` and `plan` have in common.
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
    std::optional<int> contract_xid;  // nothing: no variables of the contract
    bool contract_enabled = true;
    bool or_all_containers = false, itself = false, replace = false, delete_pods = false, wait = true;
};

void add_injection_options(CLI::App& verb, InjectionCommand& command);
kube::InjectOptions inject_options(const InjectionCommand& command, const ClusterAccess& access);

nlohmann::json workload_json(const kube::Workload& workload);

// Every pod is replaced, and each shows the library.
bool is_complete(const kube::InjectResult& result);

// One line on what is missing for that.
std::string missing_text(const kube::InjectResult& result);

}  // namespace cudafault::cli
