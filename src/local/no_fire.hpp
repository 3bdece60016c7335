// SPDX-License-Identifier: Apache-2.0
// Finds the reason why no fault fired in a run. In most such runs no call of the program matched the plan, so
// the run did not test how the program handles errors.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cudafault::local {

// Returns how many times faults of the run's plans have fired. `report` is the record of an ended run.
uint64_t count_fired(const nlohmann::json& report);

// Returns true if the run had a plan at some time.
bool has_been_armed(const nlohmann::json& report);

// Returns the most likely reason why no fault of the last plan fired, as the end of a sentence.
std::string reason_for_no_fire(const nlohmann::json& report, bool library_was_loaded);

// Returns true if the program that `command` starts is statically linked, so that no library can be preloaded into it.
bool is_static_program(const std::string& command);

}  // namespace cudafault::local
