// SPDX-License-Identifier: Apache-2.0
// Implements the NVML functions for MIG devices, GPU instances and compute instances. A GPU instance has one compute
// instance of the same size, so the handle of either is the address of the MIG device.
#include "simgpu/mig.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "simgpu/nvml/nvml.hpp"

namespace cudafault::sim::nvml {
namespace {

using InstanceHandle = const Gpu*;

constexpr unsigned kSharedEngines = 0;  // NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED

struct Placement {
    unsigned start, size;
};

// Has the layout of nvmlGpuInstanceProfileInfo_t. Version 2 adds a version before these fields and a name after them.
// Version 3 has no peer_to_peer, and adds capabilities after the name.
struct GpuInstanceProfile {
    unsigned id, peer_to_peer, slices, instances, multiprocessors, copy_engines, decoders, encoders, jpeg_engines,
        ofa_engines;
    unsigned long long memory_mib;
};

struct GpuInstanceProfileV2 {
    unsigned version, id, peer_to_peer, slices, instances, multiprocessors, copy_engines, decoders, encoders,
        jpeg_engines, ofa_engines;
    unsigned long long memory_mib;
    char name[96];
};

struct GpuInstanceProfileV3 {
    unsigned version, id, slices, instances, multiprocessors, copy_engines, decoders, encoders, jpeg_engines,
        ofa_engines;
    unsigned long long memory_mib;
    char name[96];
    unsigned capabilities;
};

struct GpuInstanceInfo {
    DeviceHandle device;
    unsigned id, profile;
    Placement placement;
};

struct ComputeInstanceProfile {
    unsigned id, slices, instances, multiprocessors, copy_engines, decoders, encoders, jpeg_engines, ofa_engines;
};

struct ComputeInstanceProfileV2 {
    unsigned version;
    ComputeInstanceProfile profile;
    char name[96];
};

struct ComputeInstanceProfileV3 {
    unsigned version;
    ComputeInstanceProfile profile;
    char name[96];
    unsigned capabilities;
};

struct ComputeInstanceInfo {
    DeviceHandle device;
    InstanceHandle gpu_instance;
    unsigned id, profile;
    Placement placement;
};

GpuInstanceProfile describe(const MigProfile& p) {
    const GpuModel& device = p.device;
    return {p.id,
            0,
            p.slices,
            count_free_places(p, 0),
            static_cast<unsigned>(device.multiprocessors),
            static_cast<unsigned>(device.copy_engines),
            p.decoders,
            0,
            p.jpeg_engines,
            p.ofa_engines,
            device.memory_bytes >> 20};
}

void copy_name(char (&out)[96], const MigProfile& p) {
    set_text_output(out, sizeof out, std::string("MIG ").append(p.name));
}

template <typename Matches>
const MigProfile* find_profile(const Gpu& gpu, Matches matches) {
    const MigProfile* end = gpu.model->mig_profiles + gpu.model->mig_profile_count;
    const MigProfile* found = std::find_if(gpu.model->mig_profiles, end, matches);
    return found == end ? nullptr : found;
}

const MigProfile* profile_by_number(const Gpu& gpu, unsigned number) {
    return find_profile(gpu, [&](const MigProfile& p) { return p.nvml_profile == number; });
}

const MigProfile* profile_by_id(const Gpu& gpu, unsigned id) {
    return find_profile(gpu, [&](const MigProfile& p) { return p.id == id; });
}

// Fills version 2 or 3 of the structure. The caller selects the version in the structure's version field.
Return fill_profile(const MigProfile* p, void* out) {
    if (!out) return kInvalidArgument;
    if (!p) return kNotSupported;
    unsigned version = 0;
    std::memcpy(&version, out, sizeof version);
    const GpuInstanceProfile d = describe(*p);
    if (version == struct_version(sizeof(GpuInstanceProfileV2), 2)) {
        GpuInstanceProfileV2 v2{version,
                                d.id,
                                d.peer_to_peer,
                                d.slices,
                                d.instances,
                                d.multiprocessors,
                                d.copy_engines,
                                d.decoders,
                                d.encoders,
                                d.jpeg_engines,
                                d.ofa_engines,
                                d.memory_mib,
                                {}};
        copy_name(v2.name, *p);
        return set_output(static_cast<GpuInstanceProfileV2*>(out), v2);
    }
    if (version != struct_version(sizeof(GpuInstanceProfileV3), 3)) return kArgumentVersionMismatch;
    GpuInstanceProfileV3 v3{version,        d.id,       d.slices,   d.instances,    d.multiprocessors,
                            d.copy_engines, d.decoders, d.encoders, d.jpeg_engines, d.ofa_engines,
                            d.memory_mib,   {},         0};
    copy_name(v3.name, *p);
    return set_output(static_cast<GpuInstanceProfileV3*>(out), v3);
}

// Runs body(const Gpu&) for a GPU that has MIG enabled.
template <typename Body>
Return with_mig_enabled_gpu(DeviceHandle device, Body body) {
    return with_gpu(device, [&](const Gpu& gpu) { return gpu.has_mig_enabled() ? body(gpu) : kNotSupported; });
}

// Runs body(const Gpu&, const MigProfile&) for a GPU that has MIG enabled and the profile with this ID.
template <typename Body>
Return with_profile(DeviceHandle device, unsigned id, Body body) {
    return with_mig_enabled_gpu(device, [&](const Gpu& gpu) {
        const MigProfile* profile = profile_by_id(gpu, id);
        return profile ? body(gpu, *profile) : kNotSupported;
    });
}

// Runs body(const Gpu&), with the MIG device, for a GPU instance or a compute instance.
template <typename Body>
Return with_instance(InstanceHandle instance, Body body) {
    return with_device(instance, [&](const Gpu& mig) { return mig.is_mig_device() ? body(mig) : kInvalidArgument; });
}

// Returns the number of the profile of a compute instance with all slices of its GPU instance. The profile ID is the
// same.
unsigned whole_compute_profile(const Gpu& mig) {
    constexpr unsigned kNumbers[] = {0, 0, 1, 2, 3, 0, 0, 4};  // NVML_COMPUTE_INSTANCE_PROFILE_* by slices
    return kNumbers[mig.profile->slices];
}

ComputeInstanceProfile describe_compute_instance(const Gpu& mig) {
    const GpuInstanceProfile d = describe(*mig.profile);
    return {whole_compute_profile(mig),
            d.slices,
            1,
            d.multiprocessors,
            d.copy_engines,
            d.decoders,
            d.encoders,
            d.jpeg_engines,
            d.ofa_engines};
}

// Sets version, profile and name of ComputeInstanceProfileV2 or ComputeInstanceProfileV3.
template <typename Structure>
Return fill_compute_profile(const Gpu& mig, void* out) {
    auto* structure = static_cast<Structure*>(out);
    const unsigned version = structure->version;
    *structure = {};
    structure->version = version;
    structure->profile = describe_compute_instance(mig);
    copy_name(structure->name, *mig.profile);
    return kSuccess;
}

unsigned used_slices(const Gpu& gpu) {
    unsigned used = 0;
    for (const Gpu& mig : gpu.mig_devices) used |= memory_slices_of(mig);
    return used;
}

}  // namespace

NVML_API Return nvmlDeviceGetMigDeviceHandleByIndex(DeviceHandle device, unsigned index, DeviceHandle* out) {
    return with_mig_enabled_gpu(device, [&](const Gpu& gpu) {
        return index < gpu.mig_devices.size() ? set_output(out, &gpu.mig_devices[index]) : kNotFound;
    });
}

NVML_API Return nvmlDeviceGetDeviceHandleFromMigDeviceHandle(DeviceHandle device, DeviceHandle* out) {
    return with_instance(device, [&](const Gpu& mig) { return set_output(out, whole_gpu(machine(), &mig)); });
}

NVML_API Return nvmlDeviceGetGpuInstanceProfileInfo(DeviceHandle device, unsigned number, GpuInstanceProfile* out) {
    return with_gpu(device, [&](const Gpu& gpu) {
        const MigProfile* profile = profile_by_number(gpu, number);
        return profile ? set_output(out, describe(*profile)) : kNotSupported;
    });
}

NVML_API Return nvmlDeviceGetGpuInstanceProfileInfoV(DeviceHandle device, unsigned number, void* out) {
    return with_gpu(device, [&](const Gpu& gpu) { return fill_profile(profile_by_number(gpu, number), out); });
}

NVML_API Return nvmlDeviceGetGpuInstanceProfileInfoByIdV(DeviceHandle device, unsigned id, void* out) {
    return with_gpu(device, [&](const Gpu& gpu) { return fill_profile(profile_by_id(gpu, id), out); });
}

// If the buffer is null, only counts the placements.
NVML_API Return nvmlDeviceGetGpuInstancePossiblePlacements_v2(DeviceHandle device, unsigned id, Placement* out,
                                                              unsigned* count) {
    return with_gpu(device, [&](const Gpu& gpu) {
        const MigProfile* profile = profile_by_id(gpu, id);
        if (!profile) return kNotSupported;
        const unsigned needed = count_free_places(*profile, 0);
        if (!count) return kInvalidArgument;
        if (out && *count < needed) return kInsufficientSize;
        *count = needed;
        for (unsigned start = 0; out && start < kMemorySlices; ++start) {
            if (can_start_at(*profile, start)) *out++ = {start, profile->memory_slices};
        }
        return kSuccess;
    });
}
NVML_ALIAS(nvmlDeviceGetGpuInstancePossiblePlacements, nvmlDeviceGetGpuInstancePossiblePlacements_v2,
           (DeviceHandle device, unsigned id, Placement* out, unsigned* count), (device, id, out, count))

NVML_API Return nvmlDeviceGetGpuInstanceRemainingCapacity(DeviceHandle device, unsigned id, unsigned* count) {
    return with_profile(device, id, [&](const Gpu& gpu, const MigProfile& profile) {
        return set_output(count, count_free_places(profile, used_slices(gpu)));
    });
}

NVML_API Return nvmlDeviceGetGpuInstances(DeviceHandle device, unsigned id, InstanceHandle* out, unsigned* count) {
    return with_profile(device, id, [&](const Gpu& gpu, const MigProfile& profile) {
        if (!out || !count) return kInvalidArgument;
        *count = 0;
        for (const Gpu& mig : gpu.mig_devices) {
            if (mig.profile == &profile) out[(*count)++] = &mig;
        }
        return kSuccess;
    });
}

NVML_API Return nvmlDeviceGetGpuInstanceById(DeviceHandle device, unsigned id, InstanceHandle* out) {
    return with_mig_enabled_gpu(device, [&](const Gpu& gpu) {
        for (const Gpu& mig : gpu.mig_devices) {
            if (gpu_instance_id(mig) == id) return set_output(out, &mig);
        }
        return kNotFound;
    });
}

NVML_API Return nvmlGpuInstanceGetInfo(InstanceHandle instance, GpuInstanceInfo* out) {
    return with_instance(instance, [&](const Gpu& mig) {
        return set_output(out, GpuInstanceInfo{whole_gpu(machine(), &mig),
                                               gpu_instance_id(mig),
                                               mig.profile->id,
                                               {mig.first_slice, mig.profile->memory_slices}});
    });
}

NVML_API Return nvmlGpuInstanceGetComputeInstanceProfileInfo(InstanceHandle instance, unsigned number, unsigned engines,
                                                             ComputeInstanceProfile* out) {
    return with_instance(instance, [&](const Gpu& mig) {
        if (number != whole_compute_profile(mig) || engines != kSharedEngines) return kNotSupported;
        return set_output(out, describe_compute_instance(mig));
    });
}

NVML_API Return nvmlGpuInstanceGetComputeInstanceProfileInfoV(InstanceHandle instance, unsigned number,
                                                              unsigned engines, void* out) {
    return with_instance(instance, [&](const Gpu& mig) {
        if (!out) return kInvalidArgument;
        if (number != whole_compute_profile(mig) || engines != kSharedEngines) return kNotSupported;
        unsigned version = 0;
        std::memcpy(&version, out, sizeof version);
        if (version == struct_version(sizeof(ComputeInstanceProfileV2), 2)) {
            return fill_compute_profile<ComputeInstanceProfileV2>(mig, out);
        }
        if (version != struct_version(sizeof(ComputeInstanceProfileV3), 3)) return kArgumentVersionMismatch;
        return fill_compute_profile<ComputeInstanceProfileV3>(mig, out);
    });
}

NVML_API Return nvmlGpuInstanceGetComputeInstances(InstanceHandle instance, unsigned id, InstanceHandle* out,
                                                   unsigned* count) {
    return with_instance(instance, [&](const Gpu& mig) {
        if (!out || !count) return kInvalidArgument;
        *count = id == whole_compute_profile(mig);
        if (*count) *out = &mig;
        return kSuccess;
    });
}

NVML_API Return nvmlGpuInstanceGetComputeInstanceById(InstanceHandle instance, unsigned id, InstanceHandle* out) {
    return with_instance(instance, [&](const Gpu& mig) { return id == 0 ? set_output(out, &mig) : kNotFound; });
}

NVML_API Return nvmlGpuInstanceGetComputeInstanceRemainingCapacity(InstanceHandle instance, unsigned, unsigned* count) {
    return with_instance(instance, [&](const Gpu&) { return set_output(count, 0); });
}

NVML_API Return nvmlComputeInstanceGetInfo_v2(InstanceHandle instance, ComputeInstanceInfo* out) {
    return with_instance(instance, [&](const Gpu& mig) {
        return set_output(
            out, ComputeInstanceInfo{
                     whole_gpu(machine(), &mig), &mig, 0, whole_compute_profile(mig), {0, mig.profile->slices}});
    });
}

// The first version of the structure ends before the placement.
NVML_API Return nvmlComputeInstanceGetInfo(InstanceHandle instance, ComputeInstanceInfo* out) {
    ComputeInstanceInfo info{};
    const Return result = nvmlComputeInstanceGetInfo_v2(instance, &info);
    if (result) return result;
    if (!out) return kInvalidArgument;
    std::memcpy(static_cast<void*>(out), &info, offsetof(ComputeInstanceInfo, placement));
    return kSuccess;
}

}  // namespace cudafault::sim::nvml
