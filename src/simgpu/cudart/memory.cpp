// SPDX-License-Identifier: Apache-2.0
// Implements allocation, pools, host memory, pointer attributes, and sharing between processes.
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

// The element size that cudaMallocPitch passes to the driver. The driver's pitch is valid for every element size.
constexpr unsigned kPitchElement = 4;

// The runtime accepts an allocation of 0 bytes; the driver does not.
template <typename Allocate>
Error allocate(void** pointer, size_t bytes, Allocate allocate_bytes) {
    if (!pointer) return record(kInvalidValue);
    *pointer = nullptr;
    return bytes ? allocate_bytes() : record(enter_context());
}

// Converts the driver's memory type of a pointer to cudaMemoryType.
int type_of(int memory_type, bool managed) {
    if (managed) return 3;
    return memory_type == kHostMemory ? 1 : memory_type == kDeviceMemory ? 2 : 0;
}

Error describe(PointerAttributes& result, const void* pointer) {
    enum { kMemoryTypeOf = 2, kDevicePointer = 3, kHostPointer = 4, kIsManaged = 8, kDeviceOrdinal = 9 };
    constexpr int kNoDeviceOrdinal = -2;
    int memory_type = 0, managed = 0, device = kNoDeviceOrdinal;
    PointerAttributes found{};
    int attributes[] = {kMemoryTypeOf, kDevicePointer, kHostPointer, kIsManaged, kDeviceOrdinal};
    void* values[] = {&memory_type, &found.device_pointer, &found.host_pointer, &managed, &device};
    if (Error error = call(&Driver::cuPointerGetAttributes, 5u, attributes, values, pointer)) return error;
    found.type = type_of(memory_type, managed & 1);
    found.device = found.type ? device : kNoDeviceOrdinal;
    // Memory that is not registered with CUDA is host memory.
    if (!found.type) found.host_pointer = const_cast<void*>(pointer);
    result = found;
    return kSuccess;
}

}  // namespace

CUDART_API Error cudaMalloc(void** pointer, size_t bytes) {
    return allocate(pointer, bytes, [=] { return in_context(&Driver::cuMemAlloc, pointer, bytes); });
}

CUDART_API Error cudaMallocManaged(void** pointer, size_t bytes, unsigned flags) {
    if (!bytes) return record(kInvalidValue);
    return in_context(&Driver::cuMemAllocManaged, pointer, bytes, flags);
}

CUDART_API Error cudaHostAlloc(void** pointer, size_t bytes, unsigned flags) {
    return allocate(pointer, bytes, [=] { return in_context(&Driver::cuMemHostAlloc, pointer, bytes, flags); });
}

CUDART_API Error cudaMallocHost(void** pointer, size_t bytes) { return cudaHostAlloc(pointer, bytes, 0); }

CUDART_API Error cudaMallocPitch(void** pointer, size_t* pitch, size_t width, size_t height) {
    return in_context(&Driver::cuMemAllocPitch, pointer, pitch, width, height, kPitchElement);
}

CUDART_API Error cudaMalloc3D(PitchedPointer* result, Extent extent) {
    if (!result) return record(kInvalidValue);
    PitchedPointer allocated{nullptr, 0, extent.width, extent.height};
    const Error error =
        cudaMallocPitch(&allocated.pointer, &allocated.pitch, extent.width, extent.height * extent.depth);
    if (!error) *result = allocated;
    return error;
}

// Programs call cudaFree(0) to initialize the runtime.
CUDART_API Error cudaFree(void* pointer) {
    return pointer ? in_context(&Driver::cuMemFree, pointer) : record(enter_context());
}

CUDART_API Error cudaFreeHost(void* pointer) {
    return pointer ? in_context(&Driver::cuMemFreeHost, pointer) : record(enter_context());
}

CUDART_API Error cudaMemGetInfo(size_t* free, size_t* total) { return in_context(&Driver::cuMemGetInfo, free, total); }

CUDART_API Error cudaHostRegister(void* pointer, size_t bytes, unsigned flags) {
    return in_context(&Driver::cuMemHostRegister, pointer, bytes, flags);
}

