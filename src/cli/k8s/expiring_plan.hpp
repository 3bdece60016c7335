// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kube/plan/expiry.hpp"

namespace cudafault::cli {

// Calls kube::with_expiry() for a plan in text form. Throws SpecRefused for a plan that cannot be parsed or can never
// fire, and Error with kUsage for a plan that cannot be narrowed to the node and the pods.
kube::Expiring expiring_plan(const std::string& spec, std::chrono::system_clock::time_point end,
                             const std::string& node, const std::vector<std::string>& pods);

}  // namespace cudafault::cli
