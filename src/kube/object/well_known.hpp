// SPDX-License-Identifier: Apache-2.0
// Names of labels and annotations that Kubernetes defines and cudafault reads.
#pragma once

namespace cudafault::kube::well_known {

inline constexpr const char* kHostname = "kubernetes.io/hostname";  // label of a node
// The annotation in which `kubectl apply` stores a copy of the manifest, including all environment variables.
inline constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
// On Deployments and their ReplicaSets.
inline constexpr const char* kDeploymentRevision = "deployment.kubernetes.io/revision";
inline constexpr const char* kDeploymentRevisionHistory = "deployment.kubernetes.io/revision-history";
inline constexpr const char* kDeploymentMaxReplicas = "deployment.kubernetes.io/max-replicas";
// On DaemonSets; the API server sets it.
inline constexpr const char* kDaemonSetGeneration = "deprecated.daemonset.template.generation";

}  // namespace cudafault::kube::well_known
