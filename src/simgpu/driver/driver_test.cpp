// SPDX-License-Identifier: Apache-2.0
// Tests the simulated driver through its exports.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>
#include <thread>

#include "simgpu/cuda_abi.hpp"
#include "simgpu/simgpu_testing.hpp"

namespace cudafault::sim {
namespace {

struct PoolHandle;
struct ImageHandle;
struct ExecHandle;
struct UserObjectHandle;

void* library() {
    static void* const handle = testing::open_library(SIM_LIBRARY);
    return handle;
}

template <typename... Arguments>
Result cu(const char* name, Arguments... arguments) {
    return testing::call<Result>(library(), name, arguments...);
}

constexpr size_t kMegabyte = size_t{1} << 20;
Stream* const kDefault = nullptr;

std::vector<unsigned char> pattern(size_t bytes) {
    std::vector<unsigned char> data(bytes);
    for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<unsigned char>(i * 7 + i / 256);
    return data;
}

// Runs the body in a forked child. A failed expectation in the child fails the test. The child can use CUDA only if no
// test has initialized CUDA in this process, so each test must run in a separate process.
void in_child(const std::function<void()>& body) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        body();
        std::fflush(nullptr);
        _exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "a check failed in the child process";
}

constexpr const char* kMessage = "CUDAFAULT_TEST_MESSAGE";

std::string message_of_parent() {
    const char* message = std::getenv(kMessage);
    return message ? message : "";
}

// Runs a disabled test of this program in a new process, where message_of_parent() returns the message.
void in_new_process(const std::string& test, const std::string& message) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        setenv(kMessage, message.c_str(), 1);
        const std::string filter = "--gtest_filter=" + test;
        execl("/proc/self/exe", "driver-tests", filter.c_str(), "--gtest_also_run_disabled_tests", nullptr);
        _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << test << " failed in its own process";
}

std::string in_hexadecimal(const IpcHandle& handle) {
    std::string text;
    for (const unsigned char byte : handle.bytes) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", byte);
        text += digits;
    }
    return text;
}

IpcHandle from_hexadecimal(const std::string& text) {
    IpcHandle handle{};
    for (size_t i = 0; i < sizeof handle.bytes && 2 * i + 2 <= text.size(); ++i) {
        handle.bytes[i] = static_cast<unsigned char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
    }
    return handle;
}

size_t free_bytes() {
    size_t free = 0, total = 0;
    EXPECT_EQ(cu("cuMemGetInfo_v2", &free, &total), kSuccess);
    return free;
}

DevicePtr allocate(size_t bytes) {
    DevicePtr pointer = 0;
    EXPECT_EQ(cu("cuMemAlloc_v2", &pointer, bytes), kSuccess);
    return pointer;
}

Result upload(DevicePtr target, const void* source, size_t bytes) {
    return cu("cuMemcpyHtoD_v2", target, source, bytes);
}

std::vector<unsigned char> download(DevicePtr source, size_t bytes) {
    std::vector<unsigned char> data(bytes);
    void* target = data.data();
    EXPECT_EQ(cu("cuMemcpyDtoH_v2", target, source, bytes), kSuccess);
    return data;
}

class Driver : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(cu("cuInit", 0u), kSuccess);
        ASSERT_EQ(cu("cuDevicePrimaryCtxRetain", &context_, 0), kSuccess);
        ASSERT_EQ(cu("cuCtxSetCurrent", context_), kSuccess);
    }

    void TearDown() override {
        EXPECT_EQ(cu("cuDevicePrimaryCtxRelease_v2", 0), kSuccess);
        Context* popped = nullptr;
        while (cu("cuCtxPopCurrent_v2", &popped) == kSuccess) {
        }
    }

    Stream* new_stream() {
        Stream* stream = nullptr;
        EXPECT_EQ(cu("cuStreamCreate", &stream, 1u), kSuccess);
        return stream;
    }

    Function* new_function(const char* name = "kernel") {
        ImageHandle* module = nullptr;
        Function* function = nullptr;
        const void* image = "an image";
        EXPECT_EQ(cu("cuModuleLoadData", &module, image), kSuccess);
        EXPECT_EQ(cu("cuModuleGetFunction", &function, module, name), kSuccess);
        return function;
    }

    static Result launch(Function* function, unsigned grid, unsigned block, Stream* stream = nullptr,
                         unsigned shared_bytes = 0) {
        void** none = nullptr;
        return cu("cuLaunchKernel", function, grid, 1u, 1u, block, 1u, 1u, shared_bytes, stream, none, none);
    }

    Context* context_ = nullptr;
};

TEST(Initialization, IsRequiredBeforeOtherCalls) {
    in_child([] {
        int count = -1, version = 0;
        DevicePtr pointer = 0;
        EXPECT_EQ(cu("cuDriverGetVersion", &version), kSuccess);
        EXPECT_GE(version, 12000);
        EXPECT_EQ(cu("cuDeviceGetCount", &count), kNotInitialized);
        EXPECT_EQ(cu("cuMemAlloc_v2", &pointer, size_t{1}), kNotInitialized);
        EXPECT_EQ(cu("cuInit", 1u), kInvalidValue);
        EXPECT_EQ(cu("cuInit", 0u), kSuccess);
        EXPECT_EQ(cu("cuDeviceGetCount", &count), kSuccess);
        EXPECT_EQ(count, 3);
        EXPECT_EQ(cu("cuMemAlloc_v2", &pointer, size_t{1}), kInvalidContext);
    });
}

TEST(Initialization, CountsVisibleDevicesOnly) {
    in_child([] {
        setenv("CUDA_VISIBLE_DEVICES", "2,0", 1);
        int count = 0;
        char name[64] = "";
        EXPECT_EQ(cu("cuInit", 0u), kSuccess);
        EXPECT_EQ(cu("cuDeviceGetCount", &count), kSuccess);
        EXPECT_EQ(count, 2);
        EXPECT_EQ(cu("cuDeviceGetName", &name[0], int{sizeof name}, 0), kSuccess);
        EXPECT_STREQ(name, "NVIDIA L4");
    });
    in_child([] {
        setenv("CUDA_VISIBLE_DEVICES", "", 1);
        EXPECT_EQ(cu("cuInit", 0u), kNoDevice);
        int count = 0;
        EXPECT_EQ(cu("cuDeviceGetCount", &count), kNotInitialized);
    });
}

TEST(Initialization, FailsInAChildForkedAfterInitialization) {
    in_child([] { EXPECT_EQ(cu("cuInit", 0u), kSuccess) << "a child forked before cuInit can initialize CUDA"; });
    EXPECT_EQ(cu("cuInit", 0u), kSuccess);
    const auto expect_unusable = [] {
        int count = 0, version = 0;
        Context* context = nullptr;
        EXPECT_EQ(cu("cuInit", 0u), kNotInitialized);
        EXPECT_EQ(cu("cuDeviceGetCount", &count), kNotInitialized);
        EXPECT_EQ(cu("cuCtxGetCurrent", &context), kNotInitialized);
        EXPECT_EQ(cu("cuDriverGetVersion", &version), kSuccess);
    };
    in_child([&] {
        expect_unusable();
        in_child(expect_unusable);
    });
    int count = 0;
    EXPECT_EQ(cu("cuDeviceGetCount", &count), kSuccess);
}

TEST_F(Driver, DevicesHaveTheAttributesOfTheirModel) {
    int value = 0;
    size_t bytes = 0;
    EXPECT_EQ(cu("cuDeviceGetAttribute", &value, 16, 0), kSuccess);
    EXPECT_EQ(value, 132);
    EXPECT_EQ(cu("cuDeviceGetAttribute", &value, 75, 2), kSuccess);
    EXPECT_EQ(value, 8);
    EXPECT_EQ(cu("cuDeviceTotalMem_v2", &bytes, 1), kSuccess);
    EXPECT_EQ(bytes, testing::kGpuBytes);
    EXPECT_EQ(cu("cuDeviceGetAttribute", &value, 0, 0), kInvalidValue);
    EXPECT_EQ(cu("cuDeviceGetAttribute", &value, 16, 3), kInvalidDevice);
    int* nowhere = nullptr;
    EXPECT_EQ(cu("cuDeviceGetAttribute", nowhere, 16, 0), kInvalidValue);
}

TEST_F(Driver, DevicesAreFoundByTheirPciId) {
    char id[32] = "";
    for (int device = 0; device < 3; ++device) {
        int found = -1;
        EXPECT_EQ(cu("cuDeviceGetPCIBusId", &id[0], int{sizeof id}, device), kSuccess);
        EXPECT_EQ(cu("cuDeviceGetByPCIBusId", &found, static_cast<const char*>(id)), kSuccess);
        EXPECT_EQ(found, device);
    }
    int found = -1;
    EXPECT_EQ(cu("cuDeviceGetByPCIBusId", &found, static_cast<const char*>("0000:ff:00.0")), kInvalidDevice);
    EXPECT_EQ(cu("cuDeviceGetByPCIBusId", &found, static_cast<const char*>("nonsense")), kInvalidValue);
}

