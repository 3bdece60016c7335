// SPDX-License-Identifier: Apache-2.0
// Prints the results of `arm` and `disarm`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/plan/arm.hpp"

namespace cudafault::cli {

// Returns an array with one object for each workload. `until` is empty after disarming.
nlohmann::json armed_json(const std::vector<kube::Armed>& all, const std::string& until);
void print_armed(const std::vector<kube::Armed>& all);

}  // namespace cudafault::cli
