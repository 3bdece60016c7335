// SPDX-License-Identifier: Apache-2.0
// Implements copies and memsets.
#include "simgpu/cudart/copy.hpp"

#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

// For cudaMemcpyDefault, both sides have the type "unified", and the driver determines the direction from the
// addresses.
MemoryType source_type(CopyKind kind) {
    if (kind == kDefaultKind) return kUnifiedMemory;
    return kind == kHostToHost || kind == kHostToDevice ? kHostMemory : kDeviceMemory;
}

MemoryType target_type(CopyKind kind) {
    if (kind == kDefaultKind) return kUnifiedMemory;
    return kind == kHostToHost || kind == kDeviceToHost ? kHostMemory : kDeviceMemory;
}

bool is_valid_kind(CopyKind kind) { return kind >= kHostToHost && kind <= kDefaultKind; }

template <typename Side>
void set_address(Side& side, MemoryType type, const void* address) {
    side.type = type;
    (type == kHostMemory ? side.host : side.device) = address;
}

DriverCopy2D make_plane(void* target, size_t target_pitch, const void* source, size_t source_pitch, size_t width,
                        size_t height, CopyKind kind) {
    DriverCopy2D copy{};
    set_address(copy.source, source_type(kind), source);
    set_address(copy.target, target_type(kind), target);
    copy.source.pitch = source_pitch;
    copy.target.pitch = target_pitch;
    copy.width_bytes = width;
    copy.height = height;
    return copy;
}

Side3D make_side(const PitchedPointer& memory, const Position& position, MemoryType type) {
    Side3D result{};
    set_address(result, type, memory.pointer);
    result.x_bytes = position.x;
    result.y = position.y;
    result.z = position.z;
    result.pitch = memory.pitch;
    result.height = memory.height;
    return result;
}

Error enter_context_for_kind(CopyKind kind) { return is_valid_kind(kind) ? enter_context() : kInvalidMemcpyDirection; }

// Sets each slice separately, because a slice of a pitched allocation may have more rows than the memset covers.
template <typename SetPlane>
Error set_slices(const PitchedPointer& target, const Extent& extent, SetPlane set_plane) {
    for (size_t z = 0; z < extent.depth; ++z) {
        auto* slice = static_cast<char*>(target.pointer) + z * target.height * target.pitch;
        if (Error error = set_plane(slice)) return error;
    }
    return kSuccess;
}

}  // namespace

Error copy(void* target, const void* source, size_t bytes, CopyKind kind) {
    if (Error error = enter_context_for_kind(kind)) return error;
    if (!bytes) return kSuccess;
    switch (kind) {
        case kHostToDevice: return call(&Driver::cuMemcpyHtoD, target, source, bytes);
        case kDeviceToHost: return call(&Driver::cuMemcpyDtoH, target, source, bytes);
        case kDeviceToDevice: return call(&Driver::cuMemcpyDtoD, target, source, bytes);
        default: return call(&Driver::cuMemcpy, target, source, bytes);
    }
}

Error copy_async(void* target, const void* source, size_t bytes, CopyKind kind, Stream stream) {
    if (Error error = enter_context_for_kind(kind)) return error;
    if (!bytes) return kSuccess;
    switch (kind) {
        case kHostToDevice: return call(&Driver::cuMemcpyHtoDAsync, target, source, bytes, stream);
        case kDeviceToHost: return call(&Driver::cuMemcpyDtoHAsync, target, source, bytes, stream);
        case kDeviceToDevice: return call(&Driver::cuMemcpyDtoDAsync, target, source, bytes, stream);
        default: return call(&Driver::cuMemcpyAsync, target, source, bytes, stream);
    }
}

Error translate(const RuntimeCopy3D& copy, DriverCopy3D& result) {
    if (!is_valid_kind(copy.kind)) return kInvalidMemcpyDirection;
    if (copy.source_array || copy.target_array) return kNotSupported;
    result = {};
    result.source = make_side(copy.source, copy.source_position, source_type(copy.kind));
    result.target = make_side(copy.target, copy.target_position, target_type(copy.kind));
    result.width_bytes = copy.extent.width;
    result.height = copy.extent.height;
    result.depth = copy.extent.depth;
    return kSuccess;
}

CUDART_API Error cudaMemcpy(void* target, const void* source, size_t bytes, CopyKind kind) {
    return record(copy(target, source, bytes, kind));
}

CUDART_API Error cudaMemcpyAsync(void* target, const void* source, size_t bytes, CopyKind kind, Stream stream) {
    return record(copy_async(target, source, bytes, kind, stream));
}
CUDART_PER_THREAD(cudaMemcpyAsync, _ptsz,
                  (void* target, const void* source, size_t bytes, CopyKind kind, Stream stream),
                  (target, source, bytes, kind, own_stream(stream)))

CUDART_API Error cudaMemcpy_ptds(void* target, const void* source, size_t bytes, CopyKind kind) {
    Error error = copy_async(target, source, bytes, kind, kPerThreadStream);
    if (!error) error = call(&Driver::cuStreamSynchronize, kPerThreadStream);
    return record(error);
}

CUDART_API Error cudaMemcpy2DAsync(void* target, size_t target_pitch, const void* source, size_t source_pitch,
                                   size_t width, size_t height, CopyKind kind, Stream stream) {
    const DriverCopy2D copy = make_plane(target, target_pitch, source, source_pitch, width, height, kind);
    Error error = enter_context_for_kind(kind);
    if (!error) error = call(&Driver::cuMemcpy2DAsync, &copy, stream);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpy2DAsync, _ptsz,
                  (void* target, size_t target_pitch, const void* source, size_t source_pitch, size_t width,
                   size_t height, CopyKind kind, Stream stream),
                  (target, target_pitch, source, source_pitch, width, height, kind, own_stream(stream)))

