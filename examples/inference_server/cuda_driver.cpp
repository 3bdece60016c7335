// SPDX-License-Identifier: Apache-2.0
// Loads libcuda.so.1 as most programs do: dlopen, then dlsym for each function.
#include "cuda_driver.hpp"

#include <dlfcn.h>

namespace cudafault::example {

namespace {

template <typename Function>
void find(void* library, const char* name, Function*& out) {
    out = reinterpret_cast<Function*>(dlsym(library, name));
    if (!out) throw std::runtime_error(std::string("libcuda.so.1 does not export ") + name + ": update the driver");
}

}  // namespace

CudaDriver::CudaDriver() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library) throw std::runtime_error(std::string("cannot load the CUDA driver: ") + dlerror());
    find(library, "cuInit", init);
    find(library, "cuDeviceGet", device_get);
    find(library, "cuDeviceGetName", device_get_name);
    find(library, "cuDevicePrimaryCtxRetain", primary_context_retain);
    find(library, "cuCtxSetCurrent", context_set_current);
    find(library, "cuModuleLoadData", module_load_data);
    find(library, "cuModuleGetFunction", module_get_function);
    find(library, "cuStreamCreate", stream_create);
    find(library, "cuStreamSynchronize", stream_synchronize);
    find(library, "cuMemAlloc_v2", memory_allocate);
    find(library, "cuMemcpyHtoDAsync_v2", copy_to_device);
    find(library, "cuMemcpyDtoHAsync_v2", copy_to_host);
    find(library, "cuLaunchKernel", launch_kernel);
    find(library, "cuGetErrorName", get_error_name_);
}

std::string CudaDriver::error_name(CuResult result) const {
    const char* name = nullptr;
    return get_error_name_(result, &name) == 0 && name ? name : "unknown CUDA error";
}

}  // namespace cudafault::example
