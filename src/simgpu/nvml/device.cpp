// SPDX-License-Identifier: Apache-2.0
// Implements the NVML functions that return properties of one GPU.
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "simgpu/nvml/nvml.hpp"
#include "simgpu/nvml/properties.hpp"

namespace cudafault::sim::nvml {
namespace {

// Readings of an idle GPU.
constexpr unsigned kIdleClockMhz = 345, kPcieWidth = 16;
constexpr unsigned kDisabled = 0, kEnabled = 1;
constexpr unsigned kGraphicsClock = 0, kSmClock = 1, kMemoryClock = 2, kVideoClock = 3;

Return max_clock(const Gpu& gpu, unsigned type, unsigned* out) {
    if (type > kVideoClock) return kInvalidArgument;
    return set_output(out, type == kMemoryClock ? gpu.model->memory_clock_mhz : gpu.model->clock_mhz);
}

Return current_clock(const Gpu& gpu, unsigned type, unsigned* out) {
    return type == kGraphicsClock || type == kSmClock ? set_output(out, kIdleClockMhz) : max_clock(gpu, type, out);
}

void format_bus_id(char* out, size_t size, const char* format, const Gpu& gpu) {
    std::snprintf(out, size, format, 0u, gpu.pci_bus, 0u);
}

PciInfo pci_info(const Gpu& gpu) {
    PciInfo info{};
    info.bus = gpu.pci_bus;
    info.device_id = gpu.model->pci_device_id;
    info.subsystem_id = gpu.model->pci_subsystem_id;
    format_bus_id(info.legacy_id, sizeof info.legacy_id, "%04X:%02X:%02X.0", gpu);
    format_bus_id(info.id, sizeof info.id, "%08X:%02X:%02X.0", gpu);
    return info;
}

// Runs body(const Gpu&, const Gpu&) for two valid handles.
template <typename Body>
Return with_pair(DeviceHandle first, DeviceHandle second, Body body) {
    return with_gpu(first, [&](const Gpu& a) { return with_gpu(second, [&](const Gpu& b) { return body(a, b); }); });
}

// Returns an empty list.
Return empty_list(DeviceHandle device, unsigned* count) {
    return with_gpu(device, [&](const Gpu&) { return set_output(count, 0); });
}

// Lists clocks in steps, from the highest to the lowest. If the buffer is too small, sets `count` to the required
// length.
Return list_clocks(unsigned highest, unsigned lowest, unsigned* count, unsigned* out) {
    constexpr unsigned kStepMhz = 15;
    if (!count) return kInvalidArgument;
    const unsigned needed = (highest - lowest) / kStepMhz + 1;
    const bool fits = out && *count >= needed;
    *count = needed;
    if (!fits) return kInsufficientSize;
    for (unsigned i = 0; i < needed; ++i) out[i] = highest - i * kStepMhz;
    return kSuccess;
}

Return all_processors(DeviceHandle device, unsigned words, unsigned long* set) {
    return with_gpu(device, [&](const Gpu&) {
        if (!set || !words) return kInvalidArgument;
        cpu_set_t processors;
        std::memset(set, 0, words * sizeof *set);
        if (sched_getaffinity(0, sizeof processors, &processors) != 0) return kUnknown;
        std::memcpy(set, &processors, std::min<size_t>(words * sizeof *set, sizeof processors));
        return kSuccess;
    });
}

// Sets *out to the GPUs that match. If *count is 0, only sets *count to their number.
template <typename Matches>
Return list_gpus(Matches matches, unsigned* count, DeviceHandle* out) {
    if (!count || (*count && !out)) return kInvalidArgument;
    const unsigned room = *count;
    *count = 0;
    for (const Gpu& gpu : machine()) {
        if (!matches(gpu)) continue;
        if (*count < room) out[*count] = &gpu;
        ++*count;
    }
    if (room) *count = std::min(*count, room);
    return kSuccess;
}

}  // namespace

// Defines a function that returns one value. `with` is with_gpu, with_device or with_mig_disabled_gpu.
#define NVML_VALUE_FOR(with, name, type, value)                                                       \
    NVML_API Return name(DeviceHandle device, type* out) {                                            \
        return with(device, [&]([[maybe_unused]] const Gpu& gpu) { return set_output(out, value); }); \
    }
#define NVML_VALUE(name, type, value) NVML_VALUE_FOR(with_gpu, name, type, value)
#define NVML_TEXT_FOR(with, name, value)                                                                           \
    NVML_API Return name(DeviceHandle device, char* out, unsigned length) {                                        \
        return with(device, [&]([[maybe_unused]] const Gpu& gpu) { return set_text_output(out, length, value); }); \
    }
#define NVML_TEXT(name, value) NVML_TEXT_FOR(with_gpu, name, value)

NVML_TEXT_FOR(with_device, nvmlDeviceGetName, gpu.model->name)
NVML_TEXT_FOR(with_device, nvmlDeviceGetUUID, uuid_text(gpu))
NVML_TEXT(nvmlDeviceGetSerial, serial_text(gpu))
NVML_TEXT(nvmlDeviceGetVbiosVersion, "96.00.00.00.01")
NVML_TEXT(nvmlDeviceGetInforomImageVersion, "G520.0200.00.05")
NVML_TEXT(nvmlDeviceGetBoardPartNumber, "900-00000-0000-000")

NVML_VALUE_FOR(with_device, nvmlDeviceGetIndex, unsigned, gpu.index)
NVML_VALUE(nvmlDeviceGetMinorNumber, unsigned, gpu.index)
NVML_VALUE(nvmlDeviceGetModuleId, unsigned, gpu.index + 1)
NVML_VALUE(nvmlDeviceGetBoardId, unsigned, gpu.pci_bus << 8)
NVML_VALUE(nvmlDeviceGetMultiGpuBoard, unsigned, 0)
NVML_VALUE(nvmlDeviceGetBrand, unsigned, 14 /* NVIDIA */)
NVML_VALUE(nvmlDeviceGetArchitecture, unsigned, gpu.model->architecture)
NVML_VALUE_FOR(with_mig_disabled_gpu, nvmlDeviceGetNumGpuCores, unsigned,
               gpu.model->multiprocessors* gpu.model->cuda_cores_per_multiprocessor)
NVML_VALUE(nvmlDeviceGetMemoryBusWidth, unsigned, gpu.model->bus_width_bits)
NVML_VALUE(nvmlDeviceGetBusType, unsigned, 2 /* PCIe */)
NVML_VALUE(nvmlDeviceGetPowerSource, unsigned, 0 /* AC */)
NVML_VALUE(nvmlDeviceGetPersistenceMode, unsigned, kEnabled)
NVML_VALUE(nvmlDeviceGetDisplayMode, unsigned, kDisabled)
NVML_VALUE(nvmlDeviceGetDisplayActive, unsigned, kDisabled)
NVML_VALUE_FOR(with_device, nvmlDeviceGetComputeMode, unsigned, 0 /* default */)
NVML_VALUE(nvmlDeviceGetAccountingMode, unsigned, kDisabled)
NVML_VALUE(nvmlDeviceGetAccountingBufferSize, unsigned, 4000)
NVML_VALUE(nvmlDeviceGetPerformanceState, unsigned, 0)
NVML_VALUE(nvmlDeviceGetPowerState, unsigned, 0)
NVML_VALUE(nvmlDeviceGetPowerManagementMode, unsigned, kEnabled)
NVML_VALUE(nvmlDeviceGetPowerManagementLimit, unsigned, power_limit_milliwatts(gpu))
NVML_VALUE(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, power_limit_milliwatts(gpu))
NVML_VALUE(nvmlDeviceGetEnforcedPowerLimit, unsigned, power_limit_milliwatts(gpu))
NVML_VALUE(nvmlDeviceGetPowerUsage, unsigned, idle_milliwatts(gpu))
NVML_VALUE(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, energy_millijoules(gpu))
NVML_VALUE(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, 1 /* idle */)
NVML_VALUE(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, 1 /* idle */)
NVML_VALUE(nvmlDeviceGetSupportedClocksThrottleReasons, unsigned long long, 0x1ff)
NVML_VALUE(nvmlDeviceGetSupportedClocksEventReasons, unsigned long long, 0x1ff)
NVML_VALUE(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, gpu.model->pcie_generation)
NVML_VALUE(nvmlDeviceGetGpuMaxPcieLinkGeneration, unsigned, gpu.model->pcie_generation)
NVML_VALUE(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, gpu.model->pcie_generation)
NVML_VALUE(nvmlDeviceGetMaxPcieLinkWidth, unsigned, kPcieWidth)
NVML_VALUE(nvmlDeviceGetCurrPcieLinkWidth, unsigned, kPcieWidth)
NVML_VALUE(nvmlDeviceGetPcieReplayCounter, unsigned, 0)
NVML_VALUE(nvmlDeviceGetDefaultEccMode, unsigned, kEnabled)
NVML_VALUE(nvmlDeviceGetRetiredPagesPendingStatus, unsigned, kDisabled)
NVML_VALUE(nvmlDeviceGetVirtualizationMode, unsigned, 0 /* none */)

NVML_API Return nvmlDeviceGetPciInfo_v3(DeviceHandle device, PciInfo* out) {
    return with_gpu(device, [&](const Gpu& gpu) { return set_output(out, pci_info(gpu)); });
}
NVML_ALIAS(nvmlDeviceGetPciInfo_v2, nvmlDeviceGetPciInfo_v3, (DeviceHandle device, PciInfo* out), (device, out))

// The first version of the structure ends before the long bus ID.
NVML_API Return nvmlDeviceGetPciInfo(DeviceHandle device, PciInfo* out) {
    return with_gpu(device, [&](const Gpu& gpu) {
        if (!out) return kInvalidArgument;
        const PciInfo info = pci_info(gpu);
        std::memcpy(static_cast<void*>(out), &info, offsetof(PciInfo, id));
        return kSuccess;
    });
}

NVML_API Return nvmlDeviceGetPciInfoExt(DeviceHandle device, PciInfoExt* out) {
    constexpr unsigned kDisplayClass = 3, k3dController = 2;
    return with_gpu(device, [&](const Gpu& gpu) {
        if (!out) return kInvalidArgument;
        if (out->version != struct_version(sizeof *out, 1)) return kArgumentVersionMismatch;
        const PciInfo info = pci_info(gpu);
        *out = {out->version,      info.domain,   info.bus,      info.device, info.device_id,
                info.subsystem_id, kDisplayClass, k3dController, {}};
        std::memcpy(out->id, info.id, sizeof out->id);
        return kSuccess;
    });
}

NVML_API Return nvmlDeviceGetMemoryInfo(DeviceHandle device, Memory* out) {
    return with_device(device, [&](const Gpu& gpu) {
        return set_output(out, Memory{gpu.memory_bytes, gpu.usable_bytes(), gpu.reserved_bytes});
    });
}

NVML_API Return nvmlDeviceGetMemoryInfo_v2(DeviceHandle device, MemoryV2* out) {
    return with_device(device, [&](const Gpu& gpu) {
        if (!out) return kInvalidArgument;
        if (out->version != struct_version(sizeof *out, 2)) return kArgumentVersionMismatch;
        return set_output(out, MemoryV2{out->version, gpu.memory_bytes, gpu.reserved_bytes, gpu.usable_bytes(), 0});
    });
}

NVML_API Return nvmlDeviceGetBAR1MemoryInfo(DeviceHandle device, Memory* out) {
    return with_device(device, [&](const Gpu& gpu) {
        unsigned long long window = 1;
        while (window < gpu.memory_bytes) window <<= 1;  // BAR1 maps all of the memory
        return set_output(out, Memory{window, window, 0});
    });
}

NVML_API Return nvmlDeviceGetUtilizationRates(DeviceHandle device, Utilization* out) {
    return with_mig_disabled_gpu(device, [&](const Gpu&) { return set_output(out, Utilization{0, 0}); });
}

NVML_API Return nvmlDeviceGetEncoderUtilization(DeviceHandle device, unsigned* percent, unsigned* period_us) {
    constexpr unsigned kPeriod = 167000;
    return with_mig_disabled_gpu(device, [&](const Gpu&) {
        const Return result = set_output(percent, 0);
        return result ? result : set_output(period_us, kPeriod);
    });
}
NVML_ALIAS(nvmlDeviceGetDecoderUtilization, nvmlDeviceGetEncoderUtilization,
           (DeviceHandle device, unsigned* percent, unsigned* period_us), (device, percent, period_us))

NVML_API Return nvmlDeviceGetTemperature(DeviceHandle device, int sensor, unsigned* celsius) {
    return with_gpu(device, [&](const Gpu&) { return sensor ? kInvalidArgument : set_output(celsius, kIdleCelsius); });
}

NVML_API Return nvmlDeviceGetTemperatureV(DeviceHandle device, Temperature* out) {
    return with_gpu(device, [&](const Gpu&) {
        if (!out || out->sensor) return kInvalidArgument;
        if (out->version != struct_version(sizeof *out, 1)) return kArgumentVersionMismatch;
        return set_output(&out->celsius, kIdleCelsius);
    });
}

NVML_API Return nvmlDeviceGetTemperatureThreshold(DeviceHandle device, unsigned threshold, unsigned* celsius) {
    constexpr unsigned kThresholds[] = {92 /* shutdown */, 89 /* slowdown */, 95 /* memory */, 87 /* GPU */};
    return with_gpu(device, [&](const Gpu&) {
        return threshold < std::size(kThresholds) ? set_output(celsius, kThresholds[threshold]) : kNotSupported;
    });
}

NVML_API Return nvmlDeviceGetPowerManagementLimitConstraints(DeviceHandle device, unsigned* least, unsigned* most) {
    return with_gpu(device, [&](const Gpu& gpu) {
        const Return result = set_output(least, least_power_limit_milliwatts(gpu));
        return result ? result : set_output(most, power_limit_milliwatts(gpu));
    });
}

NVML_API Return nvmlDeviceGetClockInfo(DeviceHandle device, unsigned type, unsigned* mhz) {
    return with_gpu(device, [&](const Gpu& gpu) { return current_clock(gpu, type, mhz); });
}

NVML_API Return nvmlDeviceGetMaxClockInfo(DeviceHandle device, unsigned type, unsigned* mhz) {
    return with_gpu(device, [&](const Gpu& gpu) { return max_clock(gpu, type, mhz); });
}
NVML_ALIAS(nvmlDeviceGetApplicationsClock, nvmlDeviceGetMaxClockInfo,
           (DeviceHandle device, unsigned type, unsigned* mhz), (device, type, mhz))
NVML_ALIAS(nvmlDeviceGetDefaultApplicationsClock, nvmlDeviceGetMaxClockInfo,
           (DeviceHandle device, unsigned type, unsigned* mhz), (device, type, mhz))
NVML_ALIAS(nvmlDeviceGetMaxCustomerBoostClock, nvmlDeviceGetMaxClockInfo,
           (DeviceHandle device, unsigned type, unsigned* mhz), (device, type, mhz))

NVML_API Return nvmlDeviceGetClock(DeviceHandle device, unsigned type, unsigned which, unsigned* mhz) {
    constexpr unsigned kCurrent = 0, kLast = 3;
    return with_gpu(device, [&](const Gpu& gpu) {
        if (which > kLast) return kInvalidArgument;
        return which == kCurrent ? current_clock(gpu, type, mhz) : max_clock(gpu, type, mhz);
    });
}

NVML_API Return nvmlDeviceGetSupportedMemoryClocks(DeviceHandle device, unsigned* count, unsigned* mhz) {
    return with_gpu(device, [&](const Gpu& gpu) {
        const auto clock = static_cast<unsigned>(gpu.model->memory_clock_mhz);
        return list_clocks(clock, clock, count, mhz);
    });
}

NVML_API Return nvmlDeviceGetSupportedGraphicsClocks(DeviceHandle device, unsigned memory_mhz, unsigned* count,
                                                     unsigned* mhz) {
    return with_gpu(device, [&](const Gpu& gpu) {
        if (memory_mhz != static_cast<unsigned>(gpu.model->memory_clock_mhz)) return kNotFound;
        return list_clocks(static_cast<unsigned>(gpu.model->clock_mhz), kIdleClockMhz, count, mhz);
    });
}

NVML_API Return nvmlDeviceGetPcieThroughput(DeviceHandle device, int, unsigned* kib_per_second) {
    return with_gpu(device, [&](const Gpu&) { return set_output(kib_per_second, 0); });
}

NVML_API Return nvmlDeviceGetCudaComputeCapability(DeviceHandle device, int* major, int* minor) {
    return with_gpu(device, [&](const Gpu& gpu) {
        const Return result = set_output(major, gpu.model->major);
        return result ? result : set_output(minor, gpu.model->minor);
    });
}

NVML_API Return nvmlDeviceGetEccMode(DeviceHandle device, unsigned* current, unsigned* pending) {
    return with_gpu(device, [&](const Gpu&) {
        const Return result = set_output(current, kEnabled);
        return result ? result : set_output(pending, kEnabled);
    });
}

NVML_API Return nvmlDeviceGetTotalEccErrors(DeviceHandle device, unsigned type, unsigned counter,
                                            unsigned long long* count) {
    return with_gpu(device,
                    [&](const Gpu&) { return type > 1 || counter > 1 ? kInvalidArgument : set_output(count, 0); });
}

NVML_API Return nvmlDeviceGetDetailedEccErrors(DeviceHandle device, unsigned type, unsigned counter, EccCounts* out) {
    return with_gpu(
        device, [&](const Gpu&) { return type > 1 || counter > 1 ? kInvalidArgument : set_output(out, EccCounts{}); });
}

NVML_API Return nvmlDeviceGetMemoryErrorCounter(DeviceHandle device, unsigned type, unsigned counter, unsigned,
                                                unsigned long long* count) {
    return with_gpu(device,
                    [&](const Gpu&) { return type > 1 || counter > 1 ? kInvalidArgument : set_output(count, 0); });
}

NVML_API Return nvmlDeviceGetRetiredPages(DeviceHandle device, unsigned, unsigned* count, unsigned long long*) {
    return empty_list(device, count);
}

NVML_API Return nvmlDeviceGetRetiredPages_v2(DeviceHandle device, unsigned, unsigned* count, unsigned long long*,
                                             unsigned long long*) {
    return empty_list(device, count);
}

NVML_API Return nvmlDeviceGetRemappedRows(DeviceHandle device, unsigned* corrected, unsigned* uncorrected,
                                          unsigned* pending, unsigned* failed) {
    return with_gpu(device, [&](const Gpu&) {
        for (unsigned* out : {corrected, uncorrected, pending, failed}) {
            if (Return error = set_output(out, 0)) return error;
        }
        return kSuccess;
    });
}

// Processes do not report their use of GPUs to the simulated NVML, so these lists are empty.
#define NVML_NO_PROCESSES(name)                                                       \
    NVML_API Return name(DeviceHandle device, unsigned* count, void*) {               \
        return with_device(device, [&](const Gpu&) { return set_output(count, 0); }); \
    }
NVML_NO_PROCESSES(nvmlDeviceGetComputeRunningProcesses)
NVML_NO_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2)
NVML_NO_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3)
NVML_NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses)
NVML_NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2)
NVML_NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3)
NVML_NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses)
NVML_NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2)
NVML_NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3)

