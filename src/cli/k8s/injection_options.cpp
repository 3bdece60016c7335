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

std::string compiler_image(const std::string& option) {
    const char* variable = std::getenv("CUDA_FAULT_COMPILER_IMAGE");
    if (!option.empty()) return option;
    return variable && *variable ? variable : kube::kDefaultCompilerImage;
}

std::optional<kube::ContractVariables> contract(const InjectionCommand& command) {
    if (!command.contract_xid) return {};
    if (!find_xid(static_cast<uint32_t>(*command.contract_xid))) {
        throw local::Error(local::kUsage,
                           fmt::format("unknown XID \"{}\": run `cudafault xids` for the list", *command.contract_xid));
    }
    return kube::ContractVariables{*command.contract_xid, command.contract_enabled};
}

kube::InjectOptions inject_options_for(const kube::WorkloadChoice& choice, const InjectionCommand& command,
                                       const ClusterAccess& access) {
    kube::InjectOptions options;
    options.choice = choice;
    options.choice.template_paths = command.template_paths;
    options.choice.use_top_level_controller = !command.itself;
    options.delivery = kube::delivery_of(command.delivery).value();
    options.containers = command.containers;
    options.or_all_containers = command.or_all_containers;
    options.allow_empty = command.allow_empty;
    options.node = command.node;
    options.image_library = command.library.empty() ? kube::names::kCompiledLibrary : command.library;
    options.compiler_image = compiler_image(command.compiler_image);
    options.contract = contract(command);
    options.replace = command.replace;
    options.delete_pods = command.cluster.use.delete_pods;
    options.wait = !command.no_wait;
    options.deadline = access.deadline;
    options.on_progress = progress;
    return options;
}

}  // namespace

void add_change_options(CLI::App& verb, InjectionCommand& command) {
    add_workload_arguments(
        verb, command.cluster.workloads,
        "KIND/NAME or KIND NAME...; NAME alone names a DynamoGraphDeployment or, if none has this name, a Deployment",
        true);
    add_cluster_options(verb, command.cluster);
    const auto add = [&](const char* name, auto& value, const char* value_name, const std::string& description) {
        return verb.add_option(name, value, description)->type_name(value_name)->allow_extra_args(false);
    };
    add("--delivery", command.delivery, "HOW",
        "How the library reaches the pods: binary (in a ConfigMap), source (compiled by an init container) or image "
        "(already in the image)")
        ->check(CLI::IsMember({"binary", "source", "image"}))
        ->type_name("HOW")
        ->capture_default_str();
    add("--container", command.containers, "GLOB",
        "Containers to inject; repeatable; by default the containers that request a GPU");
    verb.add_flag("--or-all-containers", command.or_all_containers, "Inject all containers if none requests a GPU");
    add("--template", command.template_paths, "PATH",
        "Path of the pod template, for unknown kinds, such as spec.groups[*].template; repeatable");
    verb.add_flag("--itself", command.itself,
                  "Change the named object even if another object owns it; the owner's controller may undo the change");
    add("--node", command.node, "NODE", "Pin the pods to this node until `restore`");
    add("--library", command.library, "PATH",
        fmt::format("Path of the library in the image, for --delivery image (default: {})",
                    kube::names::kCompiledLibrary));
    add("--compiler-image", command.compiler_image, "IMAGE",
        fmt::format("Image with g++, for --delivery source (default: $CUDA_FAULT_COMPILER_IMAGE, else {})",
                    kube::kDefaultCompilerImage));
    add("--contract-xid", command.contract_xid, "XID",
        "Also set CUDA_XID_TYPE and CUDA_FAULT_INJECTION_ENABLED, for scripts that read them");
    add("--contract-enabled", command.contract_enabled, "BOOL", "Value of CUDA_FAULT_INJECTION_ENABLED")
        ->default_str("true");
}

void add_injection_options(CLI::App& verb, InjectionCommand& command) {
    add_change_options(verb, command);
    add_output_option(verb, command.cluster);
    verb.add_flag("--allow-empty", command.allow_empty, "Succeed without a change if no container is selected");
    verb.add_flag("--replace", command.replace, "Replace an injection that has other options or another author");
    verb.add_flag("--delete-pods", command.cluster.use.delete_pods,
                  "Allow deleting pods, for kinds that do not replace pods themselves");
}

std::vector<kube::InjectOptions> inject_options(const InjectionCommand& command, ClusterAccess& access) {
    std::vector<kube::InjectOptions> all;
    for (const kube::WorkloadChoice& choice : chosen_workloads(command.cluster, access)) {
        all.push_back(inject_options_for(choice, command, access));
    }
    return all;
}

nlohmann::json workload_json(const kube::Workload& workload) {
    return {{"apiVersion", workload.ref.resource.api_version()},
            {"kind", workload.ref.resource.kind},
            {"namespace", workload.ref.in_namespace},
            {"name", workload.ref.name}};
}

bool is_complete(const kube::InjectResult& result) {
    if (result.plan.chosen.empty()) return true;
    return result.rollout.done &&
           (result.rollout.nothing_to_wait_for ||
            std::all_of(result.pods.begin(), result.pods.end(), [](const auto& pod) { return pod.library_seen; }));
}

std::string missing_text(const kube::InjectResult& result) {
    if (!result.rollout.problems.empty()) return fmt::format("{}", fmt::join(result.rollout.problems, "; "));
    std::vector<std::string> without_library;
    for (const auto& pod : result.pods) {
        if (!pod.library_seen) without_library.push_back(pod.name);
    }
    return fmt::format("the log of {} does not show the library", fmt::join(without_library, ", "));
}

}  // namespace cudafault::cli
