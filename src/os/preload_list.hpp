// SPDX-License-Identifier: Apache-2.0
// Reads LD_PRELOAD as the dynamic loader does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cudafault {

inline constexpr std::string_view kPreloadSeparators = ": ";

// Returns the libraries of an LD_PRELOAD value.
std::vector<std::string> preloaded(std::string_view value);

}  // namespace cudafault