TEST_F(Driver, PrimaryContextIsSharedAndReferenceCounted) {
    Context *first = nullptr, *second = nullptr;
    unsigned flags = 9;
    int active = 9;
    EXPECT_EQ(cu("cuDevicePrimaryCtxGetState", 1, &flags, &active), kSuccess);
    EXPECT_EQ(active, 0);
    EXPECT_EQ(cu("cuDevicePrimaryCtxRetain", &first, 1), kSuccess);
    EXPECT_EQ(cu("cuDevicePrimaryCtxRetain", &second, 1), kSuccess);
    EXPECT_EQ(first, second);
    EXPECT_EQ(cu("cuDevicePrimaryCtxRelease_v2", 1), kSuccess);
    EXPECT_EQ(cu("cuDevicePrimaryCtxGetState", 1, &flags, &active), kSuccess);
    EXPECT_EQ(active, 1);
    EXPECT_EQ(cu("cuDevicePrimaryCtxRelease_v2", 1), kSuccess);
    EXPECT_EQ(cu("cuDevicePrimaryCtxRelease_v2", 1), kInvalidContext);
    EXPECT_EQ(cu("cuCtxSetCurrent", first), kContextIsDestroyed);
}

TEST_F(Driver, EachThreadHasAStackOfContexts) {
    Context *created = nullptr, *current = nullptr;
    int device = -1;
    ASSERT_EQ(cu("cuCtxCreate_v2", &created, 0u, 2), kSuccess);
    EXPECT_EQ(cu("cuCtxGetDevice", &device), kSuccess);
    EXPECT_EQ(device, 2);
    std::thread([] {
        Context* thread_context = reinterpret_cast<Context*>(1);
        EXPECT_EQ(cu("cuCtxGetCurrent", &thread_context), kSuccess);
        EXPECT_EQ(thread_context, nullptr);
    }).join();
    EXPECT_EQ(cu("cuCtxPopCurrent_v2", &current), kSuccess);
    EXPECT_EQ(current, created);
    EXPECT_EQ(cu("cuCtxGetDevice", &device), kSuccess);
    EXPECT_EQ(device, 0);
    EXPECT_EQ(cu("cuCtxDestroy_v2", created), kSuccess);
    EXPECT_EQ(cu("cuCtxDestroy_v2", created), kContextIsDestroyed);
    EXPECT_EQ(cu("cuCtxPushCurrent_v2", reinterpret_cast<Context*>(64)), kInvalidContext);
}

TEST_F(Driver, DestroyedContextReleasesItsResources) {
    Context* created = nullptr;
    Stream* stream = nullptr;
    Event* event = nullptr;
    ASSERT_EQ(cu("cuCtxCreate_v2", &created, 0u, 0), kSuccess);
    const size_t before = free_bytes();
    allocate(kMegabyte);
    EXPECT_EQ(cu("cuStreamCreate", &stream, 0u), kSuccess);
    EXPECT_EQ(cu("cuEventCreate", &event, 0u), kSuccess);
    EXPECT_EQ(cu("cuCtxDestroy_v2", created), kSuccess);
    EXPECT_EQ(cu("cuCtxSetCurrent", context_), kSuccess);
    EXPECT_EQ(free_bytes(), before);
    EXPECT_EQ(cu("cuStreamQuery", stream), kInvalidHandle);
    EXPECT_EQ(cu("cuEventQuery", event), kInvalidHandle);
}

TEST_F(Driver, StoresContextLimits) {
    size_t value = 0;
    EXPECT_EQ(cu("cuCtxSetLimit", 0, size_t{4096}), kSuccess);
    EXPECT_EQ(cu("cuCtxGetLimit", &value, 0), kSuccess);
    EXPECT_EQ(value, 4096u);
    EXPECT_EQ(cu("cuCtxGetLimit", &value, 99), kUnsupportedLimit);
}

TEST_F(Driver, AllocationFailsWhenTheDeviceIsFull) {
    const size_t half = testing::kGpuBytes / 2;
    const DevicePtr first = allocate(half), second = allocate(half);
    DevicePtr third = 0;
    EXPECT_EQ(free_bytes(), 0u);
    EXPECT_EQ(cu("cuMemAlloc_v2", &third, size_t{1}), kOutOfMemory);
    EXPECT_EQ(cu("cuMemFree_v2", first), kSuccess);
    EXPECT_EQ(free_bytes(), half);
    EXPECT_EQ(cu("cuMemAlloc_v2", &third, half + 1), kOutOfMemory);
    EXPECT_EQ(cu("cuMemAlloc_v2", &third, half), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", second), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", third), kSuccess);
    EXPECT_EQ(cu("cuMemAlloc_v2", &third, SIZE_MAX), kOutOfMemory);
}

TEST_F(Driver, RejectsInvalidFreesAndAllocations) {
    DevicePtr pointer = allocate(100);
    DevicePtr* nowhere = nullptr;
    EXPECT_EQ(cu("cuMemAlloc_v2", &pointer, size_t{0}), kInvalidValue);
    EXPECT_EQ(cu("cuMemAlloc_v2", nowhere, size_t{1}), kInvalidValue);
    EXPECT_EQ(cu("cuMemFree_v2", pointer + 1), kInvalidValue);
    EXPECT_EQ(cu("cuMemFree_v2", DevicePtr{0}), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", pointer), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", pointer), kInvalidValue);
}

