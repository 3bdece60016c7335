// SPDX-License-Identifier: Apache-2.0
// Describes live, ended and lost runs as JSON.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::cli {

// Returns one entry per run: name, state, pid, started_at, command, armed (the spec, or null if no plan is armed or the
// run has ended). Throws Error if a run's file lacks a member.
nlohmann::json list_json();

// Returns a run's record, its plan, its processes and the counts of its events. Throws Error if the run does not exist
// or its file is damaged.
nlohmann::json status_json(const std::string& name);

// Returns name, state, events, total, kept, overwritten and lost. Throws Error like status_json.
nlohmann::json events_json(const std::string& name);

// Calls `show` with each event until the run ends, and returns the counts. Throws Error like status_json.
nlohmann::json follow_events(const std::string& name, const std::function<void(const nlohmann::json&)>& show);

}  // namespace cudafault::cli
