// SPDX-License-Identifier: Apache-2.0
// Implements initialization, versions, and device attributes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "simgpu/driver/state.hpp"
#include "simgpu/notice.hpp"

namespace cudafault::sim {
namespace {

struct FixedAttribute {
    int number;
    int value;
};

// Attributes that are the same on every model. The value of an attribute that is neither in this table nor in
// attribute() is 0, which means "not supported".
constexpr FixedAttribute kFixedAttributes[] = {
    {1, 1024},         // MAX_THREADS_PER_BLOCK
    {2, 1024},         // MAX_BLOCK_DIM_X
    {3, 1024},         // MAX_BLOCK_DIM_Y
    {4, 64},           // MAX_BLOCK_DIM_Z
    {5, 2147483647},   // MAX_GRID_DIM_X
    {6, 65535},        // MAX_GRID_DIM_Y
    {7, 65535},        // MAX_GRID_DIM_Z
    {8, 49152},        // MAX_SHARED_MEMORY_PER_BLOCK
    {9, 65536},        // TOTAL_CONSTANT_MEMORY
    {10, 32},          // WARP_SIZE
    {11, 2147483647},  // MAX_PITCH
    {12, 65536},       // MAX_REGISTERS_PER_BLOCK
    {14, 512},         // TEXTURE_ALIGNMENT
    {15, 1},           // GPU_OVERLAP
    {19, 1},           // CAN_MAP_HOST_MEMORY
    {21, 131072},      // MAXIMUM_TEXTURE1D_WIDTH
    {22, 131072},      // MAXIMUM_TEXTURE2D_WIDTH
    {23, 65536},       // MAXIMUM_TEXTURE2D_HEIGHT
    {24, 16384},       // MAXIMUM_TEXTURE3D_WIDTH
    {25, 16384},       // MAXIMUM_TEXTURE3D_HEIGHT
    {26, 16384},       // MAXIMUM_TEXTURE3D_DEPTH
    {27, 32768},       // MAXIMUM_TEXTURE2D_LAYERED_WIDTH
    {28, 32768},       // MAXIMUM_TEXTURE2D_LAYERED_HEIGHT
    {29, 2048},        // MAXIMUM_TEXTURE2D_LAYERED_LAYERS
    {30, 512},         // SURFACE_ALIGNMENT
    {31, 1},           // CONCURRENT_KERNELS
    {32, 1},           // ECC_ENABLED
    {41, 1},           // UNIFIED_ADDRESSING
    {42, 32768},       // MAXIMUM_TEXTURE1D_LAYERED_WIDTH
    {43, 2048},        // MAXIMUM_TEXTURE1D_LAYERED_LAYERS
    {44, 1},           // CAN_TEX2D_GATHER
    {45, 32768},       // MAXIMUM_TEXTURE2D_GATHER_WIDTH
    {46, 32768},       // MAXIMUM_TEXTURE2D_GATHER_HEIGHT
    {47, 8192},        // MAXIMUM_TEXTURE3D_WIDTH_ALTERNATE
    {48, 8192},        // MAXIMUM_TEXTURE3D_HEIGHT_ALTERNATE
    {49, 32768},       // MAXIMUM_TEXTURE3D_DEPTH_ALTERNATE
    {51, 32},          // TEXTURE_PITCH_ALIGNMENT
    {52, 32768},       // MAXIMUM_TEXTURECUBEMAP_WIDTH
    {53, 32768},       // MAXIMUM_TEXTURECUBEMAP_LAYERED_WIDTH
    {54, 2046},        // MAXIMUM_TEXTURECUBEMAP_LAYERED_LAYERS
    {55, 32768},       // MAXIMUM_SURFACE1D_WIDTH
    {56, 131072},      // MAXIMUM_SURFACE2D_WIDTH
    {57, 65536},       // MAXIMUM_SURFACE2D_HEIGHT
    {58, 16384},       // MAXIMUM_SURFACE3D_WIDTH
    {59, 16384},       // MAXIMUM_SURFACE3D_HEIGHT
    {60, 16384},       // MAXIMUM_SURFACE3D_DEPTH
    {61, 32768},       // MAXIMUM_SURFACE1D_LAYERED_WIDTH
    {62, 2048},        // MAXIMUM_SURFACE1D_LAYERED_LAYERS
    {63, 32768},       // MAXIMUM_SURFACE2D_LAYERED_WIDTH
    {64, 32768},       // MAXIMUM_SURFACE2D_LAYERED_HEIGHT
    {65, 2048},        // MAXIMUM_SURFACE2D_LAYERED_LAYERS
    {66, 32768},       // MAXIMUM_SURFACECUBEMAP_WIDTH
    {67, 32768},       // MAXIMUM_SURFACECUBEMAP_LAYERED_WIDTH
    {68, 2046},        // MAXIMUM_SURFACECUBEMAP_LAYERED_LAYERS
    {69, 268435456},   // MAXIMUM_TEXTURE1D_LINEAR_WIDTH
    {70, 131072},      // MAXIMUM_TEXTURE2D_LINEAR_WIDTH
    {71, 65000},       // MAXIMUM_TEXTURE2D_LINEAR_HEIGHT
    {72, 2097120},     // MAXIMUM_TEXTURE2D_LINEAR_PITCH
    {73, 32768},       // MAXIMUM_TEXTURE2D_MIPMAPPED_WIDTH
    {74, 32768},       // MAXIMUM_TEXTURE2D_MIPMAPPED_HEIGHT
    {77, 32768},       // MAXIMUM_TEXTURE1D_MIPMAPPED_WIDTH
    {78, 1},           // STREAM_PRIORITIES_SUPPORTED
    {79, 1},           // GLOBAL_L1_CACHE_SUPPORTED
    {80, 1},           // LOCAL_L1_CACHE_SUPPORTED
    {82, 65536},       // MAX_REGISTERS_PER_MULTIPROCESSOR
    {83, 1},           // MANAGED_MEMORY
    {87, 2},           // SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO
    {89, 1},           // CONCURRENT_MANAGED_ACCESS
    {90, 1},           // COMPUTE_PREEMPTION_SUPPORTED
    {91, 1},           // CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM
    {95, 1},           // COOPERATIVE_LAUNCH
    {99, 1},           // HOST_REGISTER_SUPPORTED
    {102, 1},          // VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED
    {103, 1},          // HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED
    {109, 134213632},  // MAX_ACCESS_POLICY_WINDOW_SIZE
    {111, 1024},       // RESERVED_SHARED_MEMORY_PER_BLOCK
    {113, 1},          // READ_ONLY_HOST_REGISTER_SUPPORTED
    {115, 1},          // MEMORY_POOLS_SUPPORTED
    {125, 1},          // IPC_EVENT_SUPPORTED
    {130, 0},          // NUMA_CONFIG: none
    {131, -1},         // NUMA_ID
    {134, -1},         // HOST_NUMA_ID
};
constexpr int kLastAttribute = 161;

int clamp_to_int(uint64_t value) { return static_cast<int>(std::min<uint64_t>(value, INT32_MAX)); }

int attribute(const Gpu& gpu, int number) {
    const GpuModel& model = *gpu.model;
    switch (number) {
        case 13: return model.clock_mhz * 1000;
        case 16: return model.multiprocessors;
        case 33: return static_cast<int>(gpu.pci_bus);
        case 36: return model.memory_clock_mhz * 1000;
        case 37: return model.bus_width_bits;
        case 38: return clamp_to_int(model.l2_bytes);
        case 39: return model.threads_per_multiprocessor;
        case 40: return model.copy_engines;
        case 75: return model.major;
        case 76: return model.minor;
        case 81: return model.shared_per_multiprocessor;
        case 85: return gpu.index;
        case 97: return model.shared_per_block_optin;
        case 106: return model.blocks_per_multiprocessor;
        case 108: return clamp_to_int(model.l2_bytes / 16 * 10);
        case 119: return kPosixFd;
        case 120: return model.major >= 9;  // CLUSTER_LAUNCH
        case 126: return model.major >= 9 ? 4 : 1;
        case 139: return static_cast<int>(model.pci_device_id);
        case 140: return static_cast<int>(model.pci_subsystem_id);
    }
    for (const FixedAttribute& fixed : kFixedAttributes) {
        if (fixed.number == number) return fixed.value;
    }
    return 0;
}

void initialize(State& s) {
    const std::vector<const Gpu*> gpus =
        visible_gpus(machine(), std::getenv("CUDA_VISIBLE_DEVICES"), std::getenv("CUDA_DEVICE_ORDER"));
    for (const Gpu* gpu : gpus) s.devices.push_back({.gpu = gpu});
    for (size_t i = 0; i < s.devices.size(); ++i) {
        const int device = static_cast<int>(i);
        DeviceState& d = s.devices[i];
        d.primary = new_context(s, device, true, 0);
        d.primary->alive = false;
        const PoolProperties properties{.allocation_type = 1,
                                        .handle_types = 0,
                                        .location = {kLocationDevice, device},
                                        .windows_security = nullptr,
                                        .max_size = 0,
                                        .usage = 0,
                                        .reserved = {}};
        d.default_pool = d.pool = s.pools.add(new Pool{device, properties, true});
    }
    s.initialized = true;
}

Result copy_text(char* out, int size, const std::string& text) {
    if (!out || size <= 0) return kInvalidValue;
    std::snprintf(out, static_cast<size_t>(size), "%s", text.c_str());
    return kSuccess;
}

}  // namespace

SIM_API Result cuInit(unsigned flags) {
    if (flags) return kInvalidValue;
    warn_if_not_preloaded();
    State& s = state();
    std::lock_guard lock(s.mutex);
    if (s.forked) return kNotInitialized;
    if (s.initialized) return kSuccess;
    if (machine().empty()) return kNoDevice;
    initialize(s);
    if (!s.devices.empty()) return kSuccess;
    s.initialized = false;
    return kNoDevice;
}

// Programs can call this function before cuInit.
SIM_API Result cuDriverGetVersion(int* version) { return set_output(version, driver_version()); }

SIM_API Result cuDeviceGetCount(int* count) {
    return with_driver([&](State& s) { return set_output(count, s.devices.size()); });
}

SIM_API Result cuDeviceGet(Device* device, int ordinal) {
    return with_driver([&](State& s) {
        if (!device) return kInvalidValue;
        return is_device(s, ordinal) ? set_output(device, ordinal) : kInvalidDevice;
    });
}

SIM_API Result cuDeviceGetName(char* name, int length, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return copy_text(name, length, d.gpu->model->name); });
}