TEST_F(Driver, CopiesPreserveTheContent) {
    const auto sent = pattern(100000);
    const DevicePtr first = allocate(sent.size()), second = allocate(sent.size());
    EXPECT_EQ(upload(first, sent.data(), sent.size()), kSuccess);
    EXPECT_EQ(cu("cuMemcpyDtoD_v2", second, first, sent.size()), kSuccess);
    EXPECT_EQ(download(second, sent.size()), sent);
    EXPECT_EQ(cu("cuMemsetD8_v2", first, static_cast<unsigned char>(0), sent.size()), kSuccess);
    EXPECT_EQ(cu("cuMemcpyAsync_ptsz", first, second, sent.size(), kDefault), kSuccess);
    EXPECT_EQ(download(first, sent.size()), sent);
    EXPECT_EQ(cu("cuMemFree_v2", first), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", second), kSuccess);
}

TEST_F(Driver, RejectsCopiesBeyondAnAllocation) {
    const auto sent = pattern(200);
    const DevicePtr device = allocate(100);
    EXPECT_EQ(upload(device, sent.data(), 101), kInvalidValue);
    EXPECT_EQ(upload(device + 50, sent.data(), 51), kInvalidValue);
    EXPECT_EQ(upload(device + 50, sent.data(), 50), kSuccess);
    EXPECT_EQ(upload(DevicePtr{0}, sent.data(), 1), kInvalidValue);
    const void* nowhere = nullptr;
    EXPECT_EQ(cu("cuMemcpyHtoD_v2", device, nowhere, size_t{1}), kInvalidValue);
    const auto program_memory = reinterpret_cast<DevicePtr>(sent.data());
    EXPECT_EQ(cu("cuMemcpyDtoD_v2", device, program_memory, size_t{10}), kInvalidValue);
    EXPECT_EQ(cu("cuMemcpy", device, program_memory, size_t{10}), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", device), kSuccess);
    EXPECT_EQ(upload(device, sent.data(), 1), kInvalidValue);
}

TEST_F(Driver, CopiesPlanesRowByRow) {
    constexpr size_t kWidth = 100, kHeight = 7;
    const auto sent = pattern(kWidth * kHeight);
    DevicePtr device = 0;
    size_t pitch = 0;
    ASSERT_EQ(cu("cuMemAllocPitch_v2", &device, &pitch, kWidth, kHeight, 4u), kSuccess);
    EXPECT_EQ(pitch % 512, 0u);
    Copy2D copy{};
    copy.source.type = kHostMemory;
    copy.source.host = sent.data();
    copy.source.pitch = kWidth;
    copy.target.type = kDeviceMemory;
    copy.target.device = device;
    copy.target.pitch = pitch;
    copy.width_bytes = kWidth;
    copy.height = kHeight;
    EXPECT_EQ(cu("cuMemcpy2D_v2", static_cast<const Copy2D*>(&copy)), kSuccess);
    for (size_t y = 0; y < kHeight; ++y) {
        const std::vector<unsigned char> row(sent.data() + y * kWidth, sent.data() + (y + 1) * kWidth);
        EXPECT_EQ(download(device + y * pitch, kWidth), row);
    }
    copy.target.pitch = kWidth - 1;
    EXPECT_EQ(cu("cuMemcpy2D_v2", static_cast<const Copy2D*>(&copy)), kInvalidValue);
    EXPECT_EQ(cu("cuMemFree_v2", device), kSuccess);
}

TEST_F(Driver, CopiesBoxesFromAnOffset) {
    constexpr size_t kSide = 8;  // a cube of bytes; the test copies a box of 2 x 3 x 4 at (1, 2, 3)
    const auto sent = pattern(kSide * kSide * kSide);
    const DevicePtr device = allocate(sent.size());
    EXPECT_EQ(upload(device, sent.data(), sent.size()), kSuccess);
    std::vector<unsigned char> received(size_t{2} * 3 * 4), expected;
    Copy3D copy{};
    copy.source.type = kDeviceMemory;
    copy.source.device = device;
    copy.source.pitch = copy.source.height = kSide;
    copy.source.x_bytes = 1;
    copy.source.y = 2;
    copy.source.z = 3;
    copy.target.type = kHostMemory;
    copy.target.host = received.data();
    copy.target.pitch = 2;
    copy.target.height = 3;
    copy.width_bytes = 2;
    copy.height = 3;
    copy.depth = 4;
    EXPECT_EQ(cu("cuMemcpy3D_v2", static_cast<const Copy3D*>(&copy)), kSuccess);
    for (size_t z = 3; z < 7; ++z) {
        for (size_t y = 2; y < 5; ++y) {
            for (size_t x = 1; x < 3; ++x) expected.push_back(sent[(z * kSide + y) * kSide + x]);
        }
    }
    EXPECT_EQ(received, expected);
    copy.depth = 6;  // exceeds the cube
    EXPECT_EQ(cu("cuMemcpy3D_v2", static_cast<const Copy3D*>(&copy)), kInvalidValue);
    EXPECT_EQ(cu("cuMemFree_v2", device), kSuccess);
}

TEST_F(Driver, MemsetsOfEachWidthWriteOnlyTheirRange) {
    const DevicePtr device = allocate(64);
    EXPECT_EQ(cu("cuMemsetD8_v2", device, static_cast<unsigned char>(1), size_t{64}), kSuccess);
    EXPECT_EQ(cu("cuMemsetD16_v2", device, static_cast<unsigned short>(0x0302), size_t{2}), kSuccess);
    EXPECT_EQ(cu("cuMemsetD32Async", device + 8, 0x07060504u, size_t{1}, kDefault), kSuccess);
    EXPECT_EQ(cu("cuMemsetD2D8_v2_ptds", device + 16, size_t{8}, static_cast<unsigned char>(9), size_t{2}, size_t{2}),
              kSuccess);
    const std::vector<unsigned char> expected = {2, 3, 2, 3, 1, 1, 1, 1, 4, 5, 6, 7, 1, 1, 1, 1,
                                                 9, 9, 1, 1, 1, 1, 1, 1, 9, 9, 1, 1, 1, 1, 1, 1};
    EXPECT_EQ(download(device, 32), expected);
    EXPECT_EQ(cu("cuMemsetD32_v2", device + 2, 0u, size_t{1}), kInvalidValue)
        << "the address is not a multiple of the element size";
    EXPECT_EQ(cu("cuMemsetD8_v2", device, static_cast<unsigned char>(1), size_t{65}), kInvalidValue);
    EXPECT_EQ(cu("cuMemFree_v2", device), kSuccess);
}

TEST_F(Driver, EnablesPeerAccessOnceAndCopiesBetweenPeers) {
    Context* peer = nullptr;
    ASSERT_EQ(cu("cuCtxCreate_v2", &peer, 0u, 1), kSuccess);
    const auto sent = pattern(1000);
    const DevicePtr peer_memory = allocate(sent.size());
    ASSERT_EQ(cu("cuCtxSetCurrent", context_), kSuccess);
    const DevicePtr memory = allocate(sent.size());
    int can_access = 0;
    EXPECT_EQ(cu("cuDeviceCanAccessPeer", &can_access, 0, 1), kSuccess);
    EXPECT_EQ(can_access, 1);
    EXPECT_EQ(cu("cuDeviceCanAccessPeer", &can_access, 0, 0), kSuccess);
    EXPECT_EQ(can_access, 0);
    EXPECT_EQ(cu("cuCtxEnablePeerAccess", peer, 0u), kSuccess);
    EXPECT_EQ(cu("cuCtxEnablePeerAccess", peer, 0u), kPeerAccessAlreadyEnabled);
    EXPECT_EQ(upload(memory, sent.data(), sent.size()), kSuccess);
    EXPECT_EQ(cu("cuMemcpyPeer", peer_memory, peer, memory, context_, sent.size()), kSuccess);
    EXPECT_EQ(download(peer_memory, sent.size()), sent);
    EXPECT_EQ(cu("cuCtxDisablePeerAccess", peer), kSuccess);
    EXPECT_EQ(cu("cuCtxDisablePeerAccess", peer), kPeerAccessNotEnabled);
    EXPECT_EQ(cu("cuCtxDestroy_v2", peer), kSuccess);
}

TEST_F(Driver, HostMemoryCannotBeRegisteredTwice) {
    std::vector<char> memory(10000);
    void* start = memory.data();
    DevicePtr device = 0;
    EXPECT_EQ(cu("cuMemHostRegister_v2", start, memory.size(), 0u), kSuccess);
    EXPECT_EQ(cu("cuMemHostRegister_v2", start, size_t{1}, 0u), kHostMemoryAlreadyRegistered);
    EXPECT_EQ(cu("cuMemHostGetDevicePointer_v2", &device, start, 0u), kSuccess);
    EXPECT_EQ(device, reinterpret_cast<DevicePtr>(start));
    EXPECT_EQ(cu("cuMemHostUnregister", start), kSuccess);
    EXPECT_EQ(cu("cuMemHostUnregister", start), kHostMemoryNotRegistered);
}

TEST_F(Driver, ReturnsThePointerAttributesOfEachMemoryKind) {
    const DevicePtr device = allocate(1000);
    void* host = nullptr;
    DevicePtr managed = 0;
    ASSERT_EQ(cu("cuMemHostAlloc", &host, size_t{1000}, 0u), kSuccess);
    ASSERT_EQ(cu("cuMemAllocManaged", &managed, size_t{1000}, 1u), kSuccess);
    const auto attribute = [](int number, DevicePtr pointer) {
        uint64_t value = 0;
        void* out = &value;
        EXPECT_EQ(cu("cuPointerGetAttribute", out, number, pointer), kSuccess) << number;
        return value;
    };
    const auto host_pointer = reinterpret_cast<DevicePtr>(host);
    EXPECT_EQ(attribute(2, device), 2u);
    EXPECT_EQ(attribute(2, host_pointer), 1u);
    EXPECT_EQ(attribute(8, managed), 1u);
    EXPECT_EQ(attribute(8, device), 0u);
    EXPECT_EQ(attribute(11, device + 10), device);
    EXPECT_EQ(attribute(12, device + 10), 1000u);
    EXPECT_EQ(attribute(1, device), reinterpret_cast<uint64_t>(context_));
    EXPECT_NE(attribute(7, device), attribute(7, managed));

    uint64_t value = 0;
    void* out = &value;
    const auto unknown = reinterpret_cast<DevicePtr>(&value);
    EXPECT_EQ(cu("cuPointerGetAttribute", out, 2, unknown), kInvalidValue);
    int numbers[] = {2, 9};
    int type = 5, ordinal = 5;
    void* outs[] = {&type, &ordinal};
    EXPECT_EQ(cu("cuPointerGetAttributes", 2u, &numbers[0], &outs[0], unknown), kSuccess);
    EXPECT_EQ(type, 0);
    EXPECT_EQ(ordinal, -2);
    EXPECT_EQ(cu("cuMemFreeHost", host), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", managed), kSuccess);
    EXPECT_EQ(cu("cuMemFree_v2", device), kSuccess);
}

TEST_F(Driver, PoolsAllocateInStreamOrder) {
    PoolHandle* pool = nullptr;
    DevicePtr memory = 0;
    uint64_t used = 0;
    void* out = &used;
    const size_t before = free_bytes();
    ASSERT_EQ(cu("cuDeviceGetDefaultMemPool", &pool, 0), kSuccess);
    EXPECT_EQ(cu("cuMemAllocAsync", &memory, kMegabyte, kDefault), kSuccess);
    EXPECT_EQ(cu("cuMemPoolGetAttribute", pool, 7, out), kSuccess);
    EXPECT_EQ(used, kMegabyte);
    EXPECT_EQ(free_bytes(), before - kMegabyte);
    EXPECT_EQ(cu("cuMemFreeAsync", memory, kDefault), kSuccess);
    EXPECT_EQ(cu("cuMemFreeAsync", memory, kDefault), kInvalidValue);
    EXPECT_EQ(free_bytes(), before);

    PoolProperties properties{};
    properties.allocation_type = 1;
    properties.location = {kLocationDevice, 0};
    properties.max_size = kMegabyte;
    ASSERT_EQ(cu("cuMemPoolCreate", &pool, static_cast<const PoolProperties*>(&properties)), kSuccess);
    EXPECT_EQ(cu("cuMemAllocFromPoolAsync", &memory, 2 * kMegabyte, pool, kDefault), kOutOfMemory);
    EXPECT_EQ(cu("cuMemAllocFromPoolAsync", &memory, kMegabyte, pool, kDefault), kSuccess);
    EXPECT_EQ(cu("cuMemFreeAsync", memory, kDefault), kSuccess);
    EXPECT_EQ(cu("cuMemPoolDestroy", pool), kSuccess);
    EXPECT_EQ(cu("cuMemPoolDestroy", pool), kInvalidValue);
}

TEST_F(Driver, StreamsStoreTheirFlagsAndPriority) {
    Stream* stream = nullptr;
    Context* context = nullptr;
    int priority = 0, device = -1;
    unsigned flags = 0;
    ASSERT_EQ(cu("cuStreamCreateWithPriority", &stream, 1u, -100), kSuccess);
    EXPECT_EQ(cu("cuStreamGetPriority", stream, &priority), kSuccess);
    EXPECT_EQ(priority, -5) << "clamped to the greatest priority";
    EXPECT_EQ(cu("cuStreamGetFlags", stream, &flags), kSuccess);
    EXPECT_EQ(flags, 1u);
    EXPECT_EQ(cu("cuStreamGetCtx", stream, &context), kSuccess);
    EXPECT_EQ(context, context_);
    EXPECT_EQ(cu("cuStreamGetDevice", stream, &device), kSuccess);
    EXPECT_EQ(device, 0);
    EXPECT_EQ(cu("cuStreamDestroy_v2", stream), kSuccess);
    EXPECT_EQ(cu("cuStreamDestroy_v2", stream), kInvalidHandle);
    EXPECT_EQ(cu("cuStreamSynchronize", reinterpret_cast<Stream*>(4096)), kInvalidHandle);
    uint64_t legacy = 0, own = 0;
    EXPECT_EQ(cu("cuStreamGetId", kDefault, &legacy), kSuccess);
    EXPECT_EQ(cu("cuStreamGetId_ptsz", kDefault, &own), kSuccess);
    EXPECT_NE(legacy, own);
}

TEST_F(Driver, CallbacksRunInOrder) {
    static std::string order;
    order.clear();
    Stream* stream = new_stream();
    const HostFunction first = [](void* data) { order += static_cast<const char*>(data); };
    const StreamCallback second = [](Stream*, Result status, void* data) {
        EXPECT_EQ(status, kSuccess);
        order += static_cast<const char*>(data);
    };
    char a[] = "a", b[] = "b", c[] = "c";
    void *pa = a, *pb = b, *pc = c;
    EXPECT_EQ(cu("cuLaunchHostFunc", stream, first, pa), kSuccess);
    EXPECT_EQ(cu("cuStreamAddCallback", stream, second, pb, 0u), kSuccess);
    EXPECT_EQ(cu("cuLaunchHostFunc", stream, first, pc), kSuccess);
    EXPECT_EQ(order, "abc");
    const HostFunction none = nullptr;
    EXPECT_EQ(cu("cuLaunchHostFunc", stream, none, pa), kInvalidValue);
}

TEST_F(Driver, EventsMeasureElapsedTime) {
    Event *start = nullptr, *end = nullptr, *untimed = nullptr;
    ASSERT_EQ(cu("cuEventCreate", &start, 0u), kSuccess);
    ASSERT_EQ(cu("cuEventCreate", &end, 0u), kSuccess);
    ASSERT_EQ(cu("cuEventCreate", &untimed, 2u), kSuccess);
    float milliseconds = -1;
    EXPECT_EQ(cu("cuEventElapsedTime", &milliseconds, start, end), kInvalidHandle) << "the events are not recorded yet";
    EXPECT_EQ(cu("cuEventRecord", start, kDefault), kSuccess);
    usleep(2000);
    EXPECT_EQ(cu("cuEventRecord", end, kDefault), kSuccess);
    EXPECT_EQ(cu("cuEventRecord", untimed, kDefault), kSuccess);
    EXPECT_EQ(cu("cuEventQuery", end), kSuccess);
    EXPECT_EQ(cu("cuEventElapsedTime", &milliseconds, start, end), kSuccess);
    EXPECT_GE(milliseconds, 2.0f);
    EXPECT_LT(milliseconds, 60000.0f);
    EXPECT_EQ(cu("cuEventElapsedTime", &milliseconds, start, untimed), kInvalidHandle);
    EXPECT_EQ(cu("cuEventCreate", &untimed, 4u), kInvalidValue)
        << "interprocess events require the flag that disables timing";
    EXPECT_EQ(cu("cuEventDestroy_v2", start), kSuccess);
    EXPECT_EQ(cu("cuEventDestroy_v2", start), kInvalidHandle);
}

TEST_F(Driver, FindsAnyKernelNameAndChecksLaunches) {
    Function* function = new_function();
    EXPECT_EQ(launch(function, 1, 256), kSuccess);
    EXPECT_EQ(launch(function, 1, 1024), kSuccess);
    EXPECT_EQ(launch(function, 1, 1025), kInvalidValue);
    EXPECT_EQ(launch(function, 0, 1), kInvalidValue);
    EXPECT_EQ(launch(function, 1, 0), kInvalidValue);
    EXPECT_EQ(launch(function, 1, 1, nullptr, 1u << 20), kInvalidValue);
    EXPECT_EQ(launch(reinterpret_cast<Function*>(&function), 1, 1), kInvalidHandle);
    EXPECT_EQ(launch(function, 1, 1, reinterpret_cast<Stream*>(&function)), kInvalidHandle);
    LaunchConfig config{{1, 1, 1}, {32, 1, 1}, 0, nullptr, nullptr, 0};
    void** none = nullptr;
    EXPECT_EQ(cu("cuLaunchKernelEx", static_cast<const LaunchConfig*>(&config), function, none, none), kSuccess);
}

TEST_F(Driver, KernelsOfLibrariesAreAcceptedAsFunctions) {
    ImageHandle* loaded = nullptr;
    Function *kernel = nullptr, *again = nullptr;
    const void* code = "code";
    int* options = nullptr;
    void** values = nullptr;
    ASSERT_EQ(cu("cuLibraryLoadData", &loaded, code, options, values, 0u, options, values, 0u), kSuccess);
    ASSERT_EQ(cu("cuLibraryGetKernel", &kernel, loaded, static_cast<const char*>("k")), kSuccess);
    EXPECT_EQ(cu("cuLibraryGetKernel", &again, loaded, static_cast<const char*>("k")), kSuccess);
    EXPECT_EQ(kernel, again);
    EXPECT_EQ(launch(kernel, 2, 64), kSuccess);
    const char* name = nullptr;
    EXPECT_EQ(cu("cuKernelGetName", &name, kernel), kSuccess);
    EXPECT_STREQ(name, "k");
    DevicePtr variable = 0;
    size_t bytes = 0;
    EXPECT_EQ(cu("cuLibraryGetGlobal", &variable, &bytes, loaded, static_cast<const char*>("v")), kNotFound);
    EXPECT_EQ(cu("cuLibraryUnload", loaded), kSuccess);
    EXPECT_EQ(launch(kernel, 2, 64), kInvalidHandle);
}

TEST_F(Driver, FunctionsHaveAttributesAndOccupancy) {
    Function* function = new_function();
    int value = 0;
    EXPECT_EQ(cu("cuFuncGetAttribute", &value, 0, function), kSuccess);
    EXPECT_EQ(value, 1024);
    EXPECT_EQ(cu("cuFuncSetAttribute", function, 8, 200 * 1024), kSuccess);
    EXPECT_EQ(cu("cuFuncGetAttribute", &value, 8, function), kSuccess);
    EXPECT_EQ(value, 200 * 1024);
    EXPECT_EQ(cu("cuFuncSetAttribute", function, 8, 300 * 1024), kInvalidValue);
    EXPECT_EQ(cu("cuFuncSetAttribute", function, 0, 1), kInvalidValue) << "the attribute is read-only";
    EXPECT_EQ(cu("cuOccupancyMaxActiveBlocksPerMultiprocessor", &value, function, 1024, size_t{0}), kSuccess);
    EXPECT_EQ(value, 2);
    EXPECT_EQ(cu("cuOccupancyMaxActiveBlocksPerMultiprocessor", &value, function, 64, size_t{100 << 10}), kSuccess);
    EXPECT_EQ(value, 2) << "shared memory limits the occupancy";
}

TEST_F(Driver, StreamsOfAnotherDeviceRunCopiesButNoKernels) {
    Context* other = nullptr;
    Event *event = nullptr, *other_event = nullptr;
    int ordinal = -1;
    float elapsed = 0;
    Function* function = new_function();
    const DevicePtr memory = allocate(16);
    Stream* stream = new_stream();
    ASSERT_EQ(cu("cuEventCreate", &event, 0u), kSuccess);
    ASSERT_EQ(cu("cuEventRecord", event, stream), kSuccess);
    EXPECT_EQ(launch(function, 1, 1, stream), kSuccess);

    ASSERT_EQ(cu("cuDevicePrimaryCtxRetain", &other, 1), kSuccess);
    ASSERT_EQ(cu("cuCtxSetCurrent", other), kSuccess);
    ASSERT_EQ(cu("cuEventCreate", &other_event, 0u), kSuccess);
    EXPECT_EQ(launch(new_function(), 1, 1, stream), kInvalidHandle);
    EXPECT_EQ(cu("cuMemsetD8Async", memory, static_cast<unsigned char>(1), size_t{16}, stream), kSuccess);
    EXPECT_EQ(cu("cuEventRecord", other_event, stream), kInvalidHandle);
    EXPECT_EQ(cu("cuEventRecord", other_event, kDefault), kSuccess);
    EXPECT_EQ(cu("cuEventElapsedTime", &elapsed, event, other_event), kInvalidHandle);

    DevicePtr allocated = 0;
    void* out = &ordinal;
    constexpr int kDeviceOrdinal = 9;  // CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    ASSERT_EQ(cu("cuMemAllocAsync", &allocated, size_t{16}, stream), kSuccess);
    EXPECT_EQ(cu("cuPointerGetAttribute", out, kDeviceOrdinal, allocated), kSuccess);
    EXPECT_EQ(ordinal, 0) << "memory comes from the pool of the stream's device";
    EXPECT_EQ(cu("cuDevicePrimaryCtxRelease_v2", 1), kSuccess);
}

class Graphs : public Driver {
protected:
    void SetUp() override {
        Driver::SetUp();
        memory_ = allocate(16);
        stream_ = new_stream();
    }

    DevicePtr memory_ = 0;
    Stream* stream_ = nullptr;
};

TEST_F(Graphs, CapturedWorkRunsAtEachLaunch) {
    static int calls;
    calls = 0;
    const HostFunction count = [](void*) { ++calls; };
    void* nothing = nullptr;
    Graph* graph = nullptr;
    ExecHandle* exec = nullptr;
    int status = -1;
    ASSERT_EQ(cu("cuStreamBeginCapture_v2", stream_, 0), kSuccess);
    EXPECT_EQ(cu("cuMemsetD8Async", memory_, static_cast<unsigned char>(7), size_t{16}, stream_), kSuccess);
    EXPECT_EQ(launch(new_function(), 1, 1, stream_), kSuccess);
    EXPECT_EQ(cu("cuLaunchHostFunc", stream_, count, nothing), kSuccess);
    EXPECT_EQ(cu("cuStreamIsCapturing", stream_, &status), kSuccess);
    EXPECT_EQ(status, 1);
    ASSERT_EQ(cu("cuStreamEndCapture", stream_, &graph), kSuccess);
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(download(memory_, 1)[0], 0);

    size_t nodes = 0;
    Node** no_buffer = nullptr;
    EXPECT_EQ(cu("cuGraphGetNodes", graph, no_buffer, &nodes), kSuccess);
    EXPECT_EQ(nodes, 3u);
    ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, uint64_t{0}), kSuccess);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
    for (int i = 1; i <= 3; ++i) {
        EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kSuccess);
        EXPECT_EQ(calls, i);
    }
    EXPECT_EQ(download(memory_, 16), std::vector<unsigned char>(16, 7));
    EXPECT_EQ(cu("cuGraphExecDestroy", exec), kSuccess);
    EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kInvalidValue);
}

