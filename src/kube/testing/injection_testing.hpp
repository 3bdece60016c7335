// SPDX-License-Identifier: Apache-2.0
// Declares functions that create workloads as the API server returns them, and injections to apply to these workloads.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/injection.hpp"
#include "kube/testing/workload_testing.hpp"

namespace cudafault::kube {

inline constexpr const char* kBinaryLibrary = "/cudafault/library/libcudafault.so";

// Returns the object "web" of the namespace "prod". Its kind must be in the table of kinds.
inline Workload workload_with(const std::string& group, const std::string& version, const std::string& kind,
                              const std::string& plural, const Json& spec) {
    Json object = named("web", spec);
    object["metadata"]["resourceVersion"] = "7";
    return workload_of({group, version, plural, "", kind, true, {}, {}, {}}, object);
}

inline Workload deployment_with(const Json& spec) {
    return workload_with("apps", "v1", "Deployment", "deployments", spec);
}

inline Workload plain_deployment() { return deployment_with({{"replicas", 2}, {"template", gpu_template()}}); }

// Returns a Deployment whose pod spec is that of gpu_template(), merged with `pod_spec`.
inline Workload deployment_of_pod(const Json& pod_spec) {
    Json pod_template = gpu_template();
    pod_template["spec"].merge_patch(pod_spec);
    return deployment_with({{"replicas", 2}, {"template", pod_template}});
}

inline Injection binary_injection() {
    Injection injection;
    injection.mark = {"ab12", 1, ""};
    injection.architectures = {Architecture::kX86_64};
    return injection;
}

inline Injection source_injection() {
    Injection injection = binary_injection();
    injection.delivery = Delivery::kSource;
    injection.architectures.clear();
    injection.compiler_image = "gcc:13.3.0";
    return injection;
}

inline std::optional<bool> always_exists(const std::string&, const std::string&, const std::string&) { return true; }

inline Json undo_all(const Json& object, const std::vector<Edit>& edits, const std::string& library) {
    const Json without_template_edits = undo(object, edits, Phase::kWithTemplate, library).object;
    return undo(without_template_edits, edits, Phase::kAfterRollout, library).object;
}

inline const Path kPodSpec = {"spec", "template", "spec"};
inline const Path kMainContainer = (kPodSpec / "containers").item("main");

}  // namespace cudafault::kube
