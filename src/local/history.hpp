// SPDX-License-Identifier: Apache-2.0
// Keeps the replaced plans in the record of a run. "history" lists them, oldest first. "history_dropped" has the sums
// over the plans that were removed from that list.
#pragma once

#include <nlohmann/json.hpp>

#include "cudafault/control_block.hpp"

namespace cudafault::local {

inline constexpr size_t kLongestHistory = 50;

// Adds an empty history to the record.
void start_history(nlohmann::json& record);

// Throws json::exception if the record does not have the shape that the other functions require.
void require_history(const nlohmann::json& record);

// Updates the counts of the plan that was replaced last.
void update_history(const ControlBlock& block, nlohmann::json& record);

// Adds a plan in the form of plan_json. If the history is full, moves its oldest plan to the sums.
void add_to_history(nlohmann::json& record, nlohmann::json plan);

}  // namespace cudafault::local