uint64_t graph_bytes(int attribute) {
    uint64_t bytes = 0;
    void* out = &bytes;
    EXPECT_EQ(cu("cuDeviceGetGraphMemAttribute", 0, attribute, out), kSuccess);
    return bytes;
}

TEST_F(Graphs, EachLaunchAllocatesCapturedMemoryAtTheSameAddress) {
    const size_t before = free_bytes();
    DevicePtr memory = 0;
    Graph* graph = nullptr;
    ExecHandle* exec = nullptr;
    ASSERT_EQ(cu("cuStreamBeginCapture_v2", stream_, 0), kSuccess);
    ASSERT_EQ(cu("cuMemAllocAsync", &memory, kMegabyte, stream_), kSuccess);
    EXPECT_EQ(cu("cuMemsetD8Async", memory, static_cast<unsigned char>(5), size_t{16}, stream_), kSuccess);
    EXPECT_EQ(cu("cuMemcpyDtoDAsync_v2", memory_, memory, size_t{16}, stream_), kSuccess);
    EXPECT_EQ(cu("cuMemFreeAsync", memory, stream_), kSuccess);
    EXPECT_EQ(cu("cuMemFreeAsync", memory, stream_), kInvalidValue) << "the graph already frees this memory";
    ASSERT_EQ(cu("cuStreamEndCapture", stream_, &graph), kSuccess);
    EXPECT_EQ(free_bytes(), before) << "capturing does not allocate memory";
    ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, uint64_t{0}), kSuccess);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(cu("cuMemsetD8_v2", memory_, static_cast<unsigned char>(0), size_t{16}), kSuccess);
        EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kSuccess);
        EXPECT_EQ(download(memory_, 16), std::vector<unsigned char>(16, 5));
    }
    EXPECT_EQ(free_bytes(), before);
    EXPECT_EQ(graph_bytes(0), 0u);
    EXPECT_EQ(graph_bytes(1), kMegabyte) << "the high-water mark includes freed memory";
    EXPECT_EQ(cu("cuGraphExecDestroy", exec), kSuccess);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
    DevicePtr base = 0;
    size_t bytes = 0;
    EXPECT_EQ(cu("cuMemGetAddressRange_v2", &base, &bytes, memory), kNotFound) << "the range has been released";
}

