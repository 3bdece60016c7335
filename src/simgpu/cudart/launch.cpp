// SPDX-License-Identifier: Apache-2.0
// Implements kernel launches and attributes of kernels.
#include "simgpu/cudart/registry.hpp"
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

// The limit of every GPU since compute capability 2.0. For a larger block, the driver returns CUDA_ERROR_INVALID_VALUE
// and the runtime returns cudaErrorInvalidConfiguration.
constexpr uint64_t kMaxThreadsPerBlock = 1024;

struct Configuration {
    Dim3 grid, block;
    size_t shared_bytes;
    Stream stream;
};

// <<<>>> pushes a configuration, and the kernel's host stub pops it. Launches nest if the constructor of an argument
// launches a kernel.
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

// A kernel, and the device on which a call reads or sets the kernel's attributes.
struct KernelOnDevice {
    Kernel kernel = nullptr;
    int device = 0;
};

Error find_kernel_on_device(const void* function, KernelOnDevice& found_kernel) {
    if (Error error = enter_context()) return error;
    if (Error error = find_kernel(function, found_kernel.kernel)) return error;
    return current_device(found_kernel.device);
}

// Returns 0 for attributes that the driver does not support.
int attribute(const KernelOnDevice& found_kernel, int number) {
    int value = 0;
    return call(&Driver::cuKernelGetAttribute, &value, number, found_kernel.kernel, found_kernel.device) ? 0 : value;
}

Error function_attributes(FunctionAttributes* result, const void* function) {
    if (!result) return kInvalidValue;
    KernelOnDevice found_kernel;
    if (Error error = find_kernel_on_device(function, found_kernel)) return error;
    FunctionAttributes found{};
    if (Error error = call(&Driver::cuKernelGetAttribute, &found.max_threads_per_block, 0, found_kernel.kernel,
                           found_kernel.device)) {
        return error;
    }
    found.shared_bytes = attribute(found_kernel, 1);
    found.const_bytes = attribute(found_kernel, 2);
    found.local_bytes = attribute(found_kernel, 3);
    found.registers = attribute(found_kernel, 4);
    found.ptx_version = attribute(found_kernel, 5);
    found.binary_version = attribute(found_kernel, 6);
    found.cache_mode_ca = attribute(found_kernel, 7);
    found.max_dynamic_shared_bytes = attribute(found_kernel, 8);
    found.preferred_shared_carveout = attribute(found_kernel, 9);
#if CUDART_MAJOR >= 12
    found.cluster_dim_must_be_set = attribute(found_kernel, 10);
    found.cluster_width = attribute(found_kernel, 11);
    found.cluster_height = attribute(found_kernel, 12);
    found.cluster_depth = attribute(found_kernel, 13);
    found.non_portable_cluster_size = attribute(found_kernel, 14);
    found.cluster_scheduling_policy = attribute(found_kernel, 15);
#endif
    *result = found;
    return kSuccess;
}

}  // namespace

// Returns 0 on success. Code generated by nvcc only compares the result with 0.
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

// Code generated by nvcc 12.9 and later calls this with a handle from __cudaGetKernel.
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
    LaunchConfig per_thread = *config;
    per_thread.stream = own_stream(config->stream);
    return record(launch_extended(&per_thread, function, arguments));
}

CUDART_API Error cudaFuncGetAttributes(FunctionAttributes* attributes, const void* function) {
    return record(function_attributes(attributes, function));
}

CUDART_API Error cudaFuncSetAttribute(const void* function, int attribute, int value) {
    KernelOnDevice found_kernel;
    Error error = find_kernel_on_device(function, found_kernel);
    if (!error) error = call(&Driver::cuKernelSetAttribute, attribute, value, found_kernel.kernel, found_kernel.device);
    return record(error);
}

CUDART_API Error cudaFuncSetCacheConfig(const void* function, int config) {
    KernelOnDevice found_kernel;
    Error error = find_kernel_on_device(function, found_kernel);
    if (!error) error = call(&Driver::cuKernelSetCacheConfig, found_kernel.kernel, config, found_kernel.device);
    return record(error);
}

// Has no effect on Volta and later, which have a unified cache.
CUDART_API Error cudaFuncSetSharedMemConfig(const void* function, int) {
    KernelOnDevice found_kernel;
    return record(find_kernel_on_device(function, found_kernel));
}

CUDART_API Error cudaFuncGetName(const char** name, const void* function) {
    return record(name ? find_kernel_name(function, *name) : kInvalidValue);
}

CUDART_API Error cudaFuncGetParamInfo(const void* function, size_t index, size_t* offset, size_t* size) {
    KernelOnDevice found_kernel;
    Error error = find_kernel_on_device(function, found_kernel);
    if (!error) error = call(&Driver::cuKernelGetParamInfo, found_kernel.kernel, index, offset, size);
    return record(error);
}

CUDART_API Error cudaGetKernel(Kernel* kernel, const void* function) {
    KernelOnDevice found_kernel;
    const Error error = kernel ? find_kernel_on_device(function, found_kernel) : kInvalidValue;
    if (error) return record(error);
    add_library_kernel(found_kernel.kernel);
    *kernel = found_kernel.kernel;
    return kSuccess;
}

CUDART_API Error cudaGetFuncBySymbol(Function* result, const void* function) {
    KernelOnDevice found_kernel;
    Error error = find_kernel_on_device(function, found_kernel);
    if (!error) error = call(&Driver::cuKernelGetFunction, result, found_kernel.kernel);
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
