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

// Throw Error: no such run, it has ended, or the plan is refused.
Armed arm(const std::string& name, const std::string& spec);

// False if nothing was armed. A run that has ended has nothing armed.
bool disarm(const std::string& name);

// Tells, in one sentence, what becomes of a GPU index that nobody could resolve.
std::string unresolved_note(const Resolved& resolved);

}  // namespace cudafault::local
