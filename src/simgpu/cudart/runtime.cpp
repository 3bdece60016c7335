// SPDX-License-Identifier: Apache-2.0
// Implements initialization, versions, the last error, the current device and primary contexts.
#include "simgpu/cudart/runtime.hpp"

#include <atomic>
#include <mutex>

#include "simgpu/cudart/registry.hpp"

namespace cudafault::cudart {
namespace {

constexpr int kMaxDevices = 64;

thread_local Error t_last_error = kSuccess;
thread_local int t_device = 0;

std::mutex g_mutex;
std::atomic<bool> g_initialized{false};
std::atomic<Error> g_initialization{kSuccess};
Context g_primary[kMaxDevices];

Error first_initialization() {
    int version = 0;
    if (Error error = call(&Driver::cuDriverGetVersion, &version)) return error;
    if (version / 1000 < kRuntimeVersion / 1000) return kInsufficientDriver;
    return call(&Driver::cuInit, 0u);
}

// Returns the device's primary context, or nullptr if the runtime has not created it.
Context existing_primary(int device) {
    std::lock_guard lock(g_mutex);
    return device >= 0 && device < kMaxDevices ? g_primary[device] : nullptr;
}

Error bind_primary(int device) {
    Context context = nullptr;
    if (Error error = primary_context(device, context)) return error;
    return call(&Driver::cuCtxSetCurrent, context);
}

Error count_devices(int& count) {
    if (Error error = initialize()) return error;
    if (Error error = call(&Driver::cuDeviceGetCount, &count)) return error;
    return count > 0 ? kSuccess : kNoDevice;
}

Error set_device(int device) {
    if (Error error = initialize()) return error;
    int handle = 0;
    if (Error error = call(&Driver::cuDeviceGet, &handle, device)) return error;
    // Before CUDA 12, cudaSetDevice does not create the device's context.
    if (CUDART_MAJOR >= 12) {
        if (Error error = bind_primary(device)) return error;
    } else if (Error error = call(&Driver::cuCtxSetCurrent, existing_primary(device))) {
        return error;
    }
    t_device = device;
    return kSuccess;
}

Error reset_device() {
    int device = 0;
    if (Error error = current_device(device)) return error;
    if (Context context = existing_primary(device)) {
        remove_variable_addresses(context);
        std::lock_guard lock(g_mutex);
        g_primary[device] = nullptr;
        call(&Driver::cuDevicePrimaryCtxRelease, device);
    }
    const Error error = call(&Driver::cuDevicePrimaryCtxReset, device);
    call(&Driver::cuCtxSetCurrent, Context{});
    return error;
}

}  // namespace

Error record(Error error) {
    if (error != kSuccess && error != kNotReady) t_last_error = error;
    return error;
}

Error initialize() {
    if (g_initialized) return g_initialization;
    if (!driver()) return kInsufficientDriver;
    std::lock_guard lock(g_mutex);
    if (!g_initialized) {
        g_initialization = first_initialization();
        g_initialized = true;
    }
    return g_initialization;
}

Error primary_context(int device, Context& context) {
    if (device < 0 || device >= kMaxDevices) return kInvalidDevice;
    std::lock_guard lock(g_mutex);
    if (!g_primary[device]) {
        if (Error error = call(&Driver::cuDevicePrimaryCtxRetain, &g_primary[device], device)) return error;
    }
    context = g_primary[device];
    return kSuccess;
}

Error enter_context() {
    if (Error error = initialize()) return error;
    Context current = nullptr;
    if (Error error = call(&Driver::cuCtxGetCurrent, &current)) return error;
    return current ? kSuccess : bind_primary(t_device);
}

Error current_device(int& device) {
    if (Error error = initialize()) return error;
    Context current = nullptr;
    if (Error error = call(&Driver::cuCtxGetCurrent, &current)) return error;
    if (current) return call(&Driver::cuCtxGetDevice, &device);
    device = t_device;
    return kSuccess;
}

CUDART_API Error cudaGetLastError() {
    const Error error = t_last_error;
    t_last_error = kSuccess;
    return error ? error : g_initialization.load();
}

CUDART_API Error cudaPeekAtLastError() { return t_last_error ? t_last_error : g_initialization.load(); }

CUDART_API Error cudaRuntimeGetVersion(int* version) {
    if (!version) return record(kInvalidValue);
    *version = kRuntimeVersion;
    return kSuccess;
}

// The version is 0 if no driver is installed.
CUDART_API Error cudaDriverGetVersion(int* version) {
    if (!version) return record(kInvalidValue);
    *version = 0;
    return driver() ? record(call(&Driver::cuDriverGetVersion, version)) : kSuccess;
}

CUDART_API Error cudaGetDeviceCount(int* count) {
    if (!count) return record(kInvalidValue);
    return record(count_devices(*count));
}

CUDART_API Error cudaGetDevice(int* device) {
    if (!device) return record(kInvalidValue);
    return record(current_device(*device));
}

CUDART_API Error cudaSetDevice(int device) { return record(set_device(device)); }

CUDART_API Error cudaInitDevice(int device, unsigned device_flags, unsigned flags) {
    constexpr unsigned kFlagsAreValid = 1;
    Error error = initialize();
    if (!error && (flags & kFlagsAreValid)) error = call(&Driver::cuDevicePrimaryCtxSetFlags, device, device_flags);
    Context context = nullptr;
    if (!error) error = primary_context(device, context);
    return record(error);
}

CUDART_API Error cudaChooseDevice(int* device, const void* properties) {
    if (!device || !properties) return record(kInvalidValue);
    *device = 0;
    return record(initialize());
}

CUDART_API Error cudaSetDeviceFlags(unsigned flags) {
    int device = 0;
    Error error = current_device(device);
    if (!error) error = call(&Driver::cuDevicePrimaryCtxSetFlags, device, flags);
    return record(error);
}

CUDART_API Error cudaGetDeviceFlags(unsigned* flags) {
    int device = 0, active = 0;
    Error error = flags ? current_device(device) : kInvalidValue;
    if (!error) error = call(&Driver::cuDevicePrimaryCtxGetState, device, flags, &active);
    return record(error);
}

CUDART_API Error cudaDeviceReset() { return record(reset_device()); }
CUDART_API Error cudaDeviceSynchronize() { return in_context(&Driver::cuCtxSynchronize); }
CUDART_API Error cudaThreadExit() { return cudaDeviceReset(); }
CUDART_API Error cudaThreadSynchronize() { return cudaDeviceSynchronize(); }

CUDART_API Error cudaProfilerStart() { return in_context(&Driver::cuProfilerStart); }
CUDART_API Error cudaProfilerStop() { return in_context(&Driver::cuProfilerStop); }

}  // namespace cudafault::cudart
