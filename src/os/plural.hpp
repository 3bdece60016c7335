// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace cudafault {

// Returns a count with its noun: 1 call, 2 calls.
inline std::string plural(uint64_t count, const std::string& singular) {
    const char* const ending = count == 1 ? "" : singular.ends_with('s') ? "es" : "s";
    return std::to_string(count) + " " + singular + ending;
}

}  // namespace cudafault
