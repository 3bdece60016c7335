// SPDX-License-Identifier: Apache-2.0
// Where the parts are that a run puts into its programs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cudafault::local {

struct Products {
    std::filesystem::path library;  // libcudafault.so
    std::filesystem::path simgpu;   // folder of the simulated libcuda, NVML and cudarts
};

// Beside the running program (../lib), or where CUDAFAULT_LIBRARY says. Throws Error if the library, or a simulated
// library where they are wanted, is missing or cannot be preloaded from there.
Products find_products(bool simulated);

// The simulated CUDA runtimes: a program's own run path beats LD_LIBRARY_PATH, so they are preloaded.
std::vector<std::string> simulated_runtimes(const std::filesystem::path& simgpu);

// The library that makes /dev/nvidia0 and its like look present.
std::filesystem::path device_files(const std::filesystem::path& simgpu);

}  // namespace cudafault::local