CUDART_API Error cudaHostUnregister(void* pointer) { return in_context(&Driver::cuMemHostUnregister, pointer); }

CUDART_API Error cudaHostGetDevicePointer(void** device, void* host, unsigned flags) {
    return in_context(&Driver::cuMemHostGetDevicePointer, device, host, flags);
}

CUDART_API Error cudaHostGetFlags(unsigned* flags, void* pointer) {
    return in_context(&Driver::cuMemHostGetFlags, flags, pointer);
}

CUDART_API Error cudaPointerGetAttributes(PointerAttributes* attributes, const void* pointer) {
    Error error = attributes ? enter_context() : kInvalidValue;
    if (!error) error = describe(*attributes, pointer);
    return record(error);
}

CUDART_API Error cudaMallocAsync(void** pointer, size_t bytes, Stream stream) {
    return allocate(pointer, bytes, [=] { return in_context(&Driver::cuMemAllocAsync, pointer, bytes, stream); });
}
CUDART_PER_THREAD(cudaMallocAsync, _ptsz, (void** pointer, size_t bytes, Stream stream),
                  (pointer, bytes, own_stream(stream)))

CUDART_API Error cudaMallocFromPoolAsync(void** pointer, size_t bytes, MemPool pool, Stream stream) {
    return allocate(pointer, bytes,
                    [=] { return in_context(&Driver::cuMemAllocFromPoolAsync, pointer, bytes, pool, stream); });
}
CUDART_PER_THREAD(cudaMallocFromPoolAsync, _ptsz, (void** pointer, size_t bytes, MemPool pool, Stream stream),
                  (pointer, bytes, pool, own_stream(stream)))

CUDART_API Error cudaFreeAsync(void* pointer, Stream stream) {
    return in_context(&Driver::cuMemFreeAsync, pointer, stream);
}
CUDART_PER_THREAD(cudaFreeAsync, _ptsz, (void* pointer, Stream stream), (pointer, own_stream(stream)))

CUDART_API Error cudaMemPoolCreate(MemPool* pool, const void* properties) {
    return in_context(&Driver::cuMemPoolCreate, pool, properties);
}

CUDART_API Error cudaMemPoolDestroy(MemPool pool) { return in_context(&Driver::cuMemPoolDestroy, pool); }
CUDART_API Error cudaMemPoolTrimTo(MemPool pool, size_t keep) {
    return in_context(&Driver::cuMemPoolTrimTo, pool, keep);
}

CUDART_API Error cudaMemPoolGetAttribute(MemPool pool, int attribute, void* value) {
    return in_context(&Driver::cuMemPoolGetAttribute, pool, attribute, value);
}

CUDART_API Error cudaMemPoolSetAttribute(MemPool pool, int attribute, void* value) {
    return in_context(&Driver::cuMemPoolSetAttribute, pool, attribute, value);
}

CUDART_API Error cudaMemPoolGetAccess(int* flags, MemPool pool, MemLocation* location) {
    return in_context(&Driver::cuMemPoolGetAccess, flags, pool, location);
}

CUDART_API Error cudaMemPoolSetAccess(MemPool pool, const void* descriptors, size_t count) {
    return in_context(&Driver::cuMemPoolSetAccess, pool, descriptors, count);
}

CUDART_API Error cudaMemPoolExportToShareableHandle(void* handle, MemPool pool, int type, unsigned flags) {
    return in_context(&Driver::cuMemPoolExportToShareableHandle, handle, pool, type, uint64_t{flags});
}

CUDART_API Error cudaMemPoolImportFromShareableHandle(MemPool* pool, void* handle, int type, unsigned flags) {
    return in_context(&Driver::cuMemPoolImportFromShareableHandle, pool, handle, type, uint64_t{flags});
}

CUDART_API Error cudaMemPoolExportPointer(void* data, void* pointer) {
    return in_context(&Driver::cuMemPoolExportPointer, data, pointer);
}

CUDART_API Error cudaMemPoolImportPointer(void** pointer, MemPool pool, void* data) {
    return in_context(&Driver::cuMemPoolImportPointer, pointer, pool, data);
}

