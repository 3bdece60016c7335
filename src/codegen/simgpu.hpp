// SPDX-License-Identifier: Apache-2.0
// Writes the tables and the generated exports of the simulated GPUs (src/simgpu).
#pragma once

#include <filesystem>
#include <ostream>

namespace cudafault::codegen {

// Writes the definition of kGpuModels (simgpu/device.hpp) from data/gpus.yaml and from mig_profiles.tsv in the same
// folder.
void write_gpus(const std::filesystem::path& yaml, std::ostream& out);

// Writes the definitions of simgpu/driver/table.hpp: a weak stub for each driver function, the table for
// cuGetProcAddress, and the error names of errors.tsv, which is in the folder of `driver_tsv`. A handwritten function
// replaces its stub.
void write_sim_driver(const std::filesystem::path& driver_tsv, std::ostream& out);

// Writes a weak stub for each NVML function; a handwritten function (simgpu/nvml) replaces its stub. A function with
// rows in nvml_answers.tsv returns data from that table instead. Also writes the table of simgpu/nvml/fields.hpp from
// nvml_fields.tsv.
void write_sim_nvml(const std::filesystem::path& nvml_tsv, std::ostream& out);

}  // namespace cudafault::codegen