// For a MIG device, this version returns the UUID of the GPU.
SIM_API Result cuDeviceGetUuid(Uuid* uuid, Device device) {
    return with_device(device,
                       [&](State&, DeviceState& d) { return set_output(uuid, whole_gpu(machine(), d.gpu)->uuid); });
}

SIM_API Result cuDeviceGetUuid_v2(Uuid* uuid, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return set_output(uuid, d.gpu->uuid); });
}

SIM_API Result cuDeviceTotalMem_v2(size_t* bytes, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return set_output(bytes, d.gpu->usable_bytes()); });
}

SIM_API Result cuDeviceGetAttribute(int* value, int number, Device device) {
    return with_device(device, [&](State&, DeviceState& d) {
        return number < 1 || number > kLastAttribute ? kInvalidValue : set_output(value, attribute(*d.gpu, number));
    });
}

SIM_API Result cuDeviceComputeCapability(int* major, int* minor, Device device) {
    return with_device(device, [&](State&, DeviceState& d) {
        if (!major || !minor) return kInvalidValue;
        *major = d.gpu->model->major;
        *minor = d.gpu->model->minor;
        return kSuccess;
    });
}

SIM_API Result cuDeviceGetProperties(DeviceProperties* properties, Device device) {
    return with_device(device, [&](State&, DeviceState& d) {
        const auto get = [&](int number) { return attribute(*d.gpu, number); };
        return set_output(properties, DeviceProperties{get(1),
                                                       {get(2), get(3), get(4)},
                                                       {get(5), get(6), get(7)},
                                                       get(8),
                                                       get(9),
                                                       get(10),
                                                       get(11),
                                                       get(12),
                                                       get(13),
                                                       get(14)});
    });
}

