// SPDX-License-Identifier: Apache-2.0
// Tests one simulated runtime over the simulated driver. Functions are looked up by symbol and symbol version.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "simgpu/cudart/properties.hpp"
#include "simgpu/cudart/types.hpp"
#include "simgpu/simgpu_testing.hpp"

namespace cudafault::cudart {
namespace {

constexpr const char* kSymbolVersion = CUDART_SONAME;

// Opens the library by absolute path, so that the test never uses a real runtime that is installed on the machine.
void* library() {
    static void* const handle = sim::testing::open_library(CUDART_PATH);
    return handle;
}

void* symbol(const char* name) { return dlvsym(library(), name, kSymbolVersion); }

// Calls a function of the runtime by name. The arguments must have exactly the types of its parameters.
template <typename... Arguments>
Error cuda(const char* name, Arguments... arguments) {
    const auto function = reinterpret_cast<Error (*)(Arguments...)>(symbol(name));
    if (!function) {
        ADD_FAILURE() << name << " is not exported";
        return kSymbolNotFound;
    }
    return function(arguments...);
}

void* allocate(size_t bytes) {
    void* pointer = nullptr;
    EXPECT_EQ(cuda("cudaMalloc", &pointer, bytes), kSuccess);
    return pointer;
}

std::vector<unsigned char> pattern(size_t size) {
    std::vector<unsigned char> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(i * 7 + 1);
    return bytes;
}

// A program with one image, one kernel and one variable, registered in the same way as by nvcc's constructors.
struct Program {
    struct {
        int magic = 0x466243b1;
        int version = 1;
        const void* image;
        void* extra = nullptr;
    } wrapper;
    // The header of an empty fat binary.
    alignas(8) unsigned char image[16] = {0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0};
    char kernel_stub = 0, variable = 0;
    static constexpr size_t kVariableBytes = 64;
    void** handle = nullptr;

    Program() {
        wrapper.image = image;
        handle = reinterpret_cast<void** (*)(const void*)>(symbol("__cudaRegisterFatBinary"))(&wrapper);
        using RegisterFunction =
            void (*)(void**, const char*, char*, const char*, int, void*, void*, void*, void*, int*);
        reinterpret_cast<RegisterFunction>(symbol("__cudaRegisterFunction"))(
            handle, &kernel_stub, nullptr, "_Z6kernelv", -1, nullptr, nullptr, nullptr, nullptr, nullptr);
        using RegisterVariable = void (*)(void**, char*, char*, const char*, int, size_t, int, int);
        reinterpret_cast<RegisterVariable>(symbol("__cudaRegisterVar"))(handle, &variable, nullptr, "variable", 0,
                                                                        kVariableBytes, 0, 0);
        if (void* end = symbol("__cudaRegisterFatBinaryEnd")) reinterpret_cast<void (*)(void**)>(end)(handle);
    }

