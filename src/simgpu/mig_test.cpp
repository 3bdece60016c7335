// SPDX-License-Identifier: Apache-2.0
// Tests how NVML and the driver report MIG devices. SIM_MACHINE describes the simulated machine.
#include <cstring>
#include <string>

#include "simgpu/nvml/nvml_testing.hpp"

namespace cudafault::sim::nvml {
namespace {

constexpr unsigned k1Slice = 0, k3Slice = 2, k7Slice = 4, k8Slice = 5;  // NVML_GPU_INSTANCE_PROFILE_*
constexpr unsigned k1SliceId = 19, k3SliceId = 9;

// NVML structures that the tests read.
struct ProfileInfo {
    unsigned id, peer_to_peer, slices, instances, multiprocessors, copy_engines, decoders, encoders, jpeg_engines,
        ofa_engines;
    unsigned long long memory_mib;
};
struct ProfileInfoV2 {
    unsigned version, id, peer_to_peer, slices, instances, multiprocessors, engines[5];
    unsigned long long memory_mib;
    char name[96];
};
struct Attributes {
    unsigned multiprocessors, copy_engines, decoders, encoders, jpeg_engines, ofa_engines, gpu_instance_slices,
        compute_instance_slices;
    unsigned long long memory_mib;
};
struct Placement {
    unsigned start, size;
};
struct InstanceInfo {
    DeviceHandle device;
    unsigned id, profile;
    Placement placement;
};
struct ComputeInstanceInfo {
    DeviceHandle device;
    const void* gpu_instance;
    unsigned id, profile;
    Placement placement;
};

class Mig : public Nvml {
protected:
    static DeviceHandle mig_device(unsigned gpu_index, unsigned index) {
        DeviceHandle handle = nullptr;
        EXPECT_EQ(nvml("nvmlDeviceGetMigDeviceHandleByIndex", device(gpu_index), index, &handle), kSuccess);
        return handle;
    }

