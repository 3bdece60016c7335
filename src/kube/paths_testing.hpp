// SPDX-License-Identifier: Apache-2.0
// The collections of the namespace "prod", as requests name them.
#pragma once

#include <string>

namespace cudafault::kube {

inline const std::string kConfigMaps = "/api/v1/namespaces/prod/configmaps";
inline const std::string kDeployments = "/apis/apps/v1/namespaces/prod/deployments";
inline const std::string kLeases = "/apis/coordination.k8s.io/v1/namespaces/prod/leases";
inline const std::string kNodes = "/api/v1/nodes";
inline const std::string kPods = "/api/v1/namespaces/prod/pods";
inline const std::string kReplicaSets = "/apis/apps/v1/namespaces/prod/replicasets";

}  // namespace cudafault::kube
