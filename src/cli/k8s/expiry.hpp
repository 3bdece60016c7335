// SPDX-License-Identifier: Apache-2.0
// The dead man's switch: what is armed in a cluster ends by itself, also if nobody is left to disarm it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace cudafault::cli {

struct Expiring {
    std::string spec;   // each fault without an until= has one
    std::string until;  // the latest of them, UTC
};

// Throws SpecRefused for a spec that cannot be parsed. `node` and `pods` narrow each fault down; a fault for several
// pods becomes one for each.
Expiring with_expiry(const std::string& spec, std::chrono::system_clock::time_point end, const std::string& node,
                     const std::vector<std::string>& pods);

}  // namespace cudafault::cli
