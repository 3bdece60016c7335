// SPDX-License-Identifier: Apache-2.0
// What is known about runs, alive, ended or lost.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::local {

// One entry per run: name, state, pid, started_at, command, armed (the spec, or null if nothing is armed or the run has
// ended).
nlohmann::json list_json();

// Throws Error.
nlohmann::json status_json(const std::string& name);

// name, state, events, total, kept, overwritten, lost. Throws Error.
nlohmann::json events_json(const std::string& name);

// Calls `show` with each event until the run ends, and returns the counts. Throws Error.
nlohmann::json follow_events(const std::string& name, const std::function<void(const nlohmann::json&)>& show);

}  // namespace cudafault::local