NVML_API Return nvmlDeviceGetAccountingPids(DeviceHandle device, unsigned* count, unsigned*) {
    return empty_list(device, count);
}

NVML_API Return nvmlDeviceGetViolationStatus(DeviceHandle device, unsigned, ViolationTime* out) {
    return with_gpu(device, [&](const Gpu&) {
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return set_output(out, ViolationTime{static_cast<unsigned long long>(now.tv_sec) * 1000000000ull, 0});
    });
}

NVML_API Return nvmlDeviceGetGspFirmwareMode(DeviceHandle device, unsigned* enabled, unsigned* by_default) {
    return with_gpu(device, [&](const Gpu&) {
        const Return result = set_output(enabled, 1);
        return result ? result : set_output(by_default, 1);
    });
}

NVML_API Return nvmlDeviceGetTopologyCommonAncestor(DeviceHandle first, DeviceHandle second, int* level) {
    constexpr int kInternal = 0, kNode = 40;
    return with_pair(first, second,
                     [&](const Gpu& a, const Gpu& b) { return set_output(level, &a == &b ? kInternal : kNode); });
}

// All other GPUs have the same level, which nvmlDeviceGetTopologyCommonAncestor returns.
NVML_API Return nvmlDeviceGetTopologyNearestGpus(DeviceHandle device, int level, unsigned* count, DeviceHandle* out) {
    constexpr int kNode = 40;
    return with_gpu(device, [&](const Gpu& gpu) {
        return list_gpus([&](const Gpu& other) { return level == kNode && &other != &gpu; }, count, out);
    });
}

