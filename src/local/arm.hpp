// SPDX-License-Identifier: Apache-2.0
// Changes the plan of a live run.
#pragma once

#include <cstdint>
#include <string>

#include "local/spec.hpp"

namespace cudafault::local {

struct Armed {
    Resolved resolved;
    uint64_t revision;
};

// Throws Error if there is no such run, it has ended, or the plan is refused.
Armed arm(const std::string& name, const std::string& spec);

// Returns false if nothing was armed, as in a run that has ended. Throws Error if there is no such run.
bool disarm(const std::string& name);

// A sentence about a GPU index that could not be resolved.
std::string unresolved_note(const Resolved& resolved);

}  // namespace cudafault::local
