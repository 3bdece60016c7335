// SPDX-License-Identifier: Apache-2.0
// The GPUs that the programs of a run see.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace cudafault::local {

struct Gpu {
    int index;  // as nvidia-smi numbers them
    std::string uuid, pci, name;
};

struct Machine {
    bool simulated = false;
    bool known = false;      // false: nobody could be asked which GPUs there are
    std::string simulation;  // what CUDAFAULT_SIM_GPUS says
    std::vector<Gpu> gpus;
};

// What --gpus means: real, sim, sim:N, sim:MODEL:N or a list of those. Without it simulated GPUs where the environment
// has them already (a run inside a run), else real ones. Throws Error.
Machine find_machine(const std::optional<std::string>& option);

void to_json(nlohmann::json& out, const Machine& machine);
void from_json(const nlohmann::json& in, Machine& machine);

}  // namespace cudafault::local