// Every GPU is close to every processor.
NVML_API Return nvmlSystemGetTopologyGpuSet(unsigned processor, unsigned* count, DeviceHandle* out) {
    if (!is_initialized()) return kUninitialized;
    if (processor >= static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF))) return kInvalidArgument;
    return list_gpus([](const Gpu&) { return true; }, count, out);
}

// A data center GPU has one performance state. Fills the remaining entries of the buffer with "unknown".
NVML_API Return nvmlDeviceGetSupportedPerformanceStates(DeviceHandle device, int* out, unsigned bytes) {
    constexpr int kUnknownState = 32;
    return with_gpu(device, [&](const Gpu&) {
        if (!out) return kInvalidArgument;
        if (bytes < sizeof *out) return kInsufficientSize;
        std::fill_n(out, bytes / sizeof *out, kUnknownState);
        out[0] = 0;
        return kSuccess;
    });
}

NVML_API Return nvmlDeviceGetP2PStatus(DeviceHandle first, DeviceHandle second, unsigned capability, int* status) {
    constexpr unsigned kNvlink = 2, kAtomics = 3, kLast = 4;
    constexpr int kOk = 0, kUnsupported = 5;
    return with_pair(first, second, [&](const Gpu& a, const Gpu& b) {
        if (capability > kLast || &a == &b) return kInvalidArgument;
        const bool needs_nvlink = capability == kNvlink || capability == kAtomics;
        return set_output(status, needs_nvlink && !(a.model->nvlinks && b.model->nvlinks) ? kUnsupported : kOk);
    });
}

