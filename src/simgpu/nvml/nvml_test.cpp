// SPDX-License-Identifier: Apache-2.0
// Tests the simulated NVML through its exports.
#include "simgpu/nvml/nvml.hpp"

#include <cstring>
#include <set>

#include "simgpu/nvml/nvml_testing.hpp"

namespace cudafault::sim::nvml {
namespace {

TEST(NvmlExports, AreCompleteAndHaveDistinctAddresses) {
    std::set<void*> addresses;
    const auto rows = testing::read_tsv(SIM_DATA "/nvml.tsv");
    for (const testing::Row& row : rows) {
        void* address = dlsym(library(), row.at("export").c_str());
        EXPECT_TRUE(address) << row.at("export");
        EXPECT_TRUE(addresses.insert(address).second)
            << row.at("export") << " has the same address as another function";
    }
    EXPECT_GT(rows.size(), 300u);
}

TEST(NvmlInitialization, IsReferenceCounted) {
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), kUninitialized);
    EXPECT_EQ(nvml("nvmlShutdown"), kUninitialized);
    EXPECT_EQ(nvml("nvmlDeviceGetVgpuMetadata"), kUninitialized) << "stubs also require initialization";
    EXPECT_EQ(nvml("nvmlInit_v2"), kSuccess);
    EXPECT_EQ(nvml("nvmlInitWithFlags", 0u), kSuccess);
    EXPECT_EQ(nvml("nvmlShutdown"), kSuccess);
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), kSuccess);
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(nvml("nvmlDeviceGetVgpuMetadata"), kNotSupported);
    EXPECT_EQ(nvml("nvmlShutdown"), kSuccess);
}

TEST_F(Nvml, FindsDevicesByEachIdentifier) {
    for (unsigned index = 0; index < 3; ++index) {
        const DeviceHandle handle = device(index);
        DeviceHandle found = nullptr;
        unsigned number = 99;
        EXPECT_EQ(nvml("nvmlDeviceGetIndex", handle, &number), kSuccess);
        EXPECT_EQ(number, index);
        const std::string uuid = text("nvmlDeviceGetUUID", handle);
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUID", uuid.c_str(), &found), kSuccess);
        EXPECT_EQ(found, handle);
        PciInfo pci{};
        EXPECT_EQ(nvml("nvmlDeviceGetPciInfo_v3", handle, &pci), kSuccess);
        found = nullptr;
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByPciBusId_v2", static_cast<const char*>(pci.id), &found), kSuccess);
        EXPECT_EQ(found, handle);
    }
    DeviceHandle found = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetHandleByIndex_v2", 3u, &found), kInvalidArgument);
    EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUID", static_cast<const char*>("GPU-0"), &found), kNotFound);
    EXPECT_EQ(nvml("nvmlDeviceGetHandleByPciBusId_v2", static_cast<const char*>("0000:ff:00.0"), &found), kNotFound);
}

TEST_F(Nvml, FindsDevicesBySerialNumberAndByUuidStructure) {
    struct {
        unsigned version, type;
        char uuid[41];
    } argument{};
    static_assert(sizeof argument == 52);
    constexpr unsigned kText = 1, kBinary = 2;
    for (unsigned index = 0; index < 3; ++index) {
        const DeviceHandle handle = device(index);
        DeviceHandle found = nullptr;
        const std::string serial = text("nvmlDeviceGetSerial", handle), uuid = text("nvmlDeviceGetUUID", handle);
        EXPECT_EQ(nvml("nvmlDeviceGetHandleBySerial", serial.c_str(), &found), kSuccess);
        EXPECT_EQ(found, handle);
        argument.version = struct_version(sizeof argument, 1);
        argument.type = kText;
        std::snprintf(argument.uuid, sizeof argument.uuid, "%s", uuid.c_str());
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUIDV", &argument, &found), kSuccess);
        EXPECT_EQ(found, handle);
        argument.type = kBinary;
        std::memcpy(argument.uuid, &handle->uuid, sizeof handle->uuid);
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUIDV", &argument, &found), kSuccess);
        EXPECT_EQ(found, handle);
        argument.version = 0;
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByUUIDV", &argument, &found), kArgumentVersionMismatch);
    }
}