    ~Program() { reinterpret_cast<void (*)(void**)>(symbol("__cudaUnregisterFatBinary"))(handle); }
};

Error launch(const void* kernel, Dim3 grid, Dim3 block) {
    void** no_arguments = nullptr;
    return cuda("cudaLaunchKernel", kernel, grid, block, no_arguments, size_t{0}, Stream{});
}

class Cudart : public testing::Test {
protected:
    // Clears the last error, so that it does not affect the next test.
    void TearDown() override { cuda("cudaGetLastError"); }
};

// Returns the exported names of the release, from the generated version script.
std::vector<std::string> exported_names() {
    std::vector<std::string> names;
    std::ifstream script(CUDART_MAP);
    for (std::string line; std::getline(script, line) && line != "local:";) {
        if (line.starts_with("    ")) names.push_back(line.substr(4, line.size() - 5));
    }
    return names;
}

TEST_F(Cudart, ExportsEveryFunctionOfItsReleaseUnderItsVersion) {
    const std::vector<std::string> names = exported_names();
    std::set<void*> addresses;
    for (const std::string& name : names) {
        void* address = symbol(name.c_str());
        EXPECT_TRUE(address) << name;
        addresses.insert(address);
    }
    EXPECT_GT(names.size(), 380u);
    EXPECT_EQ(addresses.size(), names.size()) << "two functions have the same address";
}

TEST_F(Cudart, ExportsOnlyTheSymbolVersionOfItsRelease) {
    for (const char* version : {"libcudart.so.11.0", "libcudart.so.12", "libcudart.so.13"}) {
        EXPECT_EQ(dlvsym(library(), "cudaMalloc", version) != nullptr, std::string(version) == kSymbolVersion)
            << version;
    }
}

TEST_F(Cudart, ReportsTheVersionsOfItsRelease) {
    int runtime = 0, driver = 0;
    EXPECT_EQ(cuda("cudaRuntimeGetVersion", &runtime), kSuccess);
    EXPECT_EQ(runtime / 1000, CUDART_MAJOR);
    EXPECT_EQ(cuda("cudaDriverGetVersion", &driver), kSuccess);
    EXPECT_GE(driver, runtime);
}

TEST_F(Cudart, CountsTheDevicesOfTheSimulatedMachine) {
    int count = 0;
    EXPECT_EQ(cuda("cudaGetDeviceCount", &count), kSuccess);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(cuda("cudaSetDevice", 3), kInvalidDevice);
    EXPECT_EQ(cuda("cudaSetDevice", -1), kInvalidDevice);
}

TEST_F(Cudart, CurrentDeviceIsPerThread) {
    ASSERT_EQ(cuda("cudaSetDevice", 1), kSuccess);
    int device = -1, thread_device = -1;
    std::thread([&] { EXPECT_EQ(cuda("cudaGetDevice", &thread_device), kSuccess); }).join();
    EXPECT_EQ(cuda("cudaGetDevice", &device), kSuccess);
    EXPECT_EQ(device, 1);
    EXPECT_EQ(thread_device, 0);
    EXPECT_EQ(cuda("cudaSetDevice", 0), kSuccess);
}

template <typename Properties>
void expect_properties(const char* function) {
    Properties properties;
    std::memset(static_cast<void*>(&properties), 0xff, sizeof properties);
    ASSERT_EQ(cuda(function, &properties, 0), kSuccess);
    int processors = 0, threads = 0, major = 0, reserved_shared = 0;
    EXPECT_EQ(cuda("cudaDeviceGetAttribute", &processors, 16, 0), kSuccess);
    EXPECT_EQ(cuda("cudaDeviceGetAttribute", &threads, 39, 0), kSuccess);
    EXPECT_EQ(cuda("cudaDeviceGetAttribute", &major, 75, 0), kSuccess);
    EXPECT_EQ(cuda("cudaDeviceGetAttribute", &reserved_shared, 111, 0), kSuccess);
    EXPECT_GT(std::strlen(properties.name), 0u);
    EXPECT_LT(std::strlen(properties.name), sizeof properties.name);
    EXPECT_EQ(properties.totalGlobalMem, sim::testing::kGpuBytes);
    EXPECT_EQ(properties.multiProcessorCount, processors);
    EXPECT_EQ(properties.maxThreadsPerMultiProcessor, threads);
    EXPECT_EQ(properties.major, major);
    EXPECT_EQ(properties.reservedSharedMemPerBlock, static_cast<size_t>(reserved_shared));
    EXPECT_EQ(cuda(function, &properties, 9), kInvalidDevice);
}

TEST_F(Cudart, PropertiesHaveTheLayoutOfTheRelease) {
#if CUDART_MAJOR == 11
    static_assert(sizeof(DeviceProperties) == 728);
    expect_properties<DeviceProperties>("cudaGetDeviceProperties");
#elif CUDART_MAJOR == 12
    static_assert(sizeof(DeviceProperties) == 728 && sizeof(DevicePropertiesV2) == 1032);
    expect_properties<DeviceProperties>("cudaGetDeviceProperties");
    expect_properties<DevicePropertiesV2>("cudaGetDeviceProperties_v2");
#else
    static_assert(sizeof(DevicePropertiesV2) == 1008);
    expect_properties<DevicePropertiesV2>("cudaGetDeviceProperties");
#endif
}

TEST_F(Cudart, CopiedMemoryIsReadBack) {
    const auto sent = pattern(10000);
    std::vector<unsigned char> received(sent.size());
    void* first = allocate(sent.size());
    void* second = allocate(sent.size());
    const void* source = sent.data();
    EXPECT_EQ(cuda("cudaMemcpy", first, source, sent.size(), kHostToDevice), kSuccess);
    EXPECT_EQ(cuda("cudaMemcpy", second, static_cast<const void*>(first), sent.size(), kDeviceToDevice), kSuccess);
    void* target = received.data();
    EXPECT_EQ(cuda("cudaMemcpy", target, static_cast<const void*>(second), sent.size(), kDefaultKind), kSuccess);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(cuda("cudaFree", first), kSuccess);
    EXPECT_EQ(cuda("cudaFree", second), kSuccess);
}

TEST_F(Cudart, PitchedMemoryIsCopiedRowByRow) {
    constexpr size_t kWidth = 100, kHeight = 7;
    const auto sent = pattern(kWidth * kHeight);
    std::vector<unsigned char> received(sent.size());
    void* device = nullptr;
    size_t pitch = 0;
    ASSERT_EQ(cuda("cudaMallocPitch", &device, &pitch, kWidth, kHeight), kSuccess);
    EXPECT_GE(pitch, kWidth);
    const void* source = sent.data();
    void* target = received.data();
    EXPECT_EQ(cuda("cudaMemcpy2D", device, pitch, source, kWidth, kWidth, kHeight, kHostToDevice), kSuccess);
    EXPECT_EQ(
        cuda("cudaMemcpy2D", target, kWidth, static_cast<const void*>(device), pitch, kWidth, kHeight, kDeviceToHost),
        kSuccess);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(cuda("cudaFree", device), kSuccess);
}

TEST_F(Cudart, MemsetWritesOnlyItsRange) {
    std::vector<unsigned char> received(100, 1);
    void* device = allocate(100);
    EXPECT_EQ(cuda("cudaMemset", device, 0, size_t{100}), kSuccess);
    EXPECT_EQ(cuda("cudaMemset", device, 0xab, size_t{60}), kSuccess);
    void* target = received.data();
    EXPECT_EQ(cuda("cudaMemcpy", target, static_cast<const void*>(device), size_t{100}, kDeviceToHost), kSuccess);
    EXPECT_EQ(received[59], 0xab);
    EXPECT_EQ(received[60], 0);
    EXPECT_EQ(cuda("cudaFree", device), kSuccess);
}

TEST_F(Cudart, RejectsCopyWithInvalidDirection) {
    char byte = 0;
    EXPECT_EQ(cuda("cudaMemcpy", &byte, static_cast<const char*>(&byte), size_t{1}, 7), kInvalidMemcpyDirection);
}

TEST_F(Cudart, ZeroBytesCanBeAllocatedAndFreed) {
    void* pointer = &pointer;
    EXPECT_EQ(cuda("cudaMalloc", &pointer, size_t{0}), kSuccess);
    EXPECT_EQ(pointer, nullptr);
    EXPECT_EQ(cuda("cudaFree", pointer), kSuccess);
}

TEST_F(Cudart, LastErrorIsKeptUntilItIsRead) {
    void* pointer = nullptr;
    EXPECT_EQ(cuda("cudaMalloc", &pointer, size_t{1} << 50), kMemoryAllocation);
    void* small = allocate(16);
    EXPECT_EQ(cuda("cudaFree", small), kSuccess);
    EXPECT_EQ(cuda("cudaPeekAtLastError"), kMemoryAllocation);
    EXPECT_EQ(cuda("cudaGetLastError"), kMemoryAllocation);
    EXPECT_EQ(cuda("cudaGetLastError"), kSuccess);
}

TEST_F(Cudart, LastErrorIsPerThread) {
    EXPECT_EQ(cuda("cudaSetDevice", 99), kInvalidDevice);
    std::thread([] { EXPECT_EQ(cuda("cudaGetLastError"), kSuccess); }).join();
    EXPECT_EQ(cuda("cudaGetLastError"), kInvalidDevice);
}

TEST_F(Cudart, ReturnsThePointerAttributesOfEachMemoryType) {
    void* device = allocate(4096);
    void* host = nullptr;
    ASSERT_EQ(cuda("cudaMallocHost", &host, size_t{4096}), kSuccess);
    char local = 0;
    PointerAttributes attributes;
    EXPECT_EQ(cuda("cudaPointerGetAttributes", &attributes, static_cast<const void*>(device)), kSuccess);
    EXPECT_EQ(attributes.type, 2);
    EXPECT_EQ(attributes.device, 0);
    EXPECT_EQ(attributes.device_pointer, device);
    EXPECT_EQ(cuda("cudaPointerGetAttributes", &attributes, static_cast<const void*>(host)), kSuccess);
    EXPECT_EQ(attributes.type, 1);
    EXPECT_EQ(attributes.host_pointer, host);
    EXPECT_EQ(cuda("cudaPointerGetAttributes", &attributes, static_cast<const void*>(&local)), kSuccess);
    EXPECT_EQ(attributes.type, 0);
    EXPECT_EQ(cuda("cudaFreeHost", host), kSuccess);
    EXPECT_EQ(cuda("cudaFree", device), kSuccess);
}

TEST_F(Cudart, StreamsAndEventsFinish) {
    Stream stream = nullptr;
    Event start = nullptr, end = nullptr;
    ASSERT_EQ(cuda("cudaStreamCreate", &stream), kSuccess);
    ASSERT_EQ(cuda("cudaEventCreate", &start), kSuccess);
    ASSERT_EQ(cuda("cudaEventCreate", &end), kSuccess);
    void* device = allocate(1 << 20);
    EXPECT_EQ(cuda("cudaEventRecord", start, stream), kSuccess);
    EXPECT_EQ(cuda("cudaMemsetAsync", device, 1, size_t{1} << 20, stream), kSuccess);
    EXPECT_EQ(cuda("cudaEventRecord", end, stream), kSuccess);
    EXPECT_EQ(cuda("cudaStreamSynchronize", stream), kSuccess);
    EXPECT_EQ(cuda("cudaEventQuery", end), kSuccess);
    float milliseconds = -1;
    EXPECT_EQ(cuda("cudaEventElapsedTime", &milliseconds, start, end), kSuccess);
    EXPECT_GE(milliseconds, 0);
    EXPECT_EQ(cuda("cudaEventDestroy", start), kSuccess);
    EXPECT_EQ(cuda("cudaEventDestroy", end), kSuccess);
    EXPECT_EQ(cuda("cudaStreamDestroy", stream), kSuccess);
    EXPECT_EQ(cuda("cudaFree", device), kSuccess);
}

TEST_F(Cudart, PerThreadVariantsCopyMemory) {
    const auto sent = pattern(100);
    std::vector<unsigned char> received(sent.size());
    void* device = allocate(sent.size());
    const void* source = sent.data();
    void* target = received.data();
    EXPECT_EQ(cuda("cudaMemcpyAsync_ptsz", device, source, sent.size(), kHostToDevice, Stream{}), kSuccess);
    EXPECT_EQ(cuda("cudaMemcpy_ptds", target, static_cast<const void*>(device), sent.size(), kDeviceToHost), kSuccess);
    EXPECT_EQ(cuda("cudaStreamSynchronize_ptsz", Stream{}), kSuccess);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(cuda("cudaFree", device), kSuccess);
}

TEST_F(Cudart, RegisteredKernelIsLaunched) {
    Program program;
    EXPECT_EQ(launch(&program.kernel_stub, {4, 1, 1}, {256, 1, 1}), kSuccess);
    EXPECT_EQ(cuda("cudaDeviceSynchronize"), kSuccess);
}

TEST_F(Cudart, CallConfigurationsAreAStack) {
    const auto push = reinterpret_cast<unsigned (*)(Dim3, Dim3, size_t, Stream)>(symbol("__cudaPushCallConfiguration"));
    ASSERT_TRUE(push);
    EXPECT_EQ(push({1, 2, 3}, {4, 5, 6}, 7, kPerThreadStream), 0u);
    EXPECT_EQ(push({9, 1, 1}, {1, 1, 1}, 0, nullptr), 0u);
    Dim3 grid, block;
    size_t shared = 0;
    Stream stream = nullptr;
    EXPECT_EQ(cuda("__cudaPopCallConfiguration", &grid, &block, &shared, &stream), kSuccess);
    EXPECT_EQ(grid.x, 9u);
    EXPECT_EQ(cuda("__cudaPopCallConfiguration", &grid, &block, &shared, &stream), kSuccess);
    EXPECT_EQ(grid.z, 3u);
    EXPECT_EQ(block.x, 4u);
    EXPECT_EQ(shared, 7u);
    EXPECT_EQ(stream, kPerThreadStream);
    EXPECT_EQ(cuda("__cudaPopCallConfiguration", &grid, &block, &shared, &stream), kMissingConfiguration);
}

TEST_F(Cudart, RejectsInvalidLaunches) {
    Program program;
    EXPECT_EQ(launch(&program, {1, 1, 1}, {1, 1, 1}), kInvalidDeviceFunction);
    EXPECT_EQ(cuda("cudaGetLastError"), kInvalidDeviceFunction);
    EXPECT_EQ(launch(&program.kernel_stub, {1, 1, 1}, {2048, 1, 1}), kInvalidConfiguration);
    EXPECT_EQ(launch(&program.kernel_stub, {0, 1, 1}, {1, 1, 1}), kInvalidConfiguration);
}

TEST_F(Cudart, UnregisteredKernelCannotBeLaunched) {
    const void* stub = nullptr;
    {
        Program program;
        stub = &program.kernel_stub;
    }
    EXPECT_EQ(launch(stub, {1, 1, 1}, {1, 1, 1}), kInvalidDeviceFunction);
}

#if CUDART_MAJOR >= 12
TEST_F(Cudart, KernelIsLaunchedByItsHandle) {
    Program program;
    const void* kernel = nullptr;
    void** no_arguments = nullptr;
    const Dim3 one{1, 1, 1};
    ASSERT_EQ(cuda("__cudaGetKernel", &kernel, static_cast<const void*>(&program.kernel_stub)), kSuccess);
    EXPECT_EQ(cuda("__cudaLaunchKernel", kernel, one, one, no_arguments, size_t{0}, Stream{}), kSuccess);
    LaunchConfig config{one, one, 0, nullptr, nullptr, 0};
    EXPECT_EQ(cuda("cudaLaunchKernelExC", static_cast<const LaunchConfig*>(&config), kernel, no_arguments), kSuccess);
}
#endif

TEST_F(Cudart, KernelsHaveAttributes) {
    Program program;
    FunctionAttributes attributes;
    EXPECT_EQ(cuda("cudaFuncGetAttributes", &attributes, static_cast<const void*>(&program.kernel_stub)), kSuccess);
    EXPECT_GT(attributes.max_threads_per_block, 0);
    int blocks = 0;
    EXPECT_EQ(cuda("cudaOccupancyMaxActiveBlocksPerMultiprocessor", &blocks,
                   static_cast<const void*>(&program.kernel_stub), 128, size_t{0}),
              kSuccess);
    EXPECT_GT(blocks, 0);
}

TEST_F(Cudart, CopiedDeviceVariablesAreReadBack) {
    Program program;
    const void* variable = &program.variable;
    const auto sent = pattern(Program::kVariableBytes / 2);
    std::vector<unsigned char> received(sent.size());
    const void* source = sent.data();
    void* target = received.data();
    size_t size = 0;
    EXPECT_EQ(cuda("cudaGetSymbolSize", &size, variable), kSuccess);
    EXPECT_EQ(size, Program::kVariableBytes);
    EXPECT_EQ(cuda("cudaMemcpyToSymbol", variable, source, sent.size(), size_t{32}, kHostToDevice), kSuccess);
    EXPECT_EQ(cuda("cudaMemcpyFromSymbol", target, variable, sent.size(), size_t{32}, kDeviceToHost), kSuccess);
    EXPECT_EQ(received, sent);
    EXPECT_EQ(cuda("cudaMemcpyToSymbol", variable, source, sent.size(), size_t{33}, kHostToDevice), kInvalidValue);
    EXPECT_EQ(cuda("cudaMemcpyToSymbol", source, source, size_t{1}, size_t{0}, kHostToDevice), kInvalidSymbol);
}

TEST_F(Cudart, CapturedGraphIsLaunched) {
    Stream stream = nullptr;
    Graph graph = nullptr;
    GraphExec executable = nullptr;
    void* device = allocate(16);
    ASSERT_EQ(cuda("cudaStreamCreateWithFlags", &stream, 1u), kSuccess);
    ASSERT_EQ(cuda("cudaStreamBeginCapture", stream, 0), kSuccess);
    EXPECT_EQ(cuda("cudaMemsetAsync", device, 5, size_t{16}, stream), kSuccess);
    ASSERT_EQ(cuda("cudaStreamEndCapture", stream, &graph), kSuccess);
    ASSERT_EQ(cuda("cudaGraphInstantiateWithFlags", &executable, graph, 0ull), kSuccess);
    EXPECT_EQ(cuda("cudaGraphLaunch", executable, stream), kSuccess);
    EXPECT_EQ(cuda("cudaStreamSynchronize", stream), kSuccess);
    EXPECT_EQ(cuda("cudaGraphExecDestroy", executable), kSuccess);
    EXPECT_EQ(cuda("cudaGraphDestroy", graph), kSuccess);
    EXPECT_EQ(cuda("cudaStreamDestroy", stream), kSuccess);
    EXPECT_EQ(cuda("cudaFree", device), kSuccess);
}

TEST_F(Cudart, DriverEntryPointsAreFound) {
    void* found = nullptr;
#if CUDART_MAJOR >= 12
    int status = -1;
    EXPECT_EQ(cuda("cudaGetDriverEntryPoint", "cuMemAlloc", &found, 0ull, &status), kSuccess);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(found);
    EXPECT_EQ(cuda("cudaGetDriverEntryPoint", "cuNoSuchFunction", &found, 0ull, &status), kSuccess);
    EXPECT_NE(status, 0);
    EXPECT_FALSE(found);
#else
    EXPECT_EQ(cuda("cudaGetDriverEntryPoint", "cuMemAlloc", &found, 0ull), kSuccess);
    EXPECT_TRUE(found);
    EXPECT_EQ(cuda("cudaGetDriverEntryPoint", "cuNoSuchFunction", &found, 0ull), kSymbolNotFound);
#endif
}

TEST_F(Cudart, StubsReturnNotSupported) {
    EXPECT_EQ(cuda("cudaMallocArray"), kNotSupported);
    EXPECT_EQ(cuda("cudaGetLastError"), kNotSupported);
}

TEST_F(Cudart, ErrorsHaveNamesAndTexts) {
    const auto name = reinterpret_cast<const char* (*)(int)>(symbol("cudaGetErrorName"));
    const auto text = reinterpret_cast<const char* (*)(int)>(symbol("cudaGetErrorString"));
    EXPECT_STREQ(name(719), "cudaErrorLaunchFailure");
    EXPECT_STREQ(text(719), "unspecified launch failure");
    EXPECT_STREQ(name(0), "cudaSuccess");
    EXPECT_STREQ(text(12345), "unrecognized error code");
}

// Exits with 0 if each call returns `expected`. Runs in a separate process, because initialization happens only once
// per process.
void exit_after_failed_calls(const char* variable, const char* value, int expected) {
    setenv(variable, value, 1);
    int count = 0;
    const int first = cuda("cudaGetDeviceCount", &count);
    void* pointer = nullptr;
    const int second = cuda("cudaMalloc", &pointer, size_t{16});
    const int last = cuda("cudaGetLastError"), again = cuda("cudaGetLastError");
    std::_Exit(first == expected && second == expected && last == expected && again == expected ? 0 : 1);
}

TEST(CudartDeathTest, EveryCallReturnsTheInitializationError) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(exit_after_failed_calls("CUDAFAULT_SIM_GPUS", "0", kNoDevice), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cudafault::cudart