NVML_API Return nvmlDeviceOnSameBoard(DeviceHandle first, DeviceHandle second, int* same) {
    return with_pair(first, second, [&](const Gpu& a, const Gpu& b) { return set_output(same, &a == &b); });
}

NVML_API Return nvmlDeviceGetNvLinkState(DeviceHandle device, unsigned link, unsigned* active) {
    return with_gpu(device, [&](const Gpu& gpu) {
        return link < static_cast<unsigned>(gpu.model->nvlinks) ? set_output(active, kEnabled) : kInvalidArgument;
    });
}

NVML_API Return nvmlDeviceGetNvLinkErrorCounter(DeviceHandle device, unsigned link, unsigned,
                                                unsigned long long* count) {
    return with_gpu(device, [&](const Gpu& gpu) {
        return link < static_cast<unsigned>(gpu.model->nvlinks) ? set_output(count, 0) : kInvalidArgument;
    });
}

NVML_API Return nvmlDeviceGetCpuAffinity(DeviceHandle device, unsigned words, unsigned long* set) {
    return all_processors(device, words, set);
}

NVML_API Return nvmlDeviceGetCpuAffinityWithinScope(DeviceHandle device, unsigned words, unsigned long* set, unsigned) {
    return all_processors(device, words, set);
}

NVML_API Return nvmlDeviceGetMemoryAffinity(DeviceHandle device, unsigned words, unsigned long* set, unsigned) {
    return with_gpu(device, [&](const Gpu&) {
        if (!set || !words) return kInvalidArgument;
        std::memset(set, 0, words * sizeof *set);
        set[0] = 1;
        return kSuccess;
    });
}

}  // namespace cudafault::sim::nvml
