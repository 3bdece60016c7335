// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "local/machine.hpp"

namespace cudafault::local {

// Returns the GPUs that NVML lists. Returns nullopt if NVML is not available.
std::optional<std::vector<Gpu>> list_nvml_gpus();

}  // namespace cudafault::local