    static unsigned number(const char* function, DeviceHandle handle) {
        unsigned value = 99;
        EXPECT_EQ(nvml(function, handle, &value), kSuccess) << function;
        return value;
    }
};

TEST_F(Mig, ModeIsReportedForEachGpu) {
    for (const auto& [index, enabled] : {std::pair{0u, 1u}, {1u, 0u}, {2u, 1u}}) {
        unsigned current = 9, pending = 9;
        EXPECT_EQ(nvml("nvmlDeviceGetMigMode", device(index), &current, &pending), kSuccess);
        EXPECT_EQ(current, enabled);
        EXPECT_EQ(pending, enabled);
        EXPECT_EQ(number("nvmlDeviceGetMaxMigDeviceCount", device(index)), enabled * 7);
        EXPECT_EQ(number("nvmlDeviceIsMigDeviceHandle", device(index)), 0u);
    }
}

TEST_F(Mig, FindsEveryDeviceByIndexAndUuid) {
    DeviceHandle handle = nullptr, parent = nullptr;
    for (unsigned index = 0; index < 3; ++index) {
        const DeviceHandle mig = mig_device(0, index);
        EXPECT_EQ(number("nvmlDeviceIsMigDeviceHandle", mig), 1u);
        EXPECT_EQ(number("nvmlDeviceGetIndex", mig), index);
        EXPECT_EQ(number("nvmlDeviceGetComputeInstanceId", mig), 0u);
        EXPECT_EQ(nvml("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", mig, &parent), kSuccess);
        EXPECT_EQ(parent, device(0));
        const std::string uuid = text("nvmlDeviceGetUUID", mig);
        EXPECT_EQ(uuid.substr(0, 4), "MIG-");
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUID", uuid.c_str(), &handle), kSuccess);
        EXPECT_EQ(handle, mig);
    }
    EXPECT_EQ(nvml("nvmlDeviceGetMigDeviceHandleByIndex", device(0), 3u, &handle), kNotFound);
    EXPECT_EQ(nvml("nvmlDeviceGetMigDeviceHandleByIndex", device(1), 0u, &handle), kNotSupported) << "MIG is disabled";
    EXPECT_EQ(nvml("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", device(0), &handle), kInvalidArgument);
    EXPECT_EQ(text("nvmlDeviceGetName", mig_device(0, 0)), "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
    EXPECT_EQ(number("nvmlDeviceGetGpuInstanceId", mig_device(0, 0)), 2u);
    EXPECT_EQ(number("nvmlDeviceGetGpuInstanceId", mig_device(0, 2)), 10u);
    unsigned id = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceId", device(0), &id), kNotSupported);
}

TEST_F(Mig, DeviceHasItsSliceOfMemoryAndEngines) {
    Memory memory{};
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", mig_device(0, 0), &memory), kSuccess);
    EXPECT_EQ(memory.total, testing::kGpuBytes / 2);
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", device(0), &memory), kSuccess);
    EXPECT_EQ(memory.total, testing::kGpuBytes);
    Attributes attributes{};
    EXPECT_EQ(nvml("nvmlDeviceGetAttributes_v2", mig_device(0, 0), &attributes), kSuccess);
    EXPECT_EQ(attributes.multiprocessors, 60u);
    EXPECT_EQ(attributes.decoders, 3u);
    EXPECT_EQ(attributes.gpu_instance_slices, 3u);
    EXPECT_EQ(attributes.memory_mib, testing::kGpuBytes / 2 >> 20);
    unsigned processes = 9;
    void* nowhere = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", mig_device(0, 0), &processes, nowhere), kSuccess);
    EXPECT_EQ(processes, 0u);
}

TEST_F(Mig, WholeGpuReadingsAreNotSupportedForMigDevices) {
    unsigned value = 0;
    Utilization utilization{};
    EXPECT_EQ(nvml("nvmlDeviceGetTemperature", mig_device(0, 0), 0, &value), kNotSupported);
    EXPECT_EQ(nvml("nvmlDeviceGetPowerUsage", mig_device(0, 0), &value), kNotSupported);
    EXPECT_EQ(nvml("nvmlDeviceGetNumaNodeId", mig_device(0, 0), &value), kNotSupported)
        << "the row applies to GPUs only";
    EXPECT_EQ(nvml("nvmlDeviceGetUtilizationRates", device(0), &utilization), kNotSupported) << "MIG is enabled";
    EXPECT_EQ(nvml("nvmlDeviceGetJpgUtilization", device(0), &value, &value), kNotSupported) << "MIG is enabled";
    EXPECT_EQ(nvml("nvmlDeviceGetUtilizationRates", device(1), &utilization), kSuccess);
    EXPECT_EQ(nvml("nvmlDeviceGetPowerUsage", device(0), &value), kSuccess);
}

TEST_F(Mig, ReturnsProfilesAndPlacements) {
    ProfileInfo info{};
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfo", device(0), k3Slice, &info), kSuccess);
    EXPECT_EQ(info.id, k3SliceId);
    EXPECT_EQ(info.instances, 2u);
    EXPECT_EQ(info.multiprocessors, 60u);
    EXPECT_EQ(info.memory_mib, 40448u);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfo", device(0), k7Slice, &info), kSuccess);
    EXPECT_EQ(info.ofa_engines, 1u);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfo", device(0), k8Slice, &info), kNotSupported);
    ProfileInfoV2 named{};
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfoV", device(2), k1Slice, &named), kArgumentVersionMismatch);
    named.version = struct_version(sizeof named, 2);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceProfileInfoV", device(2), k1Slice, &named), kSuccess);
    EXPECT_STREQ(named.name, "MIG 1g.10gb");
    EXPECT_EQ(named.multiprocessors, 14u);
    Placement placements[8] = {};
    unsigned count = 8;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstancePossiblePlacements_v2", device(0), k3SliceId, &placements[0], &count),
              kSuccess);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(placements[1].start, 4u);
    EXPECT_EQ(placements[1].size, 4u);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceRemainingCapacity", device(0), k1SliceId, &count), kSuccess);
    EXPECT_EQ(count, 2u) << "3g.40gb uses the upper half, and two instances use half of the lower half";
}

TEST_F(Mig, GpuListsItsInstances) {
    const void* instances[7] = {};
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstances", device(0), k1SliceId, &instances[0], &count), kSuccess);
    ASSERT_EQ(count, 2u);
    InstanceInfo info{};
    EXPECT_EQ(nvml("nvmlGpuInstanceGetInfo", instances[1], &info), kSuccess);
    EXPECT_EQ(info.device, device(0));
    EXPECT_EQ(info.id, 10u);
    EXPECT_EQ(info.profile, k1SliceId);
    EXPECT_EQ(info.placement.start, 3u);
    const void* found = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceById", device(0), 10u, &found), kSuccess);
    EXPECT_EQ(found, instances[1]);
    EXPECT_EQ(nvml("nvmlDeviceGetGpuInstanceById", device(0), 1u, &found), kNotFound);
    const void* compute = nullptr;
    ComputeInstanceInfo detail{};
    EXPECT_EQ(nvml("nvmlGpuInstanceGetComputeInstances", instances[1], 0u, &compute, &count), kSuccess);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(nvml("nvmlComputeInstanceGetInfo_v2", compute, &detail), kSuccess);
    EXPECT_EQ(detail.gpu_instance, instances[1]);
    EXPECT_EQ(detail.placement.size, 1u);
    EXPECT_EQ(nvml("nvmlGpuInstanceGetInfo", static_cast<const void*>(device(0)), &info), kInvalidArgument);
}

// The driver reads CUDA_VISIBLE_DEVICES once for each process, so this test uses a single value.
TEST_F(Mig, DriverEnumeratesOnlyTheVisibleDevice) {
    const DeviceHandle mig = mig_device(0, 1);
    const std::string uuid = text("nvmlDeviceGetUUID", mig);
    setenv("CUDA_VISIBLE_DEVICES", uuid.c_str(), 1);
    void* driver = testing::open_library(SIM_DRIVER);
    const auto cu = [&](const char* name, auto... arguments) { return testing::call<int>(driver, name, arguments...); };
    int count = 0, multiprocessors = 0, bus = 0;
    size_t bytes = 0;
    char name[96] = "";
    Uuid own{}, whole{};
    ASSERT_EQ(cu("cuInit", 0u), 0);
    EXPECT_EQ(cu("cuDeviceGetCount", &count), 0);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(cu("cuDeviceGetName", &name[0], int{sizeof name}, 0), 0);
    EXPECT_EQ(text("nvmlDeviceGetName", mig), name);
    EXPECT_EQ(cu("cuDeviceGetAttribute", &multiprocessors, 16, 0), 0);
    EXPECT_EQ(multiprocessors, 16);
    EXPECT_EQ(cu("cuDeviceGetAttribute", &bus, 33, 0), 0);
    EXPECT_EQ(bus, 0x10) << "the PCI address is that of the GPU";
    EXPECT_EQ(cu("cuDeviceTotalMem_v2", &bytes, 0), 0);
    EXPECT_EQ(bytes, testing::kGpuBytes / 8);
    EXPECT_EQ(cu("cuDeviceGetUuid_v2", &own, 0), 0);
    EXPECT_EQ(std::memcmp(&own, &mig->uuid, sizeof own), 0);
    EXPECT_EQ(cu("cuDeviceGetUuid", &whole, 0), 0);
    EXPECT_EQ(std::memcmp(&whole, &device(0)->uuid, sizeof whole), 0) << "version 1 returns the UUID of the GPU";
    unsetenv("CUDA_VISIBLE_DEVICES");
}

}  // namespace
}  // namespace cudafault::sim::nvml