TEST_F(Nvml, NearestGpusHaveTheRequestedLevel) {
    constexpr int kNode = 40, kSingleSwitch = 10;
    DeviceHandle near[2] = {};
    DeviceHandle* no_buffer = nullptr;
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetTopologyNearestGpus", device(1), kNode, &count, no_buffer), kSuccess);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(nvml("nvmlDeviceGetTopologyNearestGpus", device(1), kNode, &count, &near[0]), kSuccess);
    EXPECT_EQ(near[0], device(0));
    EXPECT_EQ(near[1], device(2));
    EXPECT_EQ(nvml("nvmlDeviceGetTopologyNearestGpus", device(1), kSingleSwitch, &count, &near[0]), kSuccess);
    EXPECT_EQ(count, 0u);
}

TEST_F(Nvml, OnlyPerformanceState0IsSupported) {
    constexpr int kUnknown = 32;
    int states[4] = {};
    EXPECT_EQ(nvml("nvmlDeviceGetSupportedPerformanceStates", device(0), &states[0], unsigned{sizeof states}),
              kSuccess);
    EXPECT_EQ(states[0], 0);
    for (int i : {1, 2, 3}) EXPECT_EQ(states[i], kUnknown);
}

TEST_F(Nvml, FieldsHaveTheValuesOfTheGetters) {
    constexpr unsigned kEccMode = 1, kLinkVersion = 166, kPower = 186, kShutdownLimit = 193,
                       kUnknown = 9999;  // NVML_FI_*
    FieldValue values[] = {{kEccMode, 0, 0, 0, 0, kSuccess, 0},      {kPower, 0, 0, 0, 0, kSuccess, 0},
                           {kLinkVersion, 17, 0, 0, 0, kSuccess, 0}, {kShutdownLimit, 0, 0, 0, 0, kSuccess, 0},
                           {kUnknown, 0, 0, 0, 0, kSuccess, 0},      {kLinkVersion, 18, 0, 0, 0, kSuccess, 0}};
    unsigned power = 0, version = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetFieldValues", device(0), 6, &values[0]), kSuccess);
    EXPECT_EQ(nvml("nvmlDeviceGetPowerUsage", device(0), &power), kSuccess);
    EXPECT_EQ(nvml("nvmlDeviceGetNvLinkVersion", device(0), 17u, &version), kSuccess);
    for (int known : {0, 1, 2, 3}) EXPECT_EQ(values[known].result, kSuccess) << "value " << known;
    EXPECT_EQ(values[0].value, 1u);
    EXPECT_EQ(values[1].value, power);
    EXPECT_EQ(values[2].value, version);
    EXPECT_EQ(static_cast<int>(values[3].value), -8);
    EXPECT_EQ(values[3].value_type, 5) << "NVML_VALUE_TYPE_SIGNED_INT";
    EXPECT_GT(values[0].timestamp, 0);
    EXPECT_EQ(values[4].result, kNotSupported);
    EXPECT_EQ(values[5].result, kInvalidArgument) << "the GPU has links 0 to 17";
    EXPECT_EQ(nvml("nvmlDeviceGetFieldValues", device(2), 1, &values[2]), kSuccess);
    EXPECT_EQ(values[2].result, kNotSupported) << "an L4 does not have NVLink";
    EXPECT_EQ(nvml("nvmlDeviceGetFieldValues", device(0), 0, &values[0]), kInvalidArgument);
}

TEST_F(Nvml, IgnoresCudaVisibleDevices) {
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    unsigned count = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetCount_v2", &count), kSuccess);
    EXPECT_EQ(count, 3u);
    unsetenv("CUDA_VISIBLE_DEVICES");
}

TEST_F(Nvml, ReportsTheSameGpusAsTheDriver) {
    void* driver = testing::open_library(SIM_DRIVER);
    ASSERT_EQ(testing::call<int>(driver, "cuInit", 0u), 0);
    for (int index = 0; index < 3; ++index) {
        const DeviceHandle handle = device(static_cast<unsigned>(index));
        char name[96] = "", id[32] = "";
        Uuid uuid{};
        ASSERT_EQ(testing::call<int>(driver, "cuDeviceGetName", &name[0], int{sizeof name}, index), 0);
        ASSERT_EQ(testing::call<int>(driver, "cuDeviceGetPCIBusId", &id[0], int{sizeof id}, index), 0);
        ASSERT_EQ(testing::call<int>(driver, "cuDeviceGetUuid_v2", &uuid, index), 0);
        EXPECT_EQ(text("nvmlDeviceGetName", handle), name);
        char first_byte[8];
        std::snprintf(first_byte, sizeof first_byte, "GPU-%02x", uuid.bytes[0]);
        EXPECT_TRUE(text("nvmlDeviceGetUUID", handle).starts_with(first_byte));
        PciInfo pci{};
        EXPECT_EQ(nvml("nvmlDeviceGetPciInfo_v3", handle, &pci), kSuccess);
        EXPECT_STREQ(pci.legacy_id, id);
    }
}

