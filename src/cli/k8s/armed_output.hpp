// SPDX-License-Identifier: Apache-2.0
// How the results of `arm` and `disarm` are shown.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/plan/arm.hpp"

namespace cudafault::cli {

// Of a workload chosen by its name an object, else {"workloads": [...]}, however many are found: a script knows before
// what it gets. `until` is empty for what was disarmed.
nlohmann::json armed_json(const kube::ArmChoice& choice, const std::vector<kube::Armed>& all, const std::string& until);
void print_armed(const std::vector<kube::Armed>& all);

}  // namespace cudafault::cli
