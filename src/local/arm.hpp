// SPDX-License-Identifier: Apache-2.0
// Changes the plan of a live run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "local/spec.hpp"

namespace cudafault::local {

struct Armed {
    std::string resolved;  // the spec with UUIDs for GPU indices
    uint64_t revision;
    std::vector<std::string> notes;  // see plan_notes
};

// Arms a plan in a live run. The plan replaces the previous plan of the run. Throws Error if the run does not exist or
// has ended, or if the plan is refused.
Armed arm(const std::string& name, const std::string& spec);

// Disarms a run. Returns false if no plan was armed, as in a run that has ended. Throws Error if the run does not
// exist.
bool disarm(const std::string& name);

}  // namespace cudafault::local
