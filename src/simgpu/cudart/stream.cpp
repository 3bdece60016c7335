// SPDX-License-Identifier: Apache-2.0
// Implements streams, events and host callbacks.
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {

CUDART_API Error cudaStreamCreate(Stream* stream) { return in_context(&Driver::cuStreamCreate, stream, 0u); }

CUDART_API Error cudaStreamCreateWithFlags(Stream* stream, unsigned flags) {
    return in_context(&Driver::cuStreamCreate, stream, flags);
}

CUDART_API Error cudaStreamCreateWithPriority(Stream* stream, unsigned flags, int priority) {
    return in_context(&Driver::cuStreamCreateWithPriority, stream, flags, priority);
}

CUDART_API Error cudaStreamDestroy(Stream stream) { return in_context(&Driver::cuStreamDestroy, stream); }

CUDART_API Error cudaStreamQuery(Stream stream) { return in_context(&Driver::cuStreamQuery, stream); }
CUDART_PER_THREAD(cudaStreamQuery, _ptsz, (Stream stream), (own_stream(stream)))

CUDART_API Error cudaStreamSynchronize(Stream stream) { return in_context(&Driver::cuStreamSynchronize, stream); }
CUDART_PER_THREAD(cudaStreamSynchronize, _ptsz, (Stream stream), (own_stream(stream)))

CUDART_API Error cudaStreamWaitEvent(Stream stream, Event event, unsigned flags) {
    return in_context(&Driver::cuStreamWaitEvent, stream, event, flags);
}
CUDART_PER_THREAD(cudaStreamWaitEvent, _ptsz, (Stream stream, Event event, unsigned flags),
                  (own_stream(stream), event, flags))

CUDART_API Error cudaStreamGetPriority(Stream stream, int* priority) {
    return in_context(&Driver::cuStreamGetPriority, stream, priority);
}
CUDART_PER_THREAD(cudaStreamGetPriority, _ptsz, (Stream stream, int* priority), (own_stream(stream), priority))

CUDART_API Error cudaStreamGetFlags(Stream stream, unsigned* flags) {
    return in_context(&Driver::cuStreamGetFlags, stream, flags);
}
CUDART_PER_THREAD(cudaStreamGetFlags, _ptsz, (Stream stream, unsigned* flags), (own_stream(stream), flags))

CUDART_API Error cudaStreamGetId(Stream stream, uint64_t* id) { return in_context(&Driver::cuStreamGetId, stream, id); }
CUDART_PER_THREAD(cudaStreamGetId, _ptsz, (Stream stream, uint64_t* id), (own_stream(stream), id))

CUDART_API Error cudaStreamGetDevice(Stream stream, int* device) {
    return in_context(&Driver::cuStreamGetDevice, stream, device);
}
CUDART_PER_THREAD(cudaStreamGetDevice, _ptsz, (Stream stream, int* device), (own_stream(stream), device))

CUDART_API Error cudaStreamCopyAttributes(Stream target, Stream source) {
    return in_context(&Driver::cuStreamCopyAttributes, target, source);
}
CUDART_PER_THREAD(cudaStreamCopyAttributes, _ptsz, (Stream target, Stream source),
                  (own_stream(target), own_stream(source)))

CUDART_API Error cudaStreamGetAttribute(Stream stream, int attribute, void* value) {
    return in_context(&Driver::cuStreamGetAttribute, stream, attribute, value);
}
CUDART_PER_THREAD(cudaStreamGetAttribute, _ptsz, (Stream stream, int attribute, void* value),
                  (own_stream(stream), attribute, value))

CUDART_API Error cudaStreamSetAttribute(Stream stream, int attribute, const void* value) {
    return in_context(&Driver::cuStreamSetAttribute, stream, attribute, value);
}
CUDART_PER_THREAD(cudaStreamSetAttribute, _ptsz, (Stream stream, int attribute, const void* value),
                  (own_stream(stream), attribute, value))

CUDART_API Error cudaStreamAttachMemAsync(Stream stream, void* pointer, size_t bytes, unsigned flags) {
    return in_context(&Driver::cuStreamAttachMemAsync, stream, pointer, bytes, flags);
}
CUDART_PER_THREAD(cudaStreamAttachMemAsync, _ptsz, (Stream stream, void* pointer, size_t bytes, unsigned flags),
                  (own_stream(stream), pointer, bytes, flags))

CUDART_API Error cudaStreamAddCallback(Stream stream, StreamCallback callback, void* user_data, unsigned flags) {
    return in_context(&Driver::cuStreamAddCallback, stream, callback, user_data, flags);
}
CUDART_PER_THREAD(cudaStreamAddCallback, _ptsz,
                  (Stream stream, StreamCallback callback, void* user_data, unsigned flags),
                  (own_stream(stream), callback, user_data, flags))

CUDART_API Error cudaLaunchHostFunc(Stream stream, HostFunction function, void* user_data) {
    return in_context(&Driver::cuLaunchHostFunc, stream, function, user_data);
}
CUDART_PER_THREAD(cudaLaunchHostFunc, _ptsz, (Stream stream, HostFunction function, void* user_data),
                  (own_stream(stream), function, user_data))

CUDART_API Error cudaEventCreate(Event* event) { return in_context(&Driver::cuEventCreate, event, 0u); }

CUDART_API Error cudaEventCreateWithFlags(Event* event, unsigned flags) {
    return in_context(&Driver::cuEventCreate, event, flags);
}

CUDART_API Error cudaEventDestroy(Event event) { return in_context(&Driver::cuEventDestroy, event); }

CUDART_API Error cudaEventRecord(Event event, Stream stream) {
    return in_context(&Driver::cuEventRecord, event, stream);
}
CUDART_PER_THREAD(cudaEventRecord, _ptsz, (Event event, Stream stream), (event, own_stream(stream)))

CUDART_API Error cudaEventRecordWithFlags(Event event, Stream stream, unsigned flags) {
    return in_context(&Driver::cuEventRecordWithFlags, event, stream, flags);
}
CUDART_PER_THREAD(cudaEventRecordWithFlags, _ptsz, (Event event, Stream stream, unsigned flags),
                  (event, own_stream(stream), flags))

CUDART_API Error cudaEventQuery(Event event) { return in_context(&Driver::cuEventQuery, event); }
CUDART_API Error cudaEventSynchronize(Event event) { return in_context(&Driver::cuEventSynchronize, event); }

CUDART_API Error cudaEventElapsedTime(float* milliseconds, Event start, Event end) {
    return in_context(&Driver::cuEventElapsedTime, milliseconds, start, end);
}

CUDART_API Error cudaEventElapsedTime_v2(float* milliseconds, Event start, Event end) {
    return cudaEventElapsedTime(milliseconds, start, end);
}

}  // namespace cudafault::cudart
