// SPDX-License-Identifier: Apache-2.0
// Implements copies and memsets. Device memory is host memory, so the direction only decides which side must be memory
// that the driver tracks.
#include <climits>
#include <cstring>

#include "simgpu/driver/graph.hpp"
#include "simgpu/driver/memory.hpp"

namespace cudafault::sim {
namespace {

char* address(DevicePtr pointer) { return reinterpret_cast<char*>(pointer); }

Copy make_line(char* target, bool target_tracked, const char* source, bool source_tracked, size_t bytes) {
    return {target, source, bytes, 1, 1, bytes, bytes, bytes, bytes, target_tracked, source_tracked};
}

// The start address of one side of a copy, and the size of its rows and slices.
struct ResolvedSide {
    char* start;
    size_t pitch, slice;
    bool tracked;
};

Result resolve_side(const Side3D& side, const Copy3D& copy, ResolvedSide& out) {
    if (side.type == kArrayMemory) return kNotSupported;
    if (side.type != kHostMemory && side.type != kDeviceMemory && side.type != kUnifiedMemory) return kInvalidValue;
    const bool host = side.type == kHostMemory;
    char* base = host ? static_cast<char*>(const_cast<void*>(side.host)) : address(side.device);
    const size_t row = side.x_bytes + copy.width_bytes;
    out.pitch = side.pitch ? side.pitch : row;
    const size_t rows = side.height ? side.height : side.y + copy.height;
    if (out.pitch < row || (copy.depth > 1 && rows < side.y + copy.height)) return kInvalidValue;
    out.slice = out.pitch * rows;
    out.start = base + side.z * out.slice + side.y * out.pitch + side.x_bytes;
    out.tracked = side.type == kDeviceMemory;
    return base ? kSuccess : kInvalidValue;
}

Copy3D make_volume(const Copy2D& plane) {
    const auto side = [](const Side2D& s) {
        return Side3D{s.x_bytes, s.y, 0, 0, s.type, s.host, s.device, s.array, nullptr, s.pitch, 0};
    };
    return {side(plane.source), side(plane.target), plane.width_bytes, plane.height, 1};
}

Result submit_volume(const Copy3D& volume, Stream* stream) {
    Copy copy;
    if (!volume.width_bytes || !volume.height || !volume.depth)
        copy = make_line(nullptr, false, nullptr, false, 0);
    else if (Result error = resolve(volume, copy))
        return error;
    return submit(stream, copy);
}

Result submit_fill(DevicePtr target, size_t pitch, unsigned value, unsigned element, size_t width, size_t height,
                   Stream* stream) {
    Fill fill;
    if (Result error = resolve(MemsetNodeParams{target, pitch, value, element, width, height}, fill)) return error;
    return submit(stream, fill);
}

}  // namespace

Result resolve(const Copy3D& from, Copy& to) {
    ResolvedSide source, target;
    if (Result error = resolve_side(from.source, from, source)) return error;
    if (Result error = resolve_side(from.target, from, target)) return error;
    to = {target.start, source.start, from.width_bytes, from.height,    from.depth,    target.pitch,
          target.slice, source.pitch, source.slice,     target.tracked, source.tracked};
    return kSuccess;
}

Copy3D describe(const Copy& copy) {
    const auto side = [](const char* start, size_t pitch, size_t slice) {
        const auto device = reinterpret_cast<DevicePtr>(start);
        return Side3D{0, 0, 0, 0, kUnifiedMemory, start, device, nullptr, nullptr, pitch, pitch ? slice / pitch : 0};
    };
    return {side(copy.source, copy.source_pitch, copy.source_slice),
            side(copy.target, copy.target_pitch, copy.target_slice), copy.width, copy.height, copy.depth};
}

Result resolve(const MemsetNodeParams& from, Fill& to) {
    const bool element_fits = from.element_size == 1 || from.element_size == 2 || from.element_size == 4;
    if (!element_fits || !from.target || from.target % from.element_size) return kInvalidValue;
    if (from.width > SIZE_MAX / from.element_size) return kInvalidValue;
    const size_t row = from.width * from.element_size;
    if (from.height > 1 && (from.pitch < row || from.pitch % from.element_size)) return kInvalidValue;
    to = {address(from.target), from.height > 1 ? from.pitch : row, from.value, from.element_size, from.width,
          from.height};
    return kSuccess;
}

// Defines a copy in one direction. If target_tracked or source_tracked is true, that side must be memory that the
// driver tracks.
#define SIM_COPY(name, target_type, source_type, target_address, target_tracked, source_address, source_tracked)  \
    SIM_API Result name(target_type target, source_type source, size_t bytes) {                                   \
        return submit(nullptr, make_line(target_address, target_tracked, source_address, source_tracked, bytes)); \
    }                                                                                                             \
    SIM_PER_THREAD(name, _ptds, (target_type target, source_type source, size_t bytes), (target, source, bytes))
#define SIM_COPY_ASYNC(name, target_type, source_type, target_address, target_tracked, source_address, source_tracked) \
    SIM_API Result name(target_type target, source_type source, size_t bytes, Stream* stream) {                        \
        return submit(stream, make_line(target_address, target_tracked, source_address, source_tracked, bytes));       \
    }                                                                                                                  \
    SIM_PER_THREAD(name, _ptsz, (target_type target, source_type source, size_t bytes, Stream* stream),                \
                   (target, source, bytes, own_stream(stream)))

#define SIM_HOST(argument) const_cast<char*>(static_cast<const char*>(argument))

SIM_COPY(cuMemcpy, DevicePtr, DevicePtr, address(target), false, address(source), false)
SIM_COPY_ASYNC(cuMemcpyAsync, DevicePtr, DevicePtr, address(target), false, address(source), false)
SIM_COPY(cuMemcpyHtoD_v2, DevicePtr, const void*, address(target), true, SIM_HOST(source), false)
SIM_COPY_ASYNC(cuMemcpyHtoDAsync_v2, DevicePtr, const void*, address(target), true, SIM_HOST(source), false)
SIM_COPY(cuMemcpyDtoH_v2, void*, DevicePtr, SIM_HOST(target), false, address(source), true)
SIM_COPY_ASYNC(cuMemcpyDtoHAsync_v2, void*, DevicePtr, SIM_HOST(target), false, address(source), true)
SIM_COPY(cuMemcpyDtoD_v2, DevicePtr, DevicePtr, address(target), true, address(source), true)
SIM_COPY_ASYNC(cuMemcpyDtoDAsync_v2, DevicePtr, DevicePtr, address(target), true, address(source), true)

static Result check_peers(const Context* first, const Context* second) {
    return with_driver([&](State& s) {
        const Result error = check_context(s, first);
        return error ? error : check_context(s, second);
    });
}

SIM_API Result cuMemcpyPeerAsync(DevicePtr target, Context* target_context, DevicePtr source, Context* source_context,
                                 size_t bytes, Stream* stream) {
    if (Result error = check_peers(target_context, source_context)) return error;
    return submit(stream, make_line(address(target), true, address(source), true, bytes));
}
SIM_PER_THREAD(cuMemcpyPeerAsync, _ptsz,
               (DevicePtr target, Context* target_context, DevicePtr source, Context* source_context, size_t bytes,
                Stream* stream),
               (target, target_context, source, source_context, bytes, own_stream(stream)))

SIM_API Result cuMemcpyPeer(DevicePtr target, Context* target_context, DevicePtr source, Context* source_context,
                            size_t bytes) {
    return cuMemcpyPeerAsync(target, target_context, source, source_context, bytes, nullptr);
}
SIM_PER_THREAD(cuMemcpyPeer, _ptds,
               (DevicePtr target, Context* target_context, DevicePtr source, Context* source_context, size_t bytes),
               (target, target_context, source, source_context, bytes))

SIM_API Result cuMemcpy2DAsync_v2(const Copy2D* copy, Stream* stream) {
    return copy ? submit_volume(make_volume(*copy), stream) : kInvalidValue;
}
SIM_PER_THREAD(cuMemcpy2DAsync_v2, _ptsz, (const Copy2D* copy, Stream* stream), (copy, own_stream(stream)))

SIM_API Result cuMemcpy2D_v2(const Copy2D* copy) { return cuMemcpy2DAsync_v2(copy, nullptr); }
SIM_PER_THREAD(cuMemcpy2D_v2, _ptds, (const Copy2D* copy), (copy))
SIM_ALIAS(cuMemcpy2DUnaligned_v2, cuMemcpy2D_v2, (const Copy2D* copy), (copy))
SIM_PER_THREAD(cuMemcpy2DUnaligned_v2, _ptds, (const Copy2D* copy), (copy))

SIM_API Result cuMemcpy3DAsync_v2(const Copy3D* copy, Stream* stream) {
    return copy ? submit_volume(*copy, stream) : kInvalidValue;
}
SIM_PER_THREAD(cuMemcpy3DAsync_v2, _ptsz, (const Copy3D* copy, Stream* stream), (copy, own_stream(stream)))

SIM_API Result cuMemcpy3D_v2(const Copy3D* copy) { return cuMemcpy3DAsync_v2(copy, nullptr); }
SIM_PER_THREAD(cuMemcpy3D_v2, _ptds, (const Copy3D* copy), (copy))
SIM_ALIAS(cuMemcpy3DPeer, cuMemcpy3D_v2, (const Copy3D* copy), (copy))
SIM_PER_THREAD(cuMemcpy3DPeer, _ptds, (const Copy3D* copy), (copy))
SIM_ALIAS(cuMemcpy3DPeerAsync, cuMemcpy3DAsync_v2, (const Copy3D* copy, Stream* stream), (copy, stream))
SIM_PER_THREAD(cuMemcpy3DPeerAsync, _ptsz, (const Copy3D* copy, Stream* stream), (copy, own_stream(stream)))

// Runs the copies of a batch. Attributes are ignored: they only state when the source can be read, and the simulated
// driver reads it before the call returns. `failed` receives the index of the copy that failed.
static Result submit_batch(const DevicePtr* targets, const DevicePtr* sources, const size_t* sizes, size_t count,
                           size_t* failed, Stream* stream) {
    if (!targets || !sources || !sizes || !count || !stream) return kInvalidValue;
    for (size_t i = 0; i < count; ++i) {
        const Result error = cuMemcpyAsync(targets[i], sources[i], sizes[i], stream);
        if (!error) continue;
        if (failed) *failed = i;
        return error;
    }
    return kSuccess;
}

SIM_API Result cuMemcpyBatchAsync(const DevicePtr* targets, const DevicePtr* sources, const size_t* sizes, size_t count,
                                  void*, size_t*, size_t, size_t* failed, Stream* stream) {
    if (failed) *failed = SIZE_MAX;
    return submit_batch(targets, sources, sizes, count, failed, stream);
}
SIM_PER_THREAD(cuMemcpyBatchAsync, _ptsz,
               (const DevicePtr* targets, const DevicePtr* sources, const size_t* sizes, size_t count, void* attributes,
                size_t* indices, size_t attribute_count, size_t* failed, Stream* stream),
               (targets, sources, sizes, count, attributes, indices, attribute_count, failed, own_stream(stream)))

SIM_API Result cuMemcpyBatchAsync_v2(const DevicePtr* targets, const DevicePtr* sources, const size_t* sizes,
                                     size_t count, void*, size_t*, size_t, Stream* stream) {
    return submit_batch(targets, sources, sizes, count, nullptr, stream);
}
SIM_PER_THREAD(cuMemcpyBatchAsync_v2, _ptsz,
               (const DevicePtr* targets, const DevicePtr* sources, const size_t* sizes, size_t count, void* attributes,
                size_t* indices, size_t attribute_count, Stream* stream),
               (targets, sources, sizes, count, attributes, indices, attribute_count, own_stream(stream)))

// Defines the one- and two-dimensional memsets for one width of elements.
#define SIM_MEMSET(bits, type)                                                                                        \
    SIM_API Result cuMemsetD##bits##Async(DevicePtr target, type value, size_t count, Stream* stream) {               \
        return submit_fill(target, 0, value, bits / CHAR_BIT, count, 1, stream);                                      \
    }                                                                                                                 \
    SIM_PER_THREAD(cuMemsetD##bits##Async, _ptsz, (DevicePtr target, type value, size_t count, Stream* stream),       \
                   (target, value, count, own_stream(stream)))                                                        \
    SIM_API Result cuMemsetD##bits##_v2(DevicePtr target, type value, size_t count) {                                 \
        return submit_fill(target, 0, value, bits / CHAR_BIT, count, 1, nullptr);                                     \
    }                                                                                                                 \
    SIM_PER_THREAD(cuMemsetD##bits##_v2, _ptds, (DevicePtr target, type value, size_t count), (target, value, count)) \
    SIM_API Result cuMemsetD2D##bits##Async(DevicePtr target, size_t pitch, type value, size_t width, size_t height,  \
                                            Stream* stream) {                                                         \
        return submit_fill(target, pitch, value, bits / CHAR_BIT, width, height, stream);                             \
    }                                                                                                                 \
    SIM_PER_THREAD(cuMemsetD2D##bits##Async, _ptsz,                                                                   \
                   (DevicePtr target, size_t pitch, type value, size_t width, size_t height, Stream* stream),         \
                   (target, pitch, value, width, height, own_stream(stream)))                                         \
    SIM_API Result cuMemsetD2D##bits##_v2(DevicePtr target, size_t pitch, type value, size_t width, size_t height) {  \
        return submit_fill(target, pitch, value, bits / CHAR_BIT, width, height, nullptr);                            \
    }                                                                                                                 \
    SIM_PER_THREAD(cuMemsetD2D##bits##_v2, _ptds,                                                                     \
                   (DevicePtr target, size_t pitch, type value, size_t width, size_t height),                         \
                   (target, pitch, value, width, height))

SIM_MEMSET(8, unsigned char)
SIM_MEMSET(16, unsigned short)
SIM_MEMSET(32, unsigned)

}  // namespace cudafault::sim