CUDART_API Error cudaMemAdvise_v2(const void* pointer, size_t bytes, int advice, MemLocation location) {
    return in_context(&Driver::cuMemAdvise, pointer, bytes, advice, location);
}

CUDART_API Error cudaMemPrefetchAsync_v2(const void* pointer, size_t bytes, MemLocation location, unsigned flags,
                                         Stream stream) {
    return in_context(&Driver::cuMemPrefetchAsync, pointer, bytes, location, flags, stream);
}
CUDART_PER_THREAD(cudaMemPrefetchAsync_v2, _ptsz,
                  (const void* pointer, size_t bytes, MemLocation location, unsigned flags, Stream stream),
                  (pointer, bytes, location, flags, own_stream(stream)))

// In CUDA 13 these names have the parameters of the _v2 functions.
#if CUDART_MAJOR >= 13
CUDART_API Error cudaMemAdvise(const void* pointer, size_t bytes, int advice, MemLocation location) {
    return cudaMemAdvise_v2(pointer, bytes, advice, location);
}

CUDART_API Error cudaMemPrefetchAsync(const void* pointer, size_t bytes, MemLocation location, unsigned flags,
                                      Stream stream) {
    return cudaMemPrefetchAsync_v2(pointer, bytes, location, flags, stream);
}
CUDART_PER_THREAD(cudaMemPrefetchAsync, _ptsz,
                  (const void* pointer, size_t bytes, MemLocation location, unsigned flags, Stream stream),
                  (pointer, bytes, location, flags, own_stream(stream)))
#else
static MemLocation location_of(int device) {
    constexpr int kHost = -1;
    return device == kHost ? MemLocation{kLocationHost, 0} : MemLocation{kLocationDevice, device};
}

CUDART_API Error cudaMemAdvise(const void* pointer, size_t bytes, int advice, int device) {
    return cudaMemAdvise_v2(pointer, bytes, advice, location_of(device));
}

CUDART_API Error cudaMemPrefetchAsync(const void* pointer, size_t bytes, int device, Stream stream) {
    return cudaMemPrefetchAsync_v2(pointer, bytes, location_of(device), 0, stream);
}
CUDART_PER_THREAD(cudaMemPrefetchAsync, _ptsz, (const void* pointer, size_t bytes, int device, Stream stream),
                  (pointer, bytes, device, own_stream(stream)))
#endif

CUDART_API Error cudaMemRangeGetAttribute(void* data, size_t size, int attribute, const void* pointer, size_t bytes) {
    return in_context(&Driver::cuMemRangeGetAttribute, data, size, attribute, pointer, bytes);
}

CUDART_API Error cudaMemRangeGetAttributes(void** data, size_t* sizes, int* attributes, size_t count,
                                           const void* pointer, size_t bytes) {
    return in_context(&Driver::cuMemRangeGetAttributes, data, sizes, attributes, count, pointer, bytes);
}

CUDART_API Error cudaIpcGetMemHandle(IpcHandle* handle, void* pointer) {
    return in_context(&Driver::cuIpcGetMemHandle, handle, pointer);
}

CUDART_API Error cudaIpcOpenMemHandle(void** pointer, IpcHandle handle, unsigned flags) {
    return in_context(&Driver::cuIpcOpenMemHandle, pointer, handle, flags);
}

CUDART_API Error cudaIpcCloseMemHandle(void* pointer) { return in_context(&Driver::cuIpcCloseMemHandle, pointer); }

CUDART_API Error cudaIpcGetEventHandle(IpcHandle* handle, Event event) {
    return in_context(&Driver::cuIpcGetEventHandle, handle, event);
}

CUDART_API Error cudaIpcOpenEventHandle(Event* event, IpcHandle handle) {
    return in_context(&Driver::cuIpcOpenEventHandle, event, handle);
}

CUDART_API ChannelFormat cudaCreateChannelDesc(int x, int y, int z, int w, int kind) { return {x, y, z, w, kind}; }

}  // namespace cudafault::cudart
