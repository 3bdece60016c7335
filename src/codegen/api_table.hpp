// SPDX-License-Identifier: Apache-2.0
// Reads and validates the functions in data/{cuda_driver,cuda_runtime,nvml,nccl}.tsv, and returns them in the order of
// the function table.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cudafault::codegen {

// The sonames of data/cuda_runtime.tsv, without "libcudart.so.", in the order of kRuntimeSonames (src/fault).
inline constexpr std::string_view kSonames[] = {"11.0", "12", "13"};
inline constexpr std::string_view kApis[] = {"driver", "runtime", "nvml", "nccl"};
inline constexpr std::string_view kClasses[] = {"init",  "device", "context", "module", "memory",
                                                "copy",  "launch", "sync",    "query",  "stream",
                                                "event", "graph",  "peer",    "ipc",    "pure"};

struct ApiRow {
    std::string name;  // as exported
    std::string symbol;
    std::string api;
    unsigned version;  // driver: ABI version; otherwise 0
    bool per_thread;
    std::string since;
    unsigned soname;  // runtime: index into kSonames; otherwise 0
    std::string call_class;
    std::string device_from;  // name of a DeviceFrom (src/fault)
    unsigned device_slot;
    std::string returns;
    bool simple_fails;
    std::string source;
    std::filesystem::path file;
    size_t line;

    bool returns_status() const { return returns == "status"; }
};

// Returns the name of the function's Hook (src/fault).
std::string_view hook_of(std::string_view name);

// Reads all four tables. A runtime function has one row per soname. The rows are sorted by name in byte order, then by
// soname. Throws DataError if a table cannot be read, has an invalid field, or defines a function again.
std::vector<ApiRow> read_api_table(const std::filesystem::path& data);

}  // namespace cudafault::codegen
