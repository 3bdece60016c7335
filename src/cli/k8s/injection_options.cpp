// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/injection_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "fault/xids.hpp"
#include "kube/names.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

std::string compiler_image(const std::string& given) {
    const char* variable = std::getenv("CUDA_FAULT_COMPILER_IMAGE");
    if (!given.empty()) return given;
    return variable && *variable ? variable : kube::kDefaultCompilerImage;
}

std::optional<kube::ContractVariables> contract(const InjectionCommand& command) {
    if (!command.contract_xid) return {};
    if (!find_xid(static_cast<uint32_t>(*command.contract_xid))) {
        throw local::Error(local::kUsage, fmt::format("{} is no XID that can be injected: `cudafault xids` lists those",
                                                      *command.contract_xid));
    }
    return kube::ContractVariables{*command.contract_xid, command.contract_enabled};
}

}  // namespace

void add_injection_options(CLI::App& verb, InjectionCommand& command) {
    verb.add_option("workload", command.cluster.workload,
                    "KIND/NAME; a NAME alone is a DynamoGraphDeployment, or else a Deployment")
        ->required();
    add_cluster_options(verb, command.cluster);
    verb.add_option(
            "--delivery", command.delivery,
            "binary: the library in a ConfigMap; source: compiled by an init container; image: it is in the image")
        ->check(CLI::IsMember({"binary", "source", "image"}))
        ->capture_default_str();
    verb.add_option("--container", command.containers, "Which containers, by glob; else those that ask for a GPU");
    verb.add_flag("--or-all-containers", command.or_all_containers, "All containers, if none asks for a GPU");
    verb.add_option("--template", command.template_paths,
                    "Where the pod template is, for a kind that is not known: spec.groups[*].template");
    verb.add_flag("--itself", command.itself, "That object, whatever owns it: its owner may undo the change");
    verb.add_option("--node", command.node, "Pins the pods to this node until `restore`");
    verb.add_option("--library", command.library, "Where the library is in the image, for --delivery image")
        ->default_str(kube::names::kCompiledLibrary);
    verb.add_option(
        "--compiler-image", command.compiler_image,
        "For --delivery source; else CUDA_FAULT_COMPILER_IMAGE, else " + std::string(kube::kDefaultCompilerImage));
    verb.add_option("--contract-xid", command.contract_xid,
                    "Sets CUDA_XID_TYPE and CUDA_FAULT_INJECTION_ENABLED too, for scripts that look for them");
    verb.add_option("--contract-enabled", command.contract_enabled, "The value of CUDA_FAULT_INJECTION_ENABLED")
        ->capture_default_str();
    verb.add_flag("--replace", command.replace, "Also changes an injection that is there");
    verb.add_flag("--delete-pods", command.delete_pods,
                  "Consent to delete pods, for kinds that do not replace them by themselves");
}

kube::InjectOptions inject_options(const InjectionCommand& command, const ClusterAccess& access) {
    kube::InjectOptions options;
    options.choice = parse_workload(command.cluster.workload, access.in_namespace);
    options.choice.template_paths = command.template_paths;
    options.choice.climb = !command.itself;
    options.delivery = kube::delivery_of(command.delivery).value();
    options.containers = command.containers;
    options.or_all_containers = command.or_all_containers;
    options.node = command.node;
    options.image_library = command.library.empty() ? kube::names::kCompiledLibrary : command.library;
    options.compiler_image = compiler_image(command.compiler_image);
    options.contract = contract(command);
    options.replace = command.replace;
    options.delete_pods = command.delete_pods;
    options.wait = command.wait;
    options.deadline = access.deadline;
    options.on_progress = progress;
    return options;
}

nlohmann::json workload_json(const kube::Workload& workload) {
    return {{"apiVersion", workload.target.resource.api_version()},
            {"kind", workload.target.resource.kind},
            {"namespace", workload.target.in_namespace},
            {"name", workload.target.name}};
}

bool is_complete(const kube::InjectResult& result) {
    return result.rollout.done &&
           (result.rollout.nothing_to_wait_for ||
            std::all_of(result.pods.begin(), result.pods.end(), [](const auto& pod) { return pod.library_seen; }));
}

std::string missing_text(const kube::InjectResult& result) {
    if (!result.rollout.troubles.empty()) return fmt::format("{}", fmt::join(result.rollout.troubles, "; "));
    std::vector<std::string> silent;
    for (const auto& pod : result.pods) {
        if (!pod.library_seen) silent.push_back(pod.name);
    }
    return fmt::format("the log of {} does not show it", fmt::join(silent, ", "));
}

}  // namespace cudafault::cli
