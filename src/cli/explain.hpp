// SPDX-License-Identifier: Apache-2.0
// Explains a fault in sentences, and converts a fault to JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fault/plan.hpp"

namespace cudafault::cli {

using Line = std::pair<std::string, std::string>;  // a question (what, calls, GPU, when, until or where) and its answer
std::vector<Line> explain(const Fault& fault);

// Returns the fields of a fault, as `cudafault check --json` prints them.
nlohmann::json fault_json(const Fault& fault);

}  // namespace cudafault::cli