TEST_F(Nvml, ReportsTheMemoryOfTheMachine) {
    Memory memory{};
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo", device(0), &memory), kSuccess);
    EXPECT_EQ(memory.total, testing::kGpuBytes);
    EXPECT_EQ(memory.total, memory.free + memory.used);
    MemoryV2 newer{};
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo_v2", device(0), &newer), kArgumentVersionMismatch);
    newer.version = sizeof newer | 2u << 24;
    EXPECT_EQ(nvml("nvmlDeviceGetMemoryInfo_v2", device(0), &newer), kSuccess);
    EXPECT_EQ(newer.total, newer.free + newer.used + newer.reserved);
}

TEST_F(Nvml, OldPciInfoCallWritesOnlyTheOldFields) {
    PciInfo pci;
    std::memset(static_cast<void*>(&pci), 0x5a, sizeof pci);
    EXPECT_EQ(nvml("nvmlDeviceGetPciInfo", device(0), &pci), kSuccess);
    EXPECT_EQ(pci.id[0], 0x5a);
    EXPECT_STREQ(pci.legacy_id, "0000:10:00.0");
}

TEST_F(Nvml, ReportsIdleAndHealthyGpus) {
    const DeviceHandle handle = device(2);
    unsigned value = 99, limit = 0, major = 0;
    unsigned long long errors = 99;
    Utilization utilization{9, 9};
    EXPECT_EQ(nvml("nvmlDeviceGetUtilizationRates", handle, &utilization), kSuccess);
    EXPECT_EQ(utilization.gpu, 0u);
    EXPECT_EQ(nvml("nvmlDeviceGetTemperature", handle, 0, &value), kSuccess);
    EXPECT_LT(value, 60u);
    EXPECT_EQ(nvml("nvmlDeviceGetPowerUsage", handle, &value), kSuccess);
    EXPECT_EQ(nvml("nvmlDeviceGetEnforcedPowerLimit", handle, &limit), kSuccess);
    EXPECT_EQ(limit, 72000u);
    EXPECT_LT(value, limit);
    EXPECT_EQ(nvml("nvmlDeviceGetTotalEccErrors", handle, 1u, 0u, &errors), kSuccess);
    EXPECT_EQ(errors, 0u);
    value = 5;
    void* nowhere = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetComputeRunningProcesses_v3", handle, &value, nowhere), kSuccess);
    EXPECT_EQ(value, 0u);
    EXPECT_EQ(nvml("nvmlDeviceGetCudaComputeCapability", handle, &major, &value), kSuccess);
    EXPECT_EQ(major, 8u);
    EXPECT_EQ(value, 9u);
    EXPECT_EQ(nvml("nvmlDeviceGetMigMode", handle, &value, &major), kNotSupported) << "an L4 does not support MIG";
}

// Tests each row with each model that it names, because the library interprets the rows only when a program calls the
// functions. The arguments point to large buffers that start with the structure version that the row expects.
TEST_F(Nvml, EveryRowOfTheTableReturnsItsStatus) {
    const std::vector<testing::Row> rows = testing::read_tsv(SIM_DATA "/nvml_answers.tsv");
    ASSERT_GT(rows.size(), 60u);
    for (const testing::Row& row : rows) {
        const std::string& models = row.at("models");
        const std::string& parameters = row.at("parameters");
        uint32_t version = 0;
        if (const size_t at = parameters.find('@'); at != std::string::npos) {
            const size_t size = parameters.find(':') + 1;
            version = static_cast<uint32_t>(std::stoul(parameters.substr(size))) |
                      static_cast<uint32_t>(std::stoul(parameters.substr(at + 1))) << 24;
        }
        std::vector<std::vector<char>> buffers(4, std::vector<char>(16384));
        for (std::vector<char>& each : buffers) std::memcpy(each.data(), &version, sizeof version);
        const size_t failing = parameters.find('!');
        const int expected = failing == std::string::npos ? kSuccess : std::stoi(parameters.substr(failing + 1));
        const uintptr_t link = parameters.starts_with("link") ? 0 : reinterpret_cast<uintptr_t>(buffers[0].data());
        // A text buffer's length is the low half of the next argument. In this test, the next argument is an address.
        uintptr_t arguments[] = {link, reinterpret_cast<uintptr_t>(buffers[1].data()),
                                 reinterpret_cast<uintptr_t>(buffers[2].data()),
                                 reinterpret_cast<uintptr_t>(buffers[3].data()), 0};
        if (models == "-") {
            EXPECT_EQ(nvml(row.at("function").c_str(), arguments[0], arguments[1], arguments[2], arguments[3]),
                      expected)
                << row.at("function");
            continue;
        }
        for (unsigned index = 0; index < 3; ++index) {
            const DeviceHandle gpu = device(index);
            if (models != "*" && models.find(gpu->model->key) == std::string::npos) continue;
            EXPECT_EQ(nvml(row.at("function").c_str(), gpu, arguments[0], arguments[1], arguments[2], arguments[3]),
                      expected)
                << row.at("function");
        }
    }
}