TEST_F(Graphs, RelaunchFailsIfGraphMemoryIsAllocatedWithoutAutoFree) {
    const size_t before = free_bytes();
    constexpr uint64_t kAutoFree = 1;
    for (const uint64_t flags : {uint64_t{0}, kAutoFree}) {
        DevicePtr memory = 0;
        Graph* graph = nullptr;
        ExecHandle* exec = nullptr;
        ASSERT_EQ(cu("cuStreamBeginCapture_v2", stream_, 0), kSuccess);
        ASSERT_EQ(cu("cuMemAllocAsync", &memory, kMegabyte, stream_), kSuccess);
        ASSERT_EQ(cu("cuStreamEndCapture", stream_, &graph), kSuccess);
        ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, flags), kSuccess);
        EXPECT_EQ(cu("cuMemFreeAsync", memory, stream_), kInvalidValue)
            << "the memory is not allocated before the launch";
        EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kSuccess);
        EXPECT_EQ(free_bytes(), before - kMegabyte);
        EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), flags == kAutoFree ? kSuccess : kInvalidValue);
        EXPECT_EQ(free_bytes(), before - kMegabyte);
        EXPECT_EQ(cu("cuGraphExecDestroy", exec), kSuccess);
        EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
        EXPECT_EQ(cu("cuMemsetD8_v2", memory, static_cast<unsigned char>(1), kMegabyte), kSuccess)
            << "the memory stays allocated after the graph is destroyed";
        EXPECT_EQ(cu("cuMemFree_v2", memory), kSuccess);
        EXPECT_EQ(cu("cuMemFree_v2", memory), kInvalidValue);
        EXPECT_EQ(free_bytes(), before);
    }
}

