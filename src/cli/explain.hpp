// SPDX-License-Identifier: Apache-2.0
// Says what a fault means: in words for a person, in fields for a program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "fault/plan.hpp"

namespace cudafault::cli {

using Line = std::pair<std::string, std::string>;  // a question (what, calls, GPU, when, where) and its answer
std::vector<Line> explain(const Fault& fault);

nlohmann::json fault_json(const Fault& fault);

}  // namespace cudafault::cli
