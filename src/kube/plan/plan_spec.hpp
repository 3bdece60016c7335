// SPDX-License-Identifier: Apache-2.0
// Reads from a plan's spec which pods it targets and when it ends.
#pragma once

#include <string>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns true if a fault of the spec targets the pod. GPUs and ranks are known only inside the pod and are ignored.
bool is_pod_targeted(const std::string& spec, const Json& pod);

// Returns the UTC time at which the last fault ends by itself. Returns an empty string if a fault has no end
// or the spec is invalid.
std::string end_of_plan(const std::string& spec);

// Throws Error unless every fault of the spec has an until=. The library can then disarm itself even if neither
// cudafault nor the API server is reachable. An empty spec is valid: it disarms.
void require_end(const std::string& spec);

// Returns false if the spec is empty or all of its faults have ended. An invalid spec is treated as armed, because the
// library in the pods may be a different version that can parse it.
bool is_armed(const std::string& spec);

}  // namespace cudafault::kube