SIM_API Result cuDeviceGetPCIBusId(char* id, int length, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return copy_text(id, length, pci_text(*d.gpu)); });
}

SIM_API Result cuDeviceGetByPCIBusId(Device* device, const char* id) {
    return with_driver([&](State& s) {
        unsigned domain = 0, bus = 0, slot = 0;
        if (!device || !id || !parse_pci(id, domain, bus, slot)) return kInvalidValue;
        for (size_t i = 0; i < s.devices.size(); ++i) {
            if (s.devices[i].gpu->pci_bus == bus && !domain && !slot) return set_output(device, i);
        }
        return kInvalidDevice;
    });
}

// The same limit applies to linear textures of every format.
SIM_API Result cuDeviceGetTexture1DLinearMaxWidth(size_t* width, int, unsigned, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return set_output(width, attribute(*d.gpu, 69)); });
}

// SM affinity is a feature of MPS servers, which are not simulated.
SIM_API Result cuDeviceGetExecAffinitySupport(int* supported, int, Device device) {
    return with_device(device, [&](State&, DeviceState&) { return set_output(supported, 0); });
}

SIM_API Result cuProfilerStart() {
    return with_context([](State&, Context&) { return kSuccess; });
}
SIM_ALIAS(cuProfilerStop, cuProfilerStart, (), ())

SIM_API Result cuFlushGPUDirectRDMAWrites(int, int) {
    return with_context([](State&, Context&) { return kSuccess; });
}

}  // namespace cudafault::sim
