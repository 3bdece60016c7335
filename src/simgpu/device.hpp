// SPDX-License-Identifier: Apache-2.0
// The simulated machine: which GPUs it has. libcuda and NVML look at the same one, in every process alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simgpu/cuda_abi.hpp"

namespace cudafault::sim {

// A row of data/gpus.yaml.
struct GpuModel {
    const char* key;  // as CUDAFAULT_SIM_GPUS names it
    const char* name;
    uint64_t memory_bytes;    // as NVML counts it
    uint64_t reserved_bytes;  // of these not for programs
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
    int index;  // on the machine
    uint64_t memory_bytes, reserved_bytes;
    Uuid uuid;
    unsigned pci_bus;  // in domain 0, device 0

    uint64_t usable_bytes() const { return memory_bytes - reserved_bytes; }
};

// The machine that CUDAFAULT_SIM_GPUS and CUDAFAULT_SIM_MEMORY describe, read once. An invalid value gives one line on
// stderr and no GPU at all, so that no test runs on a machine that its author did not describe.
const std::vector<Gpu>& machine();

// What machine() does with its variables. Throws nothing; `error` is empty if both texts are valid.
std::vector<Gpu> parse_machine(std::string_view gpus, std::string_view memory, std::string& error);

// The GPUs in CUDA's numbering. `visible` and `order` are CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER, nullptr if unset.
// The first item decides whether the list holds numbers or UUIDs. The list ends at the first item of another kind, or
// that names no GPU; with a repeated item it shows no GPU at all.
std::vector<const Gpu*> visible_gpus(const std::vector<Gpu>& gpus, const char* visible, const char* order);

std::string uuid_text(const Gpu& gpu);  // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
std::string pci_text(const Gpu& gpu);   // 0000:10:00.0
bool parse_pci(std::string_view text, unsigned& domain, unsigned& bus, unsigned& device);

// CUDA version of the simulated driver, as 13050; CUDAFAULT_SIM_DRIVER_VERSION overrides it.
int driver_version();

}  // namespace cudafault::sim
