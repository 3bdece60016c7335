// SPDX-License-Identifier: Apache-2.0
// Declares the simulated part of NVML's C interface from its binary layout. NVML reports the whole machine and ignores
// CUDA_VISIBLE_DEVICES. It does not reflect the work of processes: every GPU is idle and healthy. A function that
// NVML's documentation does not describe for MIG devices returns "not supported" for such a device.
#pragma once

#include <cstdint>

#include "simgpu/device.hpp"
#include "simgpu/nvml/stub.hpp"

#define NVML_API extern "C" __attribute__((visibility("default")))

// Defines an older name with the same interface.
#define NVML_ALIAS(alias, name, parameters, arguments) \
    NVML_API Return alias parameters { return name arguments; }

namespace cudafault::sim::nvml {

// Values of nvmlReturn_t
enum Return : int {
    kSuccess = 0,
    kUninitialized = 1,
    kInvalidArgument = 2,
    kNotSupported = 3,
    kNotFound = 6,
    kInsufficientSize = 7,
    kDriverNotLoaded = 9,
    kTimeout = 10,
    kArgumentVersionMismatch = 25,
    kUnknown = 999,
};

// A handle is the address of the GPU or MIG device in machine().
using DeviceHandle = const Gpu*;

struct PciInfo {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};
static_assert(sizeof(PciInfo) == 68);

struct PciInfoExt {
    unsigned version, domain, bus, device, device_id, subsystem_id, base_class, sub_class;
    char id[32];
};

struct Memory {
    unsigned long long total, free, used;
};

struct MemoryV2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

struct Utilization {
    unsigned gpu, memory;
};

struct EccCounts {
    unsigned long long l1, l2, memory, registers;
};

struct EventData {
    DeviceHandle device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

struct ViolationTime {
    unsigned long long reference, violation;
};

struct Temperature {
    unsigned version;
    int sensor;
    int celsius;
};

struct FieldValue {
    unsigned id, scope;
    long long timestamp, latency;
    int value_type;
    Return result;
    unsigned long long value;
};
static_assert(sizeof(FieldValue) == 40);

// Runs body(const Gpu&) if the library is initialized and the handle is that of a GPU or a MIG device.
template <typename Body>
Return with_device(DeviceHandle device, Body body) {
    if (!is_initialized()) return kUninitialized;
    return whole_gpu(machine(), device) ? body(*device) : kInvalidArgument;
}

// Runs body(const Gpu&) for a GPU.
template <typename Body>
Return with_gpu(DeviceHandle device, Body body) {
    return with_device(device, [&](const Gpu& gpu) { return gpu.is_mig_device() ? kNotSupported : body(gpu); });
}

// Runs body(const Gpu&) for a GPU that does not have MIG enabled.
template <typename Body>
Return with_mig_disabled_gpu(DeviceHandle device, Body body) {
    return with_gpu(device, [&](const Gpu& gpu) { return gpu.has_mig_enabled() ? kNotSupported : body(gpu); });
}

// Sets a required output parameter. Returns kInvalidArgument if the parameter is null.
template <typename Value, typename Source>
Return set_output(Value* out, Source value) {
    if (!out) return kInvalidArgument;
    *out = static_cast<Value>(value);
    return kSuccess;
}

Return set_text_output(char* out, unsigned length, const std::string& text);

// Returns the version field of a structure of `size` bytes. NVML encodes the version in the upper 8 bits.
constexpr unsigned struct_version(size_t size, unsigned version) {
    return static_cast<unsigned>(size) | (version << 24);
}

}  // namespace cudafault::sim::nvml
