// SPDX-License-Identifier: Apache-2.0
// Kernel launches and what is known about kernels.
#include "simgpu/cudart/registry.hpp"
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

// Of every GPU since compute capability 2.0. The driver calls a larger block an invalid value, the runtime an invalid
// configuration.
constexpr uint64_t kMaxThreadsPerBlock = 1024;

struct Configuration {
    Dim3 grid, block;
    size_t shared_bytes;
    Stream stream;
};

// <<<>>> pushes, the kernel's host stub pops; launches nest where an argument's constructor launches.
constexpr int kMaxNesting = 16;
thread_local Configuration t_configurations[kMaxNesting];
thread_local int t_nesting = 0;

bool is_empty(const Dim3& size) { return !size.x || !size.y || !size.z; }

Error check(const Dim3& grid, const Dim3& block) {
    if (is_empty(grid) || is_empty(block)) return kInvalidConfiguration;
    return uint64_t{block.x} * block.y * block.z > kMaxThreadsPerBlock ? kInvalidConfiguration : kSuccess;
}

Error prepare(const void* function, Function& result) {
    if (Error error = enter_context()) return error;
    Kernel kernel = nullptr;
    if (Error error = find_kernel(function, kernel)) return error;
    result = reinterpret_cast<Function>(kernel);
    return kSuccess;
}

Error launch(const void* function, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes, Stream stream) {
    Function kernel = nullptr;
    if (Error error = prepare(function, kernel)) return error;
    if (Error error = check(grid, block)) return error;
    return call(&Driver::cuLaunchKernel, kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                static_cast<unsigned>(shared_bytes), stream, arguments, nullptr);
}

Error launch_cooperative(const void* function, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes,
                         Stream stream) {
    Function kernel = nullptr;
    if (Error error = prepare(function, kernel)) return error;
    if (Error error = check(grid, block)) return error;
    return call(&Driver::cuLaunchCooperativeKernel, kernel, grid.x, grid.y, grid.z, block.x, block.y, block.z,
                static_cast<unsigned>(shared_bytes), stream, arguments);
}

DriverLaunchConfig translate(const LaunchConfig& config) {
    return {config.grid,   config.block,      static_cast<unsigned>(config.shared_bytes),
            config.stream, config.attributes, config.attribute_count};
}

Error launch_extended(const LaunchConfig* config, const void* function, void** arguments) {
    if (!config) return kInvalidValue;
    Function kernel = nullptr;
    if (Error error = prepare(function, kernel)) return error;
    if (Error error = check(config->grid, config->block)) return error;
    const DriverLaunchConfig translated = translate(*config);
    return call(&Driver::cuLaunchKernelEx, &translated, kernel, arguments, nullptr);
}

// The kernel and the device it is asked about.
struct KernelHere {
    Kernel kernel = nullptr;
    int device = 0;
};

Error find_here(const void* function, KernelHere& here) {
    if (Error error = enter_context()) return error;
    if (Error error = find_kernel(function, here.kernel)) return error;
    return current_device(here.device);
}

// Attributes that a driver does not know are 0.
int attribute(const KernelHere& here, int number) {
    int value = 0;
    return call(&Driver::cuKernelGetAttribute, &value, number, here.kernel, here.device) ? 0 : value;
}

Error function_attributes(FunctionAttributes* result, const void* function) {
    if (!result) return kInvalidValue;
    KernelHere here;
    if (Error error = find_here(function, here)) return error;
    FunctionAttributes found{};
    if (Error error = call(&Driver::cuKernelGetAttribute, &found.max_threads_per_block, 0, here.kernel, here.device)) {
        return error;
    }
    found.shared_bytes = attribute(here, 1);
    found.const_bytes = attribute(here, 2);
    found.local_bytes = attribute(here, 3);
    found.registers = attribute(here, 4);
    found.ptx_version = attribute(here, 5);
    found.binary_version = attribute(here, 6);
    found.cache_mode_ca = attribute(here, 7);
    found.max_dynamic_shared_bytes = attribute(here, 8);
    found.preferred_shared_carveout = attribute(here, 9);
#if CUDART_MAJOR >= 12
    found.cluster_dim_must_be_set = attribute(here, 10);
    found.cluster_width = attribute(here, 11);
    found.cluster_height = attribute(here, 12);
    found.cluster_depth = attribute(here, 13);
    found.non_portable_cluster_size = attribute(here, 14);
    found.cluster_scheduling_policy = attribute(here, 15);
#endif
    *result = found;
    return kSuccess;
}

}  // namespace

// 0 on success; nvcc's code tests only for that.
CUDART_API unsigned __cudaPushCallConfiguration(Dim3 grid, Dim3 block, size_t shared_bytes, Stream stream) {
    if (t_nesting == kMaxNesting) return record(kInvalidConfiguration);
    t_configurations[t_nesting++] = {grid, block, shared_bytes, stream};
    return kSuccess;
}

CUDART_API Error __cudaPopCallConfiguration(Dim3* grid, Dim3* block, size_t* shared_bytes, Stream* stream) {
    if (!t_nesting) return record(kMissingConfiguration);
    const Configuration& top = t_configurations[--t_nesting];
    *grid = top.grid;
    *block = top.block;
    *shared_bytes = top.shared_bytes;
    *stream = top.stream;
    return kSuccess;
}

CUDART_API Error cudaLaunchKernel(const void* function, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes,
                                  Stream stream) {
    return record(launch(function, grid, block, arguments, shared_bytes, stream));
}
CUDART_PER_THREAD(cudaLaunchKernel, _ptsz,
                  (const void* function, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes, Stream stream),
                  (function, grid, block, arguments, shared_bytes, own_stream(stream)))

