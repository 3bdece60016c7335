// SPDX-License-Identifier: Apache-2.0
// The libraries that a run loads into its processes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cudafault::local {

struct Products {
    std::filesystem::path library;  // libcudafault.so
    std::filesystem::path simgpu;   // folder of the simulated libcuda, NVML and cudarts
};

// Finds them beside this program (../lib), or beside the library that CUDAFAULT_LIBRARY names. Throws Error if one is
// missing or cannot be preloaded.
Products find_products(bool simulated);

// The simulated CUDA runtimes. They are preloaded, since a run path in the program has precedence over LD_LIBRARY_PATH.
std::vector<std::string> simulated_runtimes(const std::filesystem::path& simgpu);

// The library that makes /dev/nvidia0 and its like look present.
std::filesystem::path device_files(const std::filesystem::path& simgpu);

}  // namespace cudafault::local