TEST_F(Graphs, AllocationNodesCanBeAddedAndQueried) {
    Graph* graph = nullptr;
    Node *allocation = nullptr, *freed = nullptr;
    Node* const* none = nullptr;
    ASSERT_EQ(cu("cuGraphCreate", &graph, 0u), kSuccess);
    const MemAccess access{{kLocationDevice, 1}, 3};
    AllocationNodeParams params{};
    params.pool.allocation_type = 1;
    params.pool.location = {kLocationDevice, 0};
    params.access = &access;
    params.access_count = 1;
    EXPECT_EQ(cu("cuGraphAddMemAllocNode", &allocation, graph, none, size_t{0}, &params), kInvalidValue)
        << "the size is 0";
    params.bytes = kMegabyte;
    ASSERT_EQ(cu("cuGraphAddMemAllocNode", &allocation, graph, none, size_t{0}, &params), kSuccess);
    ASSERT_NE(params.pointer, 0u);
    Node* const* after = &allocation;
    ASSERT_EQ(cu("cuGraphAddMemFreeNode", &freed, graph, after, size_t{1}, params.pointer), kSuccess);
    EXPECT_EQ(cu("cuGraphAddMemFreeNode", &freed, graph, after, size_t{1}, params.pointer), kInvalidValue);
    EXPECT_EQ(cu("cuGraphAddMemFreeNode", &freed, graph, after, size_t{1}, memory_), kInvalidValue);
    int type = -1;
    EXPECT_EQ(cu("cuGraphNodeGetType", allocation, &type), kSuccess);
    EXPECT_EQ(type, 10);
    EXPECT_EQ(cu("cuGraphNodeGetType", freed, &type), kSuccess);
    EXPECT_EQ(type, 11);
    AllocationNodeParams found{};
    DevicePtr pointer = 0;
    EXPECT_EQ(cu("cuGraphMemAllocNodeGetParams", allocation, &found), kSuccess);
    EXPECT_EQ(found.pointer, params.pointer);
    EXPECT_EQ(found.bytes, kMegabyte);
    ASSERT_EQ(found.access_count, 1u);
    EXPECT_EQ(found.access->location.id, 1);
    EXPECT_EQ(cu("cuGraphMemFreeNodeGetParams", freed, &pointer), kSuccess);
    EXPECT_EQ(pointer, params.pointer);
    EXPECT_EQ(cu("cuGraphMemFreeNodeGetParams", allocation, &pointer), kInvalidValue);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
}

TEST_F(Graphs, GraphWithMemoryNodesCannotBeClonedOrInstantiatedTwice) {
    const size_t before = free_bytes();
    Graph *graph = nullptr, *clone = nullptr;
    ExecHandle *exec = nullptr, *second = nullptr;
    NodeParams params{};
    params.type = 10;
    params.allocation.pool.allocation_type = 1;
    params.allocation.pool.location = {kLocationDevice, 0};
    params.allocation.bytes = testing::kGpuBytes + 1;
    Node* node = nullptr;
    Node* const* none = nullptr;
    ASSERT_EQ(cu("cuGraphCreate", &graph, 0u), kSuccess);
    ASSERT_EQ(cu("cuGraphAddNode", &node, graph, none, size_t{0}, &params), kSuccess);
    EXPECT_EQ(cu("cuGraphClone", &clone, graph), kNotSupported);
    EXPECT_EQ(cu("cuGraphDestroyNode", node), kNotSupported);
    ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, uint64_t{0}), kSuccess);
    EXPECT_EQ(cu("cuGraphInstantiateWithFlags", &second, graph, uint64_t{0}), kNotSupported);
    EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kOutOfMemory);
    EXPECT_EQ(cu("cuGraphExecDestroy", exec), kSuccess);
    EXPECT_EQ(cu("cuGraphInstantiateWithFlags", &second, graph, uint64_t{0}), kSuccess);
    EXPECT_EQ(cu("cuGraphExecDestroy", second), kSuccess);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
    EXPECT_EQ(free_bytes(), before);
}

TEST_F(Graphs, StreamsThatWaitForCapturedEventsJoinTheCapture) {
    Stream* forked = new_stream();
    Event *fork_event = nullptr, *join_event = nullptr;
    Graph* graph = nullptr;
    int status = 0;
    ASSERT_EQ(cu("cuEventCreate", &fork_event, 2u), kSuccess);
    ASSERT_EQ(cu("cuEventCreate", &join_event, 2u), kSuccess);
    ASSERT_EQ(cu("cuStreamBeginCapture_v2", stream_, 0), kSuccess);
    EXPECT_EQ(cu("cuEventRecord", fork_event, stream_), kSuccess);
    EXPECT_EQ(cu("cuStreamWaitEvent", forked, fork_event, 0u), kSuccess);
    EXPECT_EQ(cu("cuStreamIsCapturing", forked, &status), kSuccess);
    EXPECT_EQ(status, 1);
    EXPECT_EQ(cu("cuMemsetD8Async", memory_, static_cast<unsigned char>(1), size_t{1}, forked), kSuccess);
    EXPECT_EQ(cu("cuEventRecord", join_event, forked), kSuccess);
    EXPECT_EQ(cu("cuStreamWaitEvent", stream_, join_event, 0u), kSuccess);
    EXPECT_EQ(cu("cuStreamEndCapture", forked, &graph), kStreamCaptureUnmatched);
    EXPECT_EQ(cu("cuStreamEndCapture", stream_, &graph), kSuccess);
    EXPECT_EQ(cu("cuStreamIsCapturing", forked, &status), kSuccess);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
}

