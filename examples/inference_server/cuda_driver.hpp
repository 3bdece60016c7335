// SPDX-License-Identifier: Apache-2.0
// Declares the functions of the CUDA driver API that the server needs. CudaDriver looks them up at run time, so that
// the server builds without CUDA and can report a missing driver. The declarations follow the published API reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace cudafault::example {

using CuResult = int;
using CuDevice = int;
using CuDevicePtr = uint64_t;
using CuContext = struct CuContextHandle*;
using CuModule = struct CuModuleHandle*;
using CuFunction = struct CuFunctionHandle*;
using CuStream = struct CuStreamHandle*;

// A driver call that failed; what() reads "CUDA_ERROR_NO_DEVICE (100) from cuStreamSynchronize".
struct CudaError : std::runtime_error {
    CudaError(std::string error_name, CuResult result, const char* call)
        : std::runtime_error(error_name + " (" + std::to_string(result) + ") from " + call),
          name(std::move(error_name)) {}
    std::string name;
};

class CudaDriver {
public:
    // Throws std::runtime_error if the machine has no CUDA driver library.
    CudaDriver();

    // Calls a driver function: driver.call(driver.init, "cuInit", 0). `name` is the exported name, for the error.
    // Throws CudaError if the function fails.
    template <typename... Parameters, typename... Arguments>
    void call(CuResult (*function)(Parameters...), const char* name, Arguments... arguments) const {
        const CuResult result = function(arguments...);
        if (result != 0) throw CudaError(error_name(result), result, name);
    }

    CuResult (*init)(unsigned);
    CuResult (*device_get)(CuDevice*, int);
    CuResult (*device_get_name)(char*, int, CuDevice);
    CuResult (*primary_context_retain)(CuContext*, CuDevice);
    CuResult (*context_set_current)(CuContext);
    CuResult (*module_load_data)(CuModule*, const void*);
    CuResult (*module_get_function)(CuFunction*, CuModule, const char*);
    CuResult (*stream_create)(CuStream*, unsigned);
    CuResult (*stream_synchronize)(CuStream);
    CuResult (*memory_allocate)(CuDevicePtr*, size_t);
    CuResult (*copy_to_device)(CuDevicePtr, const void*, size_t, CuStream);
    CuResult (*copy_to_host)(void*, CuDevicePtr, size_t, CuStream);
    CuResult (*launch_kernel)(CuFunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                              CuStream, void**, void**);

private:
    std::string error_name(CuResult) const;

    CuResult (*get_error_name_)(CuResult, const char**);
};

}  // namespace cudafault::example
