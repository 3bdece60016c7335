// SPDX-License-Identifier: Apache-2.0
// Calls the exports of a simulated library as a program does: through dlopen and dlsym.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace cudafault::sim::testing {

#ifndef SIM_MACHINE
#define SIM_MACHINE "H100:2,L4"
#endif

// The simulated machine that all tests of a test program use. The GPUs have little memory, so that tests can fill it.
inline constexpr const char* kMachine = SIM_MACHINE;
inline constexpr size_t kGpuBytes = size_t{256} << 20;

// Sets the variables before main(), so that tests can change them later.
inline const bool kMachineIsSet = [] {
    setenv("CUDAFAULT_SIM_GPUS", kMachine, 1);
    setenv("CUDAFAULT_SIM_MEMORY", "256M", 1);
    for (const char* name : {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDAFAULT_SIM_DRIVER_VERSION"})
        unsetenv(name);
    return true;
}();

inline void* open_library(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        ADD_FAILURE() << dlerror();
        std::abort();
    }
    return handle;
}

// Calls a function by name. The arguments must have exactly the types of its parameters.
template <typename Status, typename... Arguments>
Status call(void* library, const char* name, Arguments... arguments) {
    const auto function = reinterpret_cast<Status (*)(Arguments...)>(dlsym(library, name));
    if (!function) {
        ADD_FAILURE() << name << " is not exported";
        std::abort();
    }
    return function(arguments...);
}

using Row = std::map<std::string, std::string>;  // field by column name

inline std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> fields(1);
    for (char c : line) {
        if (c == '\t')
            fields.emplace_back();
        else
            fields.back().push_back(c);
    }
    return fields;
}

inline std::vector<Row> read_tsv(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> header;
    std::vector<Row> rows;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        const std::vector<std::string> fields = split(line);
        if (header.empty()) {
            header = fields;
            continue;
        }
        Row& row = rows.emplace_back();
        for (size_t i = 0; i < header.size() && i < fields.size(); ++i) row[header[i]] = fields[i];
    }
    return rows;
}

}  // namespace cudafault::sim::testing
