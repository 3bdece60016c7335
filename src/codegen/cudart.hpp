// SPDX-License-Identifier: Apache-2.0
// Writes the generated parts of the simulated CUDA runtimes from data/cuda_runtime.tsv.
#pragma once

#include <filesystem>
#include <ostream>
#include <string_view>

namespace cudafault::codegen {

// Writes CUDART_STUB(name) for every function of the soname ("11.0", "12" or "13") that returns a status.
void write_sim_cudart_stubs(const std::filesystem::path& data, std::string_view soname, std::ostream& out);

// Writes the linker's version script: a node libcudart.so.<soname> with every function of the soname.
void write_sim_cudart_map(const std::filesystem::path& data, std::string_view soname, std::ostream& out);

}  // namespace cudafault::codegen
