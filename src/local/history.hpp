// SPDX-License-Identifier: Apache-2.0
// The plans that a run had before the one in force, in its record: "history", oldest first, and "history_dropped", the
// sums of those that are no longer kept.
#pragma once

#include <nlohmann/json.hpp>

#include "cudafault/control_block.hpp"

namespace cudafault::local {

inline constexpr size_t kLongestHistory = 50;

void start_history(nlohmann::json& record);

// Throws json::exception if the record has not the shape that the others rely on.
void require_history(const nlohmann::json& record);

// Reads again what the last replaced plan has counted.
void update_history(const ControlBlock& block, nlohmann::json& record);

// Adds a plan as plan_json described it.
void add_to_history(nlohmann::json& record, nlohmann::json plan);

}  // namespace cudafault::local
