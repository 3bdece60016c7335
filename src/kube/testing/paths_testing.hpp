// SPDX-License-Identifier: Apache-2.0
// Defines the request paths of the collections in the namespace "prod" and of the nodes.
#pragma once

#include <string>

namespace cudafault::kube {

inline const std::string kConfigMapPath = "/api/v1/namespaces/prod/configmaps";
inline const std::string kDeploymentPath = "/apis/apps/v1/namespaces/prod/deployments";
inline const std::string kLeasePath = "/apis/coordination.k8s.io/v1/namespaces/prod/leases";
inline const std::string kNodePath = "/api/v1/nodes";
inline const std::string kPodPath = "/api/v1/namespaces/prod/pods";
inline const std::string kReplicaSetPath = "/apis/apps/v1/namespaces/prod/replicasets";

}  // namespace cudafault::kube
