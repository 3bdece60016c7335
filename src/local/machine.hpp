// SPDX-License-Identifier: Apache-2.0
// Describes the GPUs that are visible to the processes of a run.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace cudafault::local {

struct MigDevice {
    std::string uuid, name;
};

struct Gpu {
    int index;  // in nvidia-smi's numbering
    std::string uuid, pci, name;
    std::vector<MigDevice> mig_devices = {};  // empty for a real GPU, whose MIG devices are unknown
};

struct Machine {
    bool simulated = false;
    bool known = false;      // false: NVML is not available, so the GPUs are unknown
    std::string simulation;  // the value for CUDAFAULT_SIM_GPUS
    std::vector<Gpu> gpus;
};

// Returns the GPUs that --gpus selects: real, sim, sim:N, sim:MODEL:N, sim:MODEL:N/MIG-PROFILES or a list of these.
// Without --gpus, and for plain sim, returns the simulated GPUs of CUDAFAULT_SIM_GPUS if it is set. Throws Error if a
// value is invalid.
Machine find_machine(const std::optional<std::string>& option);

void to_json(nlohmann::json& out, const Machine& machine);
void from_json(const nlohmann::json& in, Machine& machine);

}  // namespace cudafault::local
