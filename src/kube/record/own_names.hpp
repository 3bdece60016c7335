// SPDX-License-Identifier: Apache-2.0
// Which names in a pod template are ours: `scan` finds them, and a restore without a record takes them out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cudafault::kube {

bool is_own_variable(std::string_view name);
bool is_own_volume(std::string_view name);
bool is_own_library(std::string_view path);  // in any folder: an image may have it where it likes

// The libraries of an LD_PRELOAD, which colons and spaces separate.
std::vector<std::string> preloaded(std::string_view value);

}  // namespace cudafault::kube
