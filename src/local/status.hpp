// SPDX-License-Identifier: Apache-2.0
// What is known of a run, whether it lives, has ended or was lost.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace cudafault::local {

// One entry per run: name, state, pid, started_at, command, armed (the spec, or null where nothing is or it is
// unknown).
nlohmann::json list_json();

// Throws Error.
nlohmann::json status_json(const std::string& name);

// name, state, events, total, kept, overwritten, lost. Throws Error.
nlohmann::json events_json(const std::string& name);

// Hands over each event as it comes, until the run ends; the counts at the end. Throws Error.
nlohmann::json follow_events(const std::string& name, const std::function<void(const nlohmann::json&)>& show);

}  // namespace cudafault::local
