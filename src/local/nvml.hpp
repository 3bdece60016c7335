// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "local/machine.hpp"

namespace cudafault::local {

// The machine's GPUs as NVIDIA's management library lists them; nothing where there is none.
std::optional<std::vector<Gpu>> ask_nvml();

}  // namespace cudafault::local
