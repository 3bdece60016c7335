// SPDX-License-Identifier: Apache-2.0
// Implements the functions that return entry points of the driver to programs.
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

constexpr uint64_t kPerThreadDefaultStream = 2;

Error entry_point(const char* symbol, void** function, unsigned version, uint64_t flags, int* status) {
    if (!symbol || !function) return kInvalidValue;
    if (Error error = initialize()) return error;
    int found = 0;
    *function = nullptr;
    const Error error =
        call(&Driver::cuGetProcAddress, symbol, function, static_cast<int>(version), flags, status ? status : &found);
    if (error) return error;
    return *function || status ? kSuccess : kSymbolNotFound;
}

}  // namespace

CUDART_API Error cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned version, uint64_t flags,
                                                  int* status) {
    return record(entry_point(symbol, function, version, flags, status));
}

CUDART_API Error cudaGetDriverEntryPointByVersion_ptsz(const char* symbol, void** function, unsigned version,
                                                       uint64_t flags, int* status) {
    return record(entry_point(symbol, function, version, flags ? flags : kPerThreadDefaultStream, status));
}

#if CUDART_MAJOR >= 12
CUDART_API Error cudaGetDriverEntryPoint(const char* symbol, void** function, uint64_t flags, int* status) {
    return record(entry_point(symbol, function, kRuntimeVersion, flags, status));
}

CUDART_API Error cudaGetDriverEntryPoint_ptsz(const char* symbol, void** function, uint64_t flags, int* status) {
    return record(entry_point(symbol, function, kRuntimeVersion, flags ? flags : kPerThreadDefaultStream, status));
}
#else
CUDART_API Error cudaGetDriverEntryPoint(const char* symbol, void** function, uint64_t flags) {
    return record(entry_point(symbol, function, kRuntimeVersion, flags, nullptr));
}

CUDART_API Error cudaGetDriverEntryPoint_ptsz(const char* symbol, void** function, uint64_t flags) {
    return record(entry_point(symbol, function, kRuntimeVersion, flags ? flags : kPerThreadDefaultStream, nullptr));
}
#endif

// Always returns null, as in CUDA 13.5.
CUDART_API void* __cudaGetProcAddress() { return nullptr; }

}  // namespace cudafault::cudart
