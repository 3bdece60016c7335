// SPDX-License-Identifier: Apache-2.0
// Implements access to device variables (__device__, __constant__, __managed__) by their host symbol.
#include "simgpu/cudart/copy.hpp"
#include "simgpu/cudart/registry.hpp"
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

// Finds the part of a variable that a copy accesses.
Error find_part(const void* symbol, size_t bytes, size_t offset, char*& address) {
    void* start = nullptr;
    size_t size = 0;
    if (Error error = find_variable(symbol, start, size)) return error;
    if (offset > size || bytes > size - offset) return kInvalidValue;
    address = static_cast<char*>(start) + offset;
    return kSuccess;
}

bool writes_device(CopyKind kind) { return kind == kHostToDevice || kind == kDeviceToDevice || kind == kDefaultKind; }
bool reads_device(CopyKind kind) { return kind == kDeviceToHost || kind == kDeviceToDevice || kind == kDefaultKind; }

}  // namespace

CUDART_API Error cudaGetSymbolAddress(void** address, const void* symbol) {
    size_t bytes = 0;
    return record(address ? find_variable(symbol, *address, bytes) : kInvalidValue);
}

CUDART_API Error cudaGetSymbolSize(size_t* bytes, const void* symbol) {
    void* address = nullptr;
    return record(bytes ? find_variable(symbol, address, *bytes) : kInvalidValue);
}

CUDART_API Error cudaMemcpyToSymbol(const void* symbol, const void* source, size_t bytes, size_t offset,
                                    CopyKind kind) {
    char* target = nullptr;
    Error error = writes_device(kind) ? find_part(symbol, bytes, offset, target) : kInvalidMemcpyDirection;
    if (!error) error = copy(target, source, bytes, kind);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpyToSymbol, _ptds,
                  (const void* symbol, const void* source, size_t bytes, size_t offset, CopyKind kind),
                  (symbol, source, bytes, offset, kind))

CUDART_API Error cudaMemcpyToSymbolAsync(const void* symbol, const void* source, size_t bytes, size_t offset,
                                         CopyKind kind, Stream stream) {
    char* target = nullptr;
    Error error = writes_device(kind) ? find_part(symbol, bytes, offset, target) : kInvalidMemcpyDirection;
    if (!error) error = copy_async(target, source, bytes, kind, stream);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpyToSymbolAsync, _ptsz,
                  (const void* symbol, const void* source, size_t bytes, size_t offset, CopyKind kind, Stream stream),
                  (symbol, source, bytes, offset, kind, own_stream(stream)))

CUDART_API Error cudaMemcpyFromSymbol(void* target, const void* symbol, size_t bytes, size_t offset, CopyKind kind) {
    char* source = nullptr;
    Error error = reads_device(kind) ? find_part(symbol, bytes, offset, source) : kInvalidMemcpyDirection;
    if (!error) error = copy(target, source, bytes, kind);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpyFromSymbol, _ptds,
                  (void* target, const void* symbol, size_t bytes, size_t offset, CopyKind kind),
                  (target, symbol, bytes, offset, kind))

CUDART_API Error cudaMemcpyFromSymbolAsync(void* target, const void* symbol, size_t bytes, size_t offset, CopyKind kind,
                                           Stream stream) {
    char* source = nullptr;
    Error error = reads_device(kind) ? find_part(symbol, bytes, offset, source) : kInvalidMemcpyDirection;
    if (!error) error = copy_async(target, source, bytes, kind, stream);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpyFromSymbolAsync, _ptsz,
                  (void* target, const void* symbol, size_t bytes, size_t offset, CopyKind kind, Stream stream),
                  (target, symbol, bytes, offset, kind, own_stream(stream)))

}  // namespace cudafault::cudart
