// SPDX-License-Identifier: Apache-2.0
// Writes the tables and the generated exports of the simulated GPUs.
#pragma once

#include <filesystem>
#include <ostream>

namespace cudafault::codegen {

// data/gpus.yaml as the definition of kGpuModels (simgpu/device.hpp).
void write_gpus(const std::filesystem::path& yaml, std::ostream& out);

// A stub for each driver function, which yields to a function written by hand, the table for cuGetProcAddress, and the
// error names of errors.tsv beside the table (simgpu/driver/table.hpp).
void write_sim_driver(const std::filesystem::path& driver_tsv, std::ostream& out);

// A stub for each NVML function, which yields to a function written by hand (simgpu/nvml/).
void write_sim_nvml(const std::filesystem::path& nvml_tsv, std::ostream& out);

}  // namespace cudafault::codegen
