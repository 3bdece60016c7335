// SPDX-License-Identifier: Apache-2.0
// What the spec of a plan tells outside of the pods: which of them it is for, and until when.
#pragma once

#include <string>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Whether one of the plan's faults is for that pod; GPUs and ranks are known in the pod only.
bool is_meant(const std::string& spec, const Json& pod);

// When the last of its faults ends by itself, UTC; empty if one of them does not, or if it cannot be parsed.
std::string end_of_plan(const std::string& spec);

// Throws Error unless every fault of the spec has an until=, so that the library disarms itself even if neither
// cudafault nor the API server can be reached any more. An empty spec is fine: it disarms.
void require_end(const std::string& spec);

// Whether it makes calls fail now: not if it is empty, or if each of its faults has ended. One that cannot be parsed
// counts as armed, for the library in the pods may be of another version.
bool is_armed(const std::string& spec);

}  // namespace cudafault::kube