TEST_F(Graphs, SynchronizingInvalidatesACapture) {
    Graph* graph = reinterpret_cast<Graph*>(1);
    ASSERT_EQ(cu("cuStreamBeginCapture_v2", stream_, 0), kSuccess);
    EXPECT_EQ(cu("cuStreamBeginCapture_v2", stream_, 0), kIllegalState);
    EXPECT_EQ(cu("cuStreamSynchronize", stream_), kStreamCaptureUnsupported);
    EXPECT_EQ(cu("cuStreamEndCapture", stream_, &graph), kStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(cu("cuStreamEndCapture", stream_, &graph), kIllegalState);
    EXPECT_EQ(cu("cuStreamBeginCapture_v2", kDefault, 0), kStreamCaptureUnsupported)
        << "the legacy stream cannot be captured";
}

constexpr int kGlobal = 0, kThreadLocal = 1, kRelaxed = 2;  // CUstreamCaptureMode

class Captures : public Graphs {
protected:
    void SetUp() override {
        Graphs::SetUp();
        ASSERT_EQ(cu("cuEventCreate", &event_, 2u), kSuccess);
        ASSERT_EQ(cu("cuEventRecord", event_, kDefault), kSuccess);
    }

    void begin(int mode = kGlobal, Stream* stream = nullptr) {
        ASSERT_EQ(cu("cuStreamBeginCapture_v2", stream ? stream : stream_, mode), kSuccess);
    }

    static Result end(Stream* stream) {
        Graph* graph = nullptr;
        const Result result = cu("cuStreamEndCapture", stream, &graph);
        if (graph) cu("cuGraphDestroy", graph);
        return result;
    }
    Result end() { return end(stream_); }

    // Calls each function that may synchronize with the device.
    std::vector<Result> call_unsafe_functions() {
        constexpr size_t kBytes = 4096;
        static char buffer[kBytes];
        DevicePtr memory = 0, managed = 0;
        void *host = nullptr, *registered = buffer;
        std::vector<Result> results = {cu("cuMemAlloc_v2", &memory, kBytes),
                                       cu("cuMemAllocManaged", &managed, kBytes, 1u),
                                       cu("cuMemHostAlloc", &host, kBytes, 0u),
                                       cu("cuMemHostRegister_v2", registered, kBytes, 0u), cu("cuEventQuery", event_)};
        if (memory) results.push_back(cu("cuMemFree_v2", memory));
        if (managed) results.push_back(cu("cuMemFree_v2", managed));
        if (host) results.push_back(cu("cuMemFreeHost", host));
        if (!results[3]) results.push_back(cu("cuMemHostUnregister", registered));
        return results;
    }

    static std::vector<Result> all(size_t count, Result result) { return std::vector<Result>(count, result); }

    // The functions that allocate, and with them those that free.
    static constexpr size_t kProhibited = 5, kPermitted = 9;

    Event* event_ = nullptr;
};

TEST_F(Captures, ProhibitCallsThatMaySynchronize) {
    for (const int mode : {kGlobal, kThreadLocal}) {
        begin(mode);
        EXPECT_EQ(call_unsafe_functions(), all(kProhibited, kStreamCaptureUnsupported));
        EXPECT_EQ(end(), kStreamCaptureInvalidated);
    }
    const DevicePtr memory = allocate(1);
    begin();
    EXPECT_EQ(cu("cuMemFree_v2", memory), kStreamCaptureUnsupported);
    EXPECT_EQ(end(), kStreamCaptureInvalidated);
    EXPECT_EQ(cu("cuMemFree_v2", memory), kSuccess) << "the failed call did not free the memory";
}

TEST_F(Captures, PermitCallsThatMaySynchronizeInRelaxedMode) {
    begin(kRelaxed);
    EXPECT_EQ(call_unsafe_functions(), all(kPermitted, kSuccess));
    EXPECT_EQ(end(), kSuccess);

    int mode = kRelaxed;
    begin();
    EXPECT_EQ(cu("cuThreadExchangeStreamCaptureMode", &mode), kSuccess);
    EXPECT_EQ(mode, kGlobal);
    EXPECT_EQ(call_unsafe_functions(), all(kPermitted, kSuccess));
    EXPECT_EQ(cu("cuThreadExchangeStreamCaptureMode", &mode), kSuccess);
    EXPECT_EQ(mode, kRelaxed);
    EXPECT_EQ(end(), kSuccess);
}

TEST_F(Captures, ProhibitCallsOfOtherThreadsOnlyInGlobalMode) {
    for (const int mode : {kGlobal, kThreadLocal, kRelaxed}) {
        const bool prohibited = mode == kGlobal;
        begin(mode);
        std::thread([&] {
            EXPECT_EQ(cu("cuCtxSetCurrent", context_), kSuccess);
            EXPECT_EQ(call_unsafe_functions(),
                      prohibited ? all(kProhibited, kStreamCaptureUnsupported) : all(kPermitted, kSuccess));
        }).join();
        EXPECT_EQ(end(), prohibited ? kStreamCaptureInvalidated : kSuccess);
    }
}

TEST_F(Captures, EndInTheThreadThatStartedThemExceptInRelaxedMode) {
    for (const int mode : {kGlobal, kThreadLocal, kRelaxed}) {
        begin(mode);
        std::thread([&] { EXPECT_EQ(end(), mode == kRelaxed ? kSuccess : kStreamCaptureWrongThread); }).join();
        EXPECT_EQ(end(), mode == kRelaxed ? kIllegalState : kSuccess);
    }
}

TEST_F(Captures, FailIfAnotherStreamIsNotJoined) {
    Stream* forked = new_stream();
    begin();
    EXPECT_EQ(cu("cuEventRecord", event_, stream_), kSuccess);
    EXPECT_EQ(cu("cuStreamWaitEvent", forked, event_, 0u), kSuccess);
    EXPECT_EQ(cu("cuMemsetD8Async", memory_, static_cast<unsigned char>(1), size_t{1}, forked), kSuccess);
    EXPECT_EQ(end(), kStreamCaptureUnjoined);
    EXPECT_EQ(end(forked), kIllegalState) << "the capture has ended on every stream";
}

TEST_F(Captures, ProhibitQueriesOfCapturedEvents) {
    for (const char* function : {"cuEventQuery", "cuEventSynchronize"}) {
        begin();
        EXPECT_EQ(cu("cuEventRecord", event_, stream_), kSuccess);
        EXPECT_EQ(cu(function, event_), kCapturedEvent);
        EXPECT_EQ(end(), kStreamCaptureInvalidated) << function;
    }
}

TEST_F(Captures, ProhibitWaitsForTheContext) {
    begin(kRelaxed);
    EXPECT_EQ(cu("cuCtxSynchronize"), kStreamCaptureUnsupported);
    EXPECT_EQ(end(), kStreamCaptureInvalidated);
}

TEST_F(Captures, OfABlockingStreamProhibitUsesOfTheLegacyStream) {
    Stream* blocking = nullptr;
    ASSERT_EQ(cu("cuStreamCreate", &blocking, 0u), kSuccess);
    DevicePtr memory = 0;
    int status = -1;
    const auto byte = static_cast<unsigned char>(1);
    const std::function<Result()> uses[] = {
        [&] { return cu("cuMemsetD8Async", memory_, byte, size_t{1}, kDefault); },
        [&] { return cu("cuMemsetD8_v2", memory_, byte, size_t{1}); },
        [&] { return cu("cuMemAllocAsync", &memory, size_t{1}, kDefault); },
        [&] { return cu("cuMemFreeAsync", memory_, kDefault); },
        [&] { return cu("cuEventRecord", event_, kDefault); },
        [&] { return cu("cuStreamWaitEvent", kDefault, event_, 0u); },
        [&] { return cu("cuStreamSynchronize", kDefault); },
        [&] { return cu("cuStreamQuery", kDefault); },
    };
    for (const auto& use : uses) {
        begin(kRelaxed, blocking);
        EXPECT_EQ(use(), kStreamCaptureImplicit);
        EXPECT_EQ(end(blocking), kStreamCaptureInvalidated);
        begin();
        EXPECT_EQ(cu("cuMemsetD8Async", memory_, byte, size_t{1}, kDefault), kSuccess)
            << "the captured stream does not synchronize with the legacy stream";
        EXPECT_EQ(end(), kSuccess);
    }
    begin(kRelaxed, blocking);
    EXPECT_EQ(cu("cuStreamIsCapturing", kDefault, &status), kStreamCaptureImplicit);
    EXPECT_EQ(end(blocking), kSuccess) << "the question does not invalidate the capture";
}

TEST_F(Graphs, NodesRunAfterTheirDependencies) {
    static std::string order;
    order.clear();
    const HostFunction append = [](void* data) { order += static_cast<const char*>(data); };
    char a[] = "a", b[] = "b", c[] = "c";
    Graph* graph = nullptr;
    Node *first = nullptr, *second = nullptr, *third = nullptr;
    ExecHandle* exec = nullptr;
    ASSERT_EQ(cu("cuGraphCreate", &graph, 0u), kSuccess);
    const auto add = [&](Node** node, char* text) {
        const HostNodeParams params{append, text};
        Node* const* none = nullptr;
        return cu("cuGraphAddHostNode", node, graph, none, size_t{0}, &params);
    };
    ASSERT_EQ(add(&first, c), kSuccess);
    ASSERT_EQ(add(&second, b), kSuccess);
    ASSERT_EQ(add(&third, a), kSuccess);
    Node* from[] = {third, second};
    Node* to[] = {second, first};
    Node *const *sources = from, *const *targets = to;
    EXPECT_EQ(cu("cuGraphAddDependencies", graph, sources, targets, size_t{2}), kSuccess);
    ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, uint64_t{0}), kSuccess);
    EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kSuccess);
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(cu("cuGraphNodeSetEnabled", exec, second, 0u), kSuccess);
    EXPECT_EQ(cu("cuGraphLaunch", exec, stream_), kSuccess);
    EXPECT_EQ(order, "abcac");
    Node* closing_from[] = {first};
    Node* closing_to[] = {third};
    sources = closing_from;
    targets = closing_to;
    EXPECT_EQ(cu("cuGraphAddDependencies", graph, sources, targets, size_t{1}), kSuccess);
    EXPECT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, uint64_t{0}), kInvalidValue)
        << "the dependencies form a cycle";
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kInvalidValue);
}

TEST_F(Graphs, DestroysUserObjectsWithTheirLastReference) {
    static int destroyed;
    destroyed = 0;
    const HostFunction destroy = [](void*) { ++destroyed; };
    UserObjectHandle* object = nullptr;
    Graph* graph = nullptr;
    ExecHandle* exec = nullptr;
    void* nothing = nullptr;
    ASSERT_EQ(cu("cuGraphCreate", &graph, 0u), kSuccess);
    ASSERT_EQ(cu("cuUserObjectCreate", &object, nothing, destroy, 1u, 1u), kSuccess);
    EXPECT_EQ(cu("cuGraphRetainUserObject", graph, object, 1u, 1u), kSuccess);
    ASSERT_EQ(cu("cuGraphInstantiateWithFlags", &exec, graph, uint64_t{0}), kSuccess);
    EXPECT_EQ(cu("cuGraphDestroy", graph), kSuccess);
    EXPECT_EQ(destroyed, 0);
    EXPECT_EQ(cu("cuGraphExecDestroy", exec), kSuccess);
    EXPECT_EQ(destroyed, 1);
}

class VirtualMemory : public Driver {
protected:
    static constexpr size_t kUnit = 2 * kMegabyte;

    AllocationProperties properties_{1, kPosixFd, {kLocationDevice, 0}, nullptr, {}};

    uint64_t create(size_t bytes) {
        uint64_t handle = 0;
        EXPECT_EQ(
            cu("cuMemCreate", &handle, bytes, static_cast<const AllocationProperties*>(&properties_), uint64_t{0}),
            kSuccess);
        return handle;
    }

    static DevicePtr reserve(size_t bytes) {
        DevicePtr base = 0;
        EXPECT_EQ(cu("cuMemAddressReserve", &base, bytes, size_t{0}, DevicePtr{0}, uint64_t{0}), kSuccess);
        return base;
    }

    static Result set_access(DevicePtr base, size_t bytes) {
        const MemAccess access{{kLocationDevice, 0}, 3};
        return cu("cuMemSetAccess", base, bytes, &access, size_t{1});
    }
};

