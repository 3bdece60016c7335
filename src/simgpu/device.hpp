// SPDX-License-Identifier: Apache-2.0
// Describes the GPUs of the simulated machine. libcuda and NVML use the same description in every process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simgpu/cuda_abi.hpp"

namespace cudafault::sim {

// A row of data/gpus.yaml.
struct GpuModel {
    const char* key;  // name in CUDAFAULT_SIM_GPUS
    const char* name;
    uint64_t memory_bytes;    // total memory that NVML reports
    uint64_t reserved_bytes;  // part of memory_bytes that programs cannot allocate
    int multiprocessors, major, minor;
    int clock_mhz, memory_clock_mhz, bus_width_bits;
    uint64_t l2_bytes;
    int shared_per_block_optin, shared_per_multiprocessor;
    int threads_per_multiprocessor, blocks_per_multiprocessor;
    int copy_engines, nvlinks;
    unsigned pci_device_id, pci_subsystem_id;
    unsigned architecture;  // nvmlDeviceArchitecture_t
    int cuda_cores_per_multiprocessor;
    int pcie_generation, power_limit_watts;
};

extern const GpuModel kGpuModels[];
extern const size_t kGpuModelCount;

struct Gpu {
    const GpuModel* model;
    int index;  // NVML index on the machine
    uint64_t memory_bytes, reserved_bytes;
    Uuid uuid;
    unsigned pci_bus;  // bus number; domain and device are 0

    uint64_t usable_bytes() const { return memory_bytes - reserved_bytes; }
};

// The machine that CUDAFAULT_SIM_GPUS and CUDAFAULT_SIM_MEMORY describe, read once. If a value is invalid, writes
// one line to stderr and returns no GPUs, so that a test never runs on a machine that its author did not describe.
const std::vector<Gpu>& machine();

// Parses the values of the variables of machine(). Does not throw; `error` is empty if both texts are valid.
std::vector<Gpu> parse_machine(std::string_view gpus, std::string_view memory, std::string& error);

// The GPUs in CUDA's numbering. `visible` and `order` are CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER, nullptr if unset.
// The first item decides whether the list contains numbers or UUIDs. The list ends before the first item that is of the
// other kind or does not match a GPU. If an item is repeated, the result is empty.
std::vector<const Gpu*> visible_gpus(const std::vector<Gpu>& gpus, const char* visible, const char* order);

std::string uuid_text(const Gpu& gpu);  // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
std::string pci_text(const Gpu& gpu);   // 0000:10:00.0
bool parse_pci(std::string_view text, unsigned& domain, unsigned& bus, unsigned& device);

// CUDA version of the simulated driver, such as 13050. CUDAFAULT_SIM_DRIVER_VERSION overrides it.
int driver_version();

}  // namespace cudafault::sim
