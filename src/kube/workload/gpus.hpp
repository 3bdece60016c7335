// SPDX-License-Identifier: Apache-2.0
// Which containers have a GPU, by what they ask for.
#pragma once

#include <string>
#include <vector>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// Where a pod takes a claim of dynamic resource allocation from.
struct ClaimSource {
    std::string kind;  // ResourceClaim or ResourceClaimTemplate
    std::string name;

    bool operator==(const ClaimSource&) const = default;
};

// Those that are known to be of other devices than GPUs.
using OtherClaims = std::vector<ClaimSource>;

// nvidia.com/gpu, shared, MIG, virtual ones; not the network devices of the same vendor.
bool is_gpu_resource(const std::string& name);

// Whether an amount is none: 0, "0", "0.0", or no amount at all.
bool is_zero(const Json& amount);

// Whether limits, requests or claims (a container's `resources`) have a GPU. A claim that is not known to be of another
// device counts: what cannot be looked at is rather taken for a GPU than passed over.
bool resources_have_gpu(const Json& resources, const Json& pod_spec, const OtherClaims& others = {});

bool has_gpu(const Json& container, const Json& pod_spec, const OtherClaims& others = {});

std::vector<ClaimSource> claim_sources(const Json& pod_spec);

// Whether a ResourceClaim or ResourceClaimTemplate, of whatever version, asks for a GPU.
bool claims_gpu(const Json& claim);

}  // namespace cudafault::kube