CUDART_API Error cudaMemcpy2D(void* target, size_t target_pitch, const void* source, size_t source_pitch, size_t width,
                              size_t height, CopyKind kind) {
    const DriverCopy2D copy = make_plane(target, target_pitch, source, source_pitch, width, height, kind);
    Error error = enter_context_for_kind(kind);
    if (!error) error = call(&Driver::cuMemcpy2DUnaligned, &copy);
    return record(error);
}

CUDART_API Error cudaMemcpy2D_ptds(void* target, size_t target_pitch, const void* source, size_t source_pitch,
                                   size_t width, size_t height, CopyKind kind) {
    Error error = cudaMemcpy2DAsync(target, target_pitch, source, source_pitch, width, height, kind, kPerThreadStream);
    if (!error) error = call(&Driver::cuStreamSynchronize, kPerThreadStream);
    return record(error);
}

CUDART_API Error cudaMemcpy3D(const RuntimeCopy3D* copy) {
    DriverCopy3D translated;
    Error error = copy ? translate(*copy, translated) : kInvalidValue;
    if (!error) error = enter_context();
    if (!error) error = call(&Driver::cuMemcpy3D, &translated);
    return record(error);
}

CUDART_API Error cudaMemcpy3DAsync(const RuntimeCopy3D* copy, Stream stream) {
    DriverCopy3D translated;
    Error error = copy ? translate(*copy, translated) : kInvalidValue;
    if (!error) error = enter_context();
    if (!error) error = call(&Driver::cuMemcpy3DAsync, &translated, stream);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpy3DAsync, _ptsz, (const RuntimeCopy3D* copy, Stream stream), (copy, own_stream(stream)))

CUDART_API Error cudaMemcpy3D_ptds(const RuntimeCopy3D* copy) {
    Error error = cudaMemcpy3DAsync(copy, kPerThreadStream);
    if (!error) error = call(&Driver::cuStreamSynchronize, kPerThreadStream);
    return record(error);
}

CUDART_API Error cudaMemcpyPeer(void* target, int target_device, const void* source, int source_device, size_t bytes) {
    Context to = nullptr, from = nullptr;
    Error error = enter_context();
    if (!error) error = primary_context(target_device, to);
    if (!error) error = primary_context(source_device, from);
    if (!error) error = call(&Driver::cuMemcpyPeer, target, to, source, from, bytes);
    return record(error);
}

CUDART_API Error cudaMemcpyPeerAsync(void* target, int target_device, const void* source, int source_device,
                                     size_t bytes, Stream stream) {
    Context to = nullptr, from = nullptr;
    Error error = enter_context();
    if (!error) error = primary_context(target_device, to);
    if (!error) error = primary_context(source_device, from);
    if (!error) error = call(&Driver::cuMemcpyPeerAsync, target, to, source, from, bytes, stream);
    return record(error);
}
CUDART_PER_THREAD(cudaMemcpyPeerAsync, _ptsz,
                  (void* target, int target_device, const void* source, int source_device, size_t bytes, Stream stream),
                  (target, target_device, source, source_device, bytes, own_stream(stream)))

CUDART_API Error cudaMemset(void* target, int value, size_t count) {
    return in_context(&Driver::cuMemsetD8, target, static_cast<unsigned char>(value), count);
}

CUDART_API Error cudaMemsetAsync(void* target, int value, size_t count, Stream stream) {
    return in_context(&Driver::cuMemsetD8Async, target, static_cast<unsigned char>(value), count, stream);
}
CUDART_PER_THREAD(cudaMemsetAsync, _ptsz, (void* target, int value, size_t count, Stream stream),
                  (target, value, count, own_stream(stream)))
CUDART_PER_THREAD(cudaMemset, _ptds, (void* target, int value, size_t count), (target, value, count))

CUDART_API Error cudaMemset2D(void* target, size_t pitch, int value, size_t width, size_t height) {
    return in_context(&Driver::cuMemsetD2D8, target, pitch, static_cast<unsigned char>(value), width, height);
}
CUDART_PER_THREAD(cudaMemset2D, _ptds, (void* target, size_t pitch, int value, size_t width, size_t height),
                  (target, pitch, value, width, height))

CUDART_API Error cudaMemset2DAsync(void* target, size_t pitch, int value, size_t width, size_t height, Stream stream) {
    return in_context(&Driver::cuMemsetD2D8Async, target, pitch, static_cast<unsigned char>(value), width, height,
                      stream);
}
CUDART_PER_THREAD(cudaMemset2DAsync, _ptsz,
                  (void* target, size_t pitch, int value, size_t width, size_t height, Stream stream),
                  (target, pitch, value, width, height, own_stream(stream)))

CUDART_API Error cudaMemset3D(PitchedPointer target, int value, Extent extent) {
    return set_slices(target, extent, [&](void* slice) {
        return cudaMemset2D(slice, target.pitch, value, extent.width, extent.height);
    });
}
CUDART_PER_THREAD(cudaMemset3D, _ptds, (PitchedPointer target, int value, Extent extent), (target, value, extent))

CUDART_API Error cudaMemset3DAsync(PitchedPointer target, int value, Extent extent, Stream stream) {
    return set_slices(target, extent, [&](void* slice) {
        return cudaMemset2DAsync(slice, target.pitch, value, extent.width, extent.height, stream);
    });
}
CUDART_PER_THREAD(cudaMemset3DAsync, _ptsz, (PitchedPointer target, int value, Extent extent, Stream stream),
                  (target, value, extent, own_stream(stream)))

}  // namespace cudafault::cudart
