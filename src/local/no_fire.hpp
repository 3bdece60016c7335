// SPDX-License-Identifier: Apache-2.0
// Why a run ended without a fault: most often the plan did not reach the program, and its success means nothing.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cudafault::local {

// How many faults of the run's plans have fired. `report` is the record of an ended run.
uint64_t count_fired(const nlohmann::json& report);

// Whether the run ever had a plan.
bool was_armed(const nlohmann::json& report);

// The most likely reason why no fault of the last plan fired, as the end of a sentence.
std::string reason_for_no_fire(const nlohmann::json& report, bool library_was_loaded);

// Whether the program that `command` starts is statically linked, so that nothing can be preloaded into it.
bool is_static_program(const std::string& command);

}  // namespace cudafault::local