TEST_F(VirtualMemory, CanBeMappedAccessedAndUnmapped) {
    const size_t before = free_bytes();
    const auto sent = pattern(3 * kMegabyte);
    const DevicePtr base = reserve(2 * kUnit);
    const uint64_t first = create(kUnit), second = create(kUnit);
    EXPECT_EQ(free_bytes(), before - 2 * kUnit);
    EXPECT_EQ(upload(base, sent.data(), 1), kInvalidValue) << "the range is not mapped";
    EXPECT_EQ(cu("cuMemMap", base, kUnit, size_t{0}, first, uint64_t{0}), kSuccess);
    EXPECT_EQ(cu("cuMemMap", base, kUnit, size_t{0}, second, uint64_t{0}), kInvalidValue)
        << "the range is already mapped";
    EXPECT_EQ(upload(base, sent.data(), 1), kInvalidValue) << "cuMemSetAccess has not been called";
    EXPECT_EQ(cu("cuMemMap", base + kUnit, kUnit, size_t{0}, second, uint64_t{0}), kSuccess);
    EXPECT_EQ(set_access(base, 2 * kUnit), kSuccess);
    EXPECT_EQ(upload(base, sent.data(), sent.size()), kSuccess) << "the copy spans two mappings";
    EXPECT_EQ(download(base, sent.size()), sent);
    EXPECT_EQ(upload(base + 2 * kUnit - 1, sent.data(), 2), kInvalidValue);
    EXPECT_EQ(cu("cuMemRelease", first), kSuccess);
    EXPECT_EQ(cu("cuMemRelease", second), kSuccess);
    EXPECT_EQ(cu("cuMemRelease", second), kInvalidValue) << "the handle has been released";
    EXPECT_EQ(free_bytes(), before - 2 * kUnit) << "mappings keep the memory allocated";
    EXPECT_EQ(cu("cuMemAddressFree", base, 2 * kUnit), kInvalidValue);
    EXPECT_EQ(cu("cuMemUnmap", base, 2 * kUnit), kSuccess);
    EXPECT_EQ(free_bytes(), before);
    EXPECT_EQ(cu("cuMemAddressFree", base, 2 * kUnit), kSuccess);
}

TEST_F(VirtualMemory, CanBeMappedTwice) {
    const DevicePtr base = reserve(2 * kUnit);
    const uint64_t handle = create(kUnit);
    for (DevicePtr view : {base, base + kUnit}) {
        EXPECT_EQ(cu("cuMemMap", view, kUnit, size_t{0}, handle, uint64_t{0}), kSuccess);
    }
    EXPECT_EQ(set_access(base, 2 * kUnit), kSuccess);
    const auto sent = pattern(1000);
    EXPECT_EQ(upload(base, sent.data(), sent.size()), kSuccess);
    EXPECT_EQ(download(base + kUnit, sent.size()), sent);
    EXPECT_EQ(cu("cuMemUnmap", base, 2 * kUnit), kSuccess);
    EXPECT_EQ(cu("cuMemRelease", handle), kSuccess);
}

TEST_F(VirtualMemory, IsSharedThroughADescriptor) {
    const DevicePtr base = reserve(kUnit);
    const uint64_t handle = create(kUnit);
    const auto sent = pattern(1000);
    int fd = -1;
    void* out = &fd;
    EXPECT_EQ(cu("cuMemMap", base, kUnit, size_t{0}, handle, uint64_t{0}), kSuccess);
    EXPECT_EQ(set_access(base, kUnit), kSuccess);
    EXPECT_EQ(upload(base, sent.data(), sent.size()), kSuccess);
    ASSERT_EQ(cu("cuMemExportToShareableHandle", out, handle, int{kPosixFd}, uint64_t{0}), kSuccess);
    fcntl(fd, F_SETFD, 0);
    in_new_process("VirtualMemory.DISABLED_IsImportedFromAnotherProcess", std::to_string(fd));
    close(fd);
    EXPECT_EQ(cu("cuMemUnmap", base, kUnit), kSuccess);
    EXPECT_EQ(cu("cuMemRelease", handle), kSuccess);
}

// Runs in the second process of IsSharedThroughADescriptor.
TEST_F(VirtualMemory, DISABLED_IsImportedFromAnotherProcess) {
    const auto sent = pattern(1000);
    uint64_t imported = 0;
    void* os_handle = reinterpret_cast<void*>(static_cast<intptr_t>(std::stoi(message_of_parent())));
    EXPECT_EQ(cu("cuMemImportFromShareableHandle", &imported, os_handle, int{kPosixFd}), kSuccess);
    const DevicePtr view = reserve(kUnit);
    EXPECT_EQ(cu("cuMemMap", view, kUnit, size_t{0}, imported, uint64_t{0}), kSuccess);
    EXPECT_EQ(set_access(view, kUnit), kSuccess);
    EXPECT_EQ(download(view, sent.size()), sent);
    void* stdin_handle = nullptr;
    EXPECT_EQ(cu("cuMemImportFromShareableHandle", &imported, stdin_handle, int{kPosixFd}), kInvalidValue);
}

TEST_F(VirtualMemory, CreationIsLimitedByDeviceMemory) {
    uint64_t handle = 0;
    const auto* properties = &std::as_const(properties_);
    EXPECT_EQ(cu("cuMemCreate", &handle, testing::kGpuBytes + kUnit, properties, uint64_t{0}), kOutOfMemory);
    EXPECT_EQ(cu("cuMemCreate", &handle, kUnit + 1, properties, uint64_t{0}), kInvalidValue)
        << "the size is not a multiple of the granularity";
    EXPECT_EQ(cu("cuMemRelease", handle), kInvalidValue);
}

TEST_F(Driver, MemoryIsSharedWithAnotherProcess) {
    const auto sent = pattern(5000), answer = pattern(6000);
    const DevicePtr memory = allocate(6000);
    IpcHandle handle{};
    DevicePtr mapped = 0;
    EXPECT_EQ(upload(memory, sent.data(), sent.size()), kSuccess);
    ASSERT_EQ(cu("cuIpcGetMemHandle", &handle, memory), kSuccess);
    EXPECT_EQ(download(memory, sent.size()), sent) << "sharing preserves the content";
    EXPECT_EQ(cu("cuIpcOpenMemHandle_v2", &mapped, handle, 1u), kInvalidContext)
        << "the exporting process cannot open its own handle";
    in_new_process("Driver.DISABLED_OpensMemoryOfAnotherProcess", in_hexadecimal(handle));
    EXPECT_EQ(download(memory, answer.size()), answer);
    EXPECT_EQ(cu("cuMemFree_v2", memory), kSuccess);
}

// Runs in the second process of MemoryIsSharedWithAnotherProcess.
TEST_F(Driver, DISABLED_OpensMemoryOfAnotherProcess) {
    const auto sent = pattern(5000), answer = pattern(6000);
    const IpcHandle handle = from_hexadecimal(message_of_parent());
    DevicePtr opened = 0;
    ASSERT_EQ(cu("cuIpcOpenMemHandle_v2", &opened, handle, 1u), kSuccess);
    EXPECT_EQ(download(opened, sent.size()), sent);
    EXPECT_EQ(upload(opened, answer.data(), answer.size()), kSuccess);
    EXPECT_EQ(cu("cuIpcCloseMemHandle", opened), kSuccess);
    EXPECT_EQ(cu("cuIpcCloseMemHandle", opened), kInvalidValue);
    IpcHandle garbled{};
    EXPECT_EQ(cu("cuIpcOpenMemHandle_v2", &opened, garbled, 1u), kInvalidValue);
}

TEST_F(Driver, ThreadsAllocateCopyAndFreeConcurrently) {
    constexpr int kThreads = 8, kRounds = 200;
    const size_t before = free_bytes();
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([this, t] {
            ASSERT_EQ(cu("cuCtxSetCurrent", context_), kSuccess);
            Stream* stream = new_stream();
            const std::vector<unsigned char> sent(4096, static_cast<unsigned char>(t));
            std::vector<unsigned char> received(sent.size());
            for (int i = 0; i < kRounds; ++i) {
                const DevicePtr memory = allocate(sent.size());
                const void* source = sent.data();
                void* target = received.data();
                EXPECT_EQ(cu("cuMemcpyHtoDAsync_v2", memory, source, sent.size(), stream), kSuccess);
                EXPECT_EQ(cu("cuMemcpyDtoHAsync_v2", target, memory, sent.size(), stream), kSuccess);
                EXPECT_EQ(received, sent);
                EXPECT_EQ(cu("cuMemFree_v2", memory), kSuccess);
            }
            EXPECT_EQ(cu("cuStreamDestroy_v2", stream), kSuccess);
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(free_bytes(), before);
}

TEST_F(Driver, ErrorsHaveNamesAndTexts) {
    const char *name = nullptr, *text = nullptr;
    EXPECT_EQ(cu("cuGetErrorName", 100, &name), kSuccess);
    EXPECT_STREQ(name, "CUDA_ERROR_NO_DEVICE");
    EXPECT_EQ(cu("cuGetErrorString", 100, &text), kSuccess);
    EXPECT_STREQ(text, "no CUDA-capable device is detected");
    EXPECT_EQ(cu("cuGetErrorName", 12345, &name), kInvalidValue);
    EXPECT_EQ(name, nullptr);
}

TEST_F(Driver, ExportTablesAreNotFound) {
    const void* table = &table;
    const Uuid id{};
    EXPECT_EQ(cu("cuGetExportTable", &table, &id), kNotFound);
    EXPECT_EQ(table, nullptr);
}

}  // namespace
}  // namespace cudafault::sim