// What nvcc 12.9 and later call with the handle of __cudaGetKernel.
CUDART_API Error __cudaLaunchKernel(const void* kernel, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes,
                                    Stream stream) {
    return record(launch(kernel, grid, block, arguments, shared_bytes, stream));
}
CUDART_PER_THREAD(__cudaLaunchKernel, _ptsz,
                  (const void* kernel, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes, Stream stream),
                  (kernel, grid, block, arguments, shared_bytes, own_stream(stream)))

CUDART_API Error cudaLaunchCooperativeKernel(const void* function, Dim3 grid, Dim3 block, void** arguments,
                                             size_t shared_bytes, Stream stream) {
    return record(launch_cooperative(function, grid, block, arguments, shared_bytes, stream));
}
CUDART_PER_THREAD(cudaLaunchCooperativeKernel, _ptsz,
                  (const void* function, Dim3 grid, Dim3 block, void** arguments, size_t shared_bytes, Stream stream),
                  (function, grid, block, arguments, shared_bytes, own_stream(stream)))

CUDART_API Error cudaLaunchKernelExC(const LaunchConfig* config, const void* function, void** arguments) {
    return record(launch_extended(config, function, arguments));
}

CUDART_API Error cudaLaunchKernelExC_ptsz(const LaunchConfig* config, const void* function, void** arguments) {
    if (!config) return record(kInvalidValue);
    LaunchConfig own = *config;
    own.stream = own_stream(config->stream);
    return record(launch_extended(&own, function, arguments));
}

CUDART_API Error cudaFuncGetAttributes(FunctionAttributes* attributes, const void* function) {
    return record(function_attributes(attributes, function));
}

CUDART_API Error cudaFuncSetAttribute(const void* function, int attribute, int value) {
    KernelHere here;
    Error error = find_here(function, here);
    if (!error) error = call(&Driver::cuKernelSetAttribute, attribute, value, here.kernel, here.device);
    return record(error);
}

CUDART_API Error cudaFuncSetCacheConfig(const void* function, int config) {
    KernelHere here;
    Error error = find_here(function, here);
    if (!error) error = call(&Driver::cuKernelSetCacheConfig, here.kernel, config, here.device);
    return record(error);
}

// Without effect since Volta's unified cache.
CUDART_API Error cudaFuncSetSharedMemConfig(const void* function, int) {
    KernelHere here;
    return record(find_here(function, here));
}

CUDART_API Error cudaFuncGetName(const char** name, const void* function) {
    return record(name ? find_kernel_name(function, *name) : kInvalidValue);
}

CUDART_API Error cudaFuncGetParamInfo(const void* function, size_t index, size_t* offset, size_t* size) {
    KernelHere here;
    Error error = find_here(function, here);
    if (!error) error = call(&Driver::cuKernelGetParamInfo, here.kernel, index, offset, size);
    return record(error);
}

CUDART_API Error cudaGetKernel(Kernel* kernel, const void* function) {
    KernelHere here;
    const Error error = kernel ? find_here(function, here) : kInvalidValue;
    if (error) return record(error);
    remember_kernel(here.kernel);
    *kernel = here.kernel;
    return kSuccess;
}

CUDART_API Error cudaGetFuncBySymbol(Function* result, const void* function) {
    KernelHere here;
    Error error = find_here(function, here);
    if (!error) error = call(&Driver::cuKernelGetFunction, result, here.kernel);
    return record(error);
}

CUDART_API Error cudaKernelSetAttributeForDevice(const void* kernel, int attribute, int value, int device) {
    Kernel found = nullptr;
    Error error = enter_context();
    if (!error) error = find_kernel(kernel, found);
    if (!error) error = call(&Driver::cuKernelSetAttribute, attribute, value, found, device);
    return record(error);
}

CUDART_API Error cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* function,
                                                                        int block_size, size_t shared_bytes,
                                                                        unsigned flags) {
    Function kernel = nullptr;
    Error error = prepare(function, kernel);
    if (!error) {
        error = call(&Driver::cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, blocks, kernel, block_size,
                     shared_bytes, flags);
    }
    return record(error);
}

CUDART_API Error cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int block_size,
                                                               size_t shared_bytes) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, block_size, shared_bytes, 0);
}

CUDART_API Error cudaOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, const void* function, int blocks,
                                                           int block_size) {
    Function kernel = nullptr;
    Error error = prepare(function, kernel);
    if (!error) error = call(&Driver::cuOccupancyAvailableDynamicSMemPerBlock, bytes, kernel, blocks, block_size);
    return record(error);
}

CUDART_API Error cudaOccupancyMaxPotentialClusterSize(int* size, const void* function, const LaunchConfig* config) {
    Function kernel = nullptr;
    Error error = config ? prepare(function, kernel) : kInvalidValue;
    if (error) return record(error);
    const DriverLaunchConfig translated = translate(*config);
    return record(call(&Driver::cuOccupancyMaxPotentialClusterSize, size, kernel, &translated));
}

CUDART_API Error cudaOccupancyMaxActiveClusters(int* clusters, const void* function, const LaunchConfig* config) {
    Function kernel = nullptr;
    Error error = config ? prepare(function, kernel) : kInvalidValue;
    if (error) return record(error);
    const DriverLaunchConfig translated = translate(*config);
    return record(call(&Driver::cuOccupancyMaxActiveClusters, clusters, kernel, &translated));
}

}  // namespace cudafault::cudart
