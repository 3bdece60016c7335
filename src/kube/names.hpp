// SPDX-License-Identifier: Apache-2.0
// Defines every name that cudafault uses in a cluster. restore and scan touch nothing else.
#pragma once

#include <string>

namespace cudafault::kube::names {

inline constexpr const char* kManager = "cudafault";  // field manager, and value of app.kubernetes.io/managed-by

// Keys of annotations and labels
inline constexpr const char* kInjected = "cudafault.dev/injected";  // on a workload: see InjectedMark in record.hpp
inline constexpr const char* kNudge = "cudafault.dev/nudge";        // on a pod: makes the kubelet sync its volumes
inline constexpr const char* kManagedBy = "app.kubernetes.io/managed-by";
inline constexpr const char* kRole = "cudafault.dev/role";  // value: one of the roles below
inline constexpr const char* kAnchorRole = "anchor";
inline constexpr const char* kPlanRole = "plan";
inline constexpr const char* kLibraryRole = "library";
inline constexpr const char* kSourceRole = "source";
inline constexpr const char* kKernelLogRole = "kernel-log";
inline constexpr const char* kWorkload = "cudafault.dev/workload";     // value: the hash of a workload
inline constexpr const char* kCordon = "cudafault.dev/cordon";         // on a node: its previous state
inline constexpr const char* kChangedAt = "cudafault.dev/changed-at";  // on a plan
inline constexpr const char* kChangedBy = "cudafault.dev/changed-by";  // on a plan
inline constexpr const char* kPods = "cudafault.dev/pods";             // on a plan: the label selector of its pods
inline constexpr const char* kFor = "cudafault.dev/for";               // on a ConfigMap without an owner: its workload
inline constexpr const char* kKeyPrefix = "cudafault.dev/";            // prefix of cudafault's annotations and labels

// Labels of NVSentinel, which `node cordon` sets. The value of cordon-timestamp has no colons, because label values
// must not contain colons.
inline constexpr const char* kNvsentinelPrefixes[] = {"k8saas.nvidia.com/", "dgxc.nvidia.com/"};
inline constexpr const char* kCordonBy = "k8saas.nvidia.com/cordon-by";
inline constexpr const char* kCordonReason = "k8saas.nvidia.com/cordon-reason";
inline constexpr const char* kDrill = "cudafault-drill";  // value of kCordonReason
inline constexpr const char* kCordonTimestamp = "k8saas.nvidia.com/cordon-timestamp";
inline constexpr const char* kNvsentinelState = "dgxc.nvidia.com/nvsentinel-state";

// Objects. The hash of a workload follows each prefix.
inline constexpr const char* kAnchorPrefix = "cudafault-anchor-";    // ConfigMap with the record
inline constexpr const char* kRecordKey = "record.json";             // of that ConfigMap
inline constexpr const char* kPlanPrefix = "cudafault-plan-";        // ConfigMap with the plan
inline constexpr const char* kLibraryPrefix = "cudafault-library-";  // ConfigMap with the library: see library()
inline constexpr const char* kLeasePrefix = "cudafault-";            // Lease
inline constexpr const char* kArchitectures[] = {"amd64", "arm64"};  // values of the label kubernetes.io/arch
inline std::string library(const std::string& hash, const std::string& architecture) {
    return kLibraryPrefix + hash + "-" + architecture;
}
inline constexpr const char* kDryRunPrefix = "cudafault-dry-run-";        // Pod, used only in dry-run requests
inline constexpr const char* kKernelLogPrefix = "cudafault-kernel-log-";  // Pod; a random number follows
inline constexpr const char* kRbacPrefix = "cudafault-";                  // Role or ClusterRole; the command follows
inline constexpr const char* kSourceConfigMap = "cuda-fault-injection-lib";

// Names in pod templates. The names for delivery by source are those of the predecessor of cudafault.
inline constexpr const char* kPlanVolume = "cudafault-plan";
inline constexpr const char* kLibraryVolume = "cudafault-library";
inline constexpr const char* kSourceVolume = "cuda-fault-lib-source";
inline constexpr const char* kCompiledVolume = "cuda-fault-lib";
inline constexpr const char* kCompileContainer = "compile-cuda-fault-lib";
inline constexpr const char* kPlanMount = "/cudafault/plan";
inline constexpr const char* kLibraryMount = "/cudafault/library";
inline constexpr const char* kCompiledMount = "/cuda-fault";
inline constexpr const char* kPlanKey = "plan";
inline constexpr const char* kSourceKey = "fake_cuda_xid79.cpp";
inline constexpr const char* kCompiledLibrary = "/cuda-fault/fake_cuda_xid79.so";
inline constexpr const char* kLibraryFile = "libcudafault.so";

// Environment variables.
inline constexpr const char* kPreload = "LD_PRELOAD";
inline constexpr const char* kPreloadBefore = "CUDAFAULT_LD_PRELOAD";  // has the valueFrom of the original LD_PRELOAD
inline constexpr const char* kInjection = "CUDAFAULT_INJECTION";       // the run and the edition, as in InjectedMark
inline constexpr const char* kPlanFile = "CUDAFAULT_PLAN_FILE";
inline constexpr const char* kLog = "CUDAFAULT_LOG";
inline constexpr const char* kNode = "CUDAFAULT_NODE";
inline constexpr const char* kPod = "CUDAFAULT_POD";
inline constexpr const char* kPodUid = "CUDAFAULT_POD_UID";
inline constexpr const char* kVariablePrefix = "CUDAFAULT_";
inline constexpr const char* kContractEnabled = "CUDA_FAULT_INJECTION_ENABLED";
inline constexpr const char* kContractXid = "CUDA_XID_TYPE";

}  // namespace cudafault::kube::names
