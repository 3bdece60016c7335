// SPDX-License-Identifier: Apache-2.0
// Describes the GPUs of the simulated machine. libcuda and NVML use the same description in every process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "simgpu/cuda_abi.hpp"

namespace cudafault::sim {

struct MigProfile;

// A model of data/gpus.yaml, or a MIG device of such a model.
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
    int copy_engines, nvlinks, nvlink_version /* NVML_NVLINK_VERSION_* */, nvlink_mbps;
    unsigned pci_device_id, pci_subsystem_id;
    unsigned architecture;  // nvmlDeviceArchitecture_t
    int cuda_cores_per_multiprocessor;
    int pcie_generation, power_limit_watts;
    const MigProfile* mig_profiles;
    size_t mig_profile_count;  // 0: the model does not support MIG
};

// A row of data/mig_profiles.tsv.
struct MigProfile {
    const char* name;
    unsigned nvml_profile;  // NVML_GPU_INSTANCE_PROFILE_*
    unsigned id;            // the profile ID that nvidia-smi shows
    unsigned slices, memory_slices;
    unsigned decoders, jpeg_engines, ofa_engines;
    GpuModel device;  // a MIG device with this profile, as CUDA and NVML describe it
};

extern const GpuModel kGpuModels[];
extern const size_t kGpuModelCount;

// A GPU of the machine, or a MIG device.
struct Gpu {
    const GpuModel* model;
    int index;  // NVML index on the machine; of a MIG device, within its GPU
    uint64_t memory_bytes, reserved_bytes;
    Uuid uuid;
    unsigned pci_bus;  // bus number; domain and device are 0

    const MigProfile* profile = nullptr;  // set for a MIG device
    unsigned first_slice = 0;             // of a MIG device: its first memory slice
    std::vector<Gpu> mig_devices = {};    // in NVML's order; empty if MIG is disabled

    bool is_mig_device() const { return profile != nullptr; }
    bool has_mig_enabled() const { return !mig_devices.empty(); }
    uint64_t usable_bytes() const { return memory_bytes - reserved_bytes; }
};

// Returns the GPUs that CUDAFAULT_SIM_GPUS and CUDAFAULT_SIM_MEMORY describe. Reads the variables once. If a value is
// invalid, writes one line to stderr and returns no GPUs, so that a test never runs on GPUs that its author did not
// specify.
const std::vector<Gpu>& machine();

// Parses the values of CUDAFAULT_SIM_GPUS and CUDAFAULT_SIM_MEMORY. Does not throw; `error` is empty if both texts are
// valid.
std::vector<Gpu> parse_machine(std::string_view gpus, std::string_view memory, std::string& error);

// Returns the visible GPUs in CUDA's order. `visible` and `order` are CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER,
// nullptr if unset. The first item decides whether the list contains numbers or UUIDs. The list ends before the first
// item that is of the other kind or does not match a GPU. If an item is repeated, the result is empty. CUDA enumerates
// at most one MIG device, and no GPU together with it: if the list contains a MIG device, or a GPU that has MIG
// enabled, the result is the first MIG device.
std::vector<const Gpu*> visible_gpus(const std::vector<Gpu>& gpus, const char* visible, const char* order);

// Returns `gpu` itself, or the GPU that contains the MIG device `gpu`. Returns nullptr if `gpu` points to neither a GPU
// in `gpus` nor one of their MIG devices.
const Gpu* whole_gpu(const std::vector<Gpu>& gpus, const Gpu* gpu);

Uuid make_uuid(uint64_t seed);

std::string uuid_text(const Gpu& gpu);  // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, or MIG-...
std::string pci_text(const Gpu& gpu);   // 0000:10:00.0
bool parse_pci(std::string_view text, unsigned& domain, unsigned& bus, unsigned& device);

// Returns the CUDA version of the simulated driver, such as 13050. CUDAFAULT_SIM_DRIVER_VERSION overrides the default.
int driver_version();

}  // namespace cudafault::sim