TEST_F(Nvml, TableValuesDependOnTheModel) {
    unsigned value = 9, pending = 9;
    EXPECT_EQ(nvml("nvmlDeviceGetMigMode", device(0), &value, &pending), kSuccess);
    EXPECT_EQ(value, 0u);
    EXPECT_EQ(pending, 0u);
    EXPECT_EQ(nvml("nvmlDeviceGetNvLinkVersion", device(0), 0u, &value), kSuccess);
    EXPECT_EQ(value, 6u);
    EXPECT_EQ(nvml("nvmlDeviceGetNvLinkVersion", device(0), 18u, &value), kInvalidArgument)
        << "the GPU has 18 links, from 0 to 17";
    EXPECT_EQ(nvml("nvmlDeviceGetNvLinkVersion", device(2), 0u, &value), kNotSupported) << "an L4 does not have NVLink";
    char version[64] = "", driver[80] = "";
    EXPECT_EQ(nvml("nvmlDeviceGetGspFirmwareVersion", device(0), &version[0]), kSuccess);
    EXPECT_EQ(nvml("nvmlSystemGetDriverVersion", &driver[0], unsigned{sizeof driver}), kSuccess);
    EXPECT_STREQ(version, driver);
    unsigned none = 0;
    EXPECT_EQ(nvml("nvmlDeviceGetIrqNum", DeviceHandle{}, &none), kInvalidArgument);
    unsigned* nowhere = nullptr;
    EXPECT_EQ(nvml("nvmlDeviceGetIrqNum", device(0), nowhere), kInvalidArgument);
}

TEST_F(Nvml, TableFunctionChecksTheStructureVersion) {
    struct {
        uint32_t version, uuid[4], status, clique, state, health, summary;
    } fabric{};
    EXPECT_EQ(nvml("nvmlDeviceGetGpuFabricInfoV", device(0), &fabric), kArgumentVersionMismatch);
    fabric.version = 36 | 2 << 24;
    fabric.summary = 77;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuFabricInfoV", device(0), &fabric), kSuccess);
    EXPECT_EQ(fabric.state, 3u);
    EXPECT_EQ(fabric.summary, 77u) << "version 2 does not have this field";
    fabric.version = 40 | 3 << 24;
    EXPECT_EQ(nvml("nvmlDeviceGetGpuFabricInfoV", device(0), &fabric), kSuccess);
    EXPECT_EQ(fabric.summary, 1u);
}

struct GpmMetric {
    unsigned id;
    Return result;
    double value;
    const char *short_name, *long_name, *unit;
};

struct GpmMetrics {
    unsigned version, count;
    void *first, *second;
    GpmMetric metrics[4];
};

TEST_F(Nvml, MonitorsPerformanceOfGpusFromHopperOn) {
    constexpr unsigned kGraphics = 1, kAllLinks = 60, kLastLinkSent = 97, kC2c = 100;
    unsigned support[] = {1, 99};
    GpmMetrics metrics{1, 4, nullptr, nullptr, {}};
    for (void** sample : {&metrics.first, &metrics.second}) ASSERT_EQ(nvml("nvmlGpmSampleAlloc", sample), kSuccess);
    EXPECT_EQ(nvml("nvmlGpmQueryDeviceSupport", device(0), &support[0]), kSuccess);
    EXPECT_EQ(support[1], 1u);
    EXPECT_EQ(nvml("nvmlGpmMetricsGet", &metrics), kInvalidArgument) << "the samples have not been taken";
    for (void* sample : {metrics.first, metrics.second}) {
        EXPECT_EQ(nvml("nvmlGpmSampleGet", device(0), sample), kSuccess);
    }
    const unsigned ids[] = {kGraphics, kAllLinks, kLastLinkSent, kC2c};
    for (int i = 0; i < 4; ++i) metrics.metrics[i] = {ids[i], kUnknown, -1, "", "", ""};
    EXPECT_EQ(nvml("nvmlGpmMetricsGet", &metrics), kSuccess);
    for (int i = 0; i < 4; ++i) {
        const bool supported = ids[i] != kC2c;
        EXPECT_EQ(metrics.metrics[i].result, supported ? kSuccess : kNotSupported) << ids[i];
        EXPECT_EQ(metrics.metrics[i].value, 0) << ids[i];
    }
    metrics.version = struct_version(sizeof metrics, 1);
    EXPECT_EQ(nvml("nvmlGpmMetricsGet", &metrics), kArgumentVersionMismatch);
    EXPECT_EQ(nvml("nvmlGpmMigSampleGet", device(0), 1u, metrics.first), kNotSupported) << "MIG is not enabled";
    for (void* sample : {metrics.first, metrics.second}) {
        EXPECT_EQ(nvml("nvmlGpmSampleFree", sample), kSuccess);
        EXPECT_EQ(nvml("nvmlGpmSampleFree", sample), kInvalidArgument);
    }
}

