// SPDX-License-Identifier: Apache-2.0
// Finds the libraries that a run loads into its processes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cudafault::local {

struct Products {
    std::filesystem::path library;  // libcudafault.so
    std::filesystem::path simgpu;   // folder of the simulated libcuda, NVML and cudarts
};

// Finds the libraries in ../lib of this program's folder, or beside the library that CUDAFAULT_LIBRARY names. Throws
// Error if a library is missing or cannot be preloaded.
Products find_products(bool simulated);

// Returns the simulated CUDA runtimes. They are preloaded, because a program's RPATH has precedence over
// LD_LIBRARY_PATH.
std::vector<std::string> simulated_runtimes(const std::filesystem::path& simgpu);

// Returns the library that makes device files such as /dev/nvidia0 appear to exist.
std::filesystem::path device_files(const std::filesystem::path& simgpu);

}  // namespace cudafault::local