TEST_F(Nvml, ListsSupportedClocks) {
    unsigned memory = 0, count = 1;
    EXPECT_EQ(nvml("nvmlDeviceGetSupportedMemoryClocks", device(0), &count, &memory), kSuccess);
    EXPECT_EQ(count, 1u);
    unsigned clocks[200] = {};
    count = 1;
    EXPECT_EQ(nvml("nvmlDeviceGetSupportedGraphicsClocks", device(0), memory, &count, &clocks[0]), kInsufficientSize);
    EXPECT_EQ(count, 110u);
    EXPECT_EQ(nvml("nvmlDeviceGetSupportedGraphicsClocks", device(0), memory, &count, &clocks[0]), kSuccess);
    EXPECT_EQ(clocks[0], 1980u);
    EXPECT_EQ(clocks[1], 1965u);
    EXPECT_EQ(clocks[109], 345u);
    EXPECT_EQ(nvml("nvmlDeviceGetSupportedGraphicsClocks", device(0), memory + 1, &count, &clocks[0]), kNotFound);
}

TEST_F(Nvml, ListsGpusNearAProcessor) {
    unsigned count = 0;
    DeviceHandle* nowhere = nullptr;
    EXPECT_EQ(nvml("nvmlSystemGetTopologyGpuSet", 0u, &count, nowhere), kSuccess);
    ASSERT_EQ(count, 3u);
    DeviceHandle gpus[3] = {};
    EXPECT_EQ(nvml("nvmlSystemGetTopologyGpuSet", 0u, &count, &gpus[0]), kSuccess);
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(gpus[i], device(i));
    EXPECT_EQ(nvml("nvmlSystemGetTopologyGpuSet", 100000u, &count, &gpus[0]), kInvalidArgument);
}

TEST_F(Nvml, WaitForEventsTimesOut) {
    void* set = nullptr;
    EventData data{};
    ASSERT_EQ(nvml("nvmlEventSetCreate", &set), kSuccess);
    EXPECT_EQ(nvml("nvmlDeviceRegisterEvents", device(0), 8ull, set), kSuccess);
    EXPECT_EQ(nvml("nvmlEventSetWait_v2", set, &data, 10u), kTimeout);
    EXPECT_EQ(nvml("nvmlEventSetFree", set), kSuccess);
    EXPECT_EQ(nvml("nvmlEventSetFree", set), kInvalidArgument);
    EXPECT_EQ(nvml("nvmlEventSetWait_v2", set, &data, 10u), kInvalidArgument);
}

TEST_F(Nvml, RejectsInvalidArguments) {
    unsigned value = 0;
    unsigned* nowhere = nullptr;
    char small[4];
    const auto invalid = reinterpret_cast<DeviceHandle>(&value);
    EXPECT_EQ(nvml("nvmlDeviceGetIndex", invalid, &value), kInvalidArgument);
    EXPECT_EQ(nvml("nvmlDeviceGetIndex", DeviceHandle{}, &value), kInvalidArgument);
    EXPECT_EQ(nvml("nvmlDeviceGetIndex", device(0), nowhere), kInvalidArgument);
    EXPECT_EQ(nvml("nvmlDeviceGetName", device(0), &small[0], unsigned{sizeof small}), kInsufficientSize);
}

TEST(NvmlErrors, HaveTexts) {
    EXPECT_STREQ(testing::call<const char*>(library(), "nvmlErrorString", 15), "GPU is lost");
    EXPECT_STREQ(testing::call<const char*>(library(), "nvmlErrorString", 12345), "Unknown Error");
}

}  // namespace
}  // namespace cudafault::sim::nvml
