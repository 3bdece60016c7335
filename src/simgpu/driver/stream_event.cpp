// SPDX-License-Identifier: Apache-2.0
// Implements streams, events, callbacks and stream capture.
#include "simgpu/driver/stream.hpp"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "simgpu/driver/capture.hpp"
#include "simgpu/driver/graph.hpp"

namespace cudafault::sim {
namespace {

constexpr int kLeastPriority = 0, kGreatestPriority = -5;
constexpr unsigned kDisableTiming = 2, kInterprocess = 4, kKnownEventFlags = 7;
constexpr unsigned kExternal = 1;  // CU_EVENT_RECORD_EXTERNAL and CU_EVENT_WAIT_EXTERNAL: a capture adds a node
constexpr int kNotCapturing = 0, kCapturing = 1, kCaptureInvalidated = 2;
constexpr size_t kAttributeBytes = 64;
constexpr int kAccessPolicy = 1, kSynchronizationPolicy = 3, kPriority = 8, kSyncDomainMap = 9, kSyncDomain = 10;

Stream* new_stream(State& s, Context& context, unsigned flags, int priority) {
    return s.streams.add(new Stream{&context, s.next_id++, flags, priority});
}

Stream* default_stream(State& s, Context& context) {
    Stream*& stream = s.legacy_streams[&context];
    if (!stream) {
        stream = new_stream(s, context, 0, 0);
        stream->shared_default = true;
    }
    return stream;
}

Stream* thread_stream(State& s, Context& context) {
    Stream*& stream = s.thread_streams[{&context, thread_number()}];
    if (!stream) stream = new_stream(s, context, 0, 0);
    return stream;
}

// Runs body(State&, Stream&). As in a real driver, only the default streams require a current context.
template <typename Body>
Result with_stream(Stream* handle, Body body) {
    return with_driver([&](State& s) -> Result {
        Stream* stream = handle;
        if (!s.streams.has(handle)) {
            Context* context = context_stack().top();
            if (Result error = check_context(s, context)) return error;
            if (Result error = resolve_stream(s, *context, handle, stream)) return error;
        }
        return body(s, *stream);
    });
}

template <typename Body>
Result with_event(Event* event, Body body) {
    return with_driver([&](State& s) { return s.events.has(event) ? body(s, *event) : kInvalidHandle; });
}

// Waits for a stream or queries it. A capture of the stream prohibits either operation.
Result synchronize(State& s, Stream& stream) {
    if (stream.capture) return invalidate(*stream.capture, kStreamCaptureUnsupported);
    return check_legacy_use(s, stream);
}

void join_capture(Stream& stream, Capture& capture, std::vector<Node*> tail) {
    stream.capture = &capture;
    stream.tail = std::move(tail);
    capture.members.push_back(&stream);
}

void end_capture(State& s, Capture* capture) {
    for (Stream* member : capture->members) {
        member->capture = nullptr;
        member->tail.clear();
    }
    for (Event* event : s.events) {
        if (event->capture == capture) event->capture = nullptr;
    }
    s.captures.erase(capture);
    delete capture;
}

Result begin_capture(State& s, Stream& stream, Graph* graph, std::vector<Node*> tail, int mode) {
    if (mode < kCaptureGlobal || mode > kCaptureRelaxed) return kInvalidValue;
    if (stream.shared_default) return kStreamCaptureUnsupported;
    if (stream.capture) return kIllegalState;
    const bool owns = !graph;
    if (owns) graph = s.graphs.add(new Graph{s.next_id++});
    auto* capture = new Capture{graph, owns, s.next_id++, mode, thread_number(), &stream};
    s.captures.insert(capture);
    join_capture(stream, *capture, std::move(tail));
    return kSuccess;
}

Result capture_info(State& s, Stream& stream, int* status, uint64_t* id, Graph** graph, Node* const** dependencies,
                    const EdgeData** edges, size_t* count) {
    if (!status) return kInvalidValue;
    if (is_blocked_by_capture(s, stream)) return kStreamCaptureImplicit;
    const Capture* capture = stream.capture;
    *status = !capture ? kNotCapturing : capture->invalid ? kCaptureInvalidated : kCapturing;
    stream.tail_edges.assign(stream.tail.size(), EdgeData{});
    if (id) *id = capture ? capture->id : 0;
    if (graph) *graph = capture ? capture->graph : nullptr;
    if (dependencies) *dependencies = stream.tail.data();
    if (edges) *edges = stream.tail_edges.data();
    if (count) *count = stream.tail.size();
    return kSuccess;
}

bool are_nodes(State& s, Node* const* nodes, size_t count) {
    return !count || (nodes && std::all_of(nodes, nodes + count, [&](Node* node) { return s.nodes.has(node); }));
}

Result record_event(Event* event, Stream* handle, unsigned flags) {
    return with_stream(handle, [&](State& s, Stream& stream) -> Result {
        if (!s.events.has(event) || event->context != stream.context) return kInvalidHandle;
        if (flags & ~kExternal) return kInvalidValue;
        if (!stream.capture) {
            if (Result error = check_legacy_use(s, stream)) return error;
            event->capture = nullptr;
            event->recorded_ns = now_ns();
        } else if (flags & kExternal) {
            stream.tail = {&add_node(s, *stream.capture->graph, RecordEvent{event}, stream.tail)};
        } else {
            event->capture = stream.capture;
            event->captured = stream.tail;
        }
        return kSuccess;
    });
}

// A stream that waits for an event of a capture joins that capture.
Result wait_event(State& s, Stream& stream, Event& event, unsigned flags) {
    if (stream.capture && (flags & kExternal)) {
        stream.tail = {&add_node(s, *stream.capture->graph, WaitEvent{&event}, stream.tail)};
        return kSuccess;
    }
    if (!event.capture) {
        return stream.capture ? invalidate(*stream.capture, kStreamCaptureIsolation) : check_legacy_use(s, stream);
    }
    if (stream.shared_default) return invalidate(*event.capture, kStreamCaptureImplicit);
    if (!stream.capture) {
        join_capture(stream, *event.capture, event.captured);
        return kSuccess;
    }
    if (stream.capture != event.capture) {
        invalidate(*event.capture, kStreamCaptureIsolation);
        return invalidate(*stream.capture, kStreamCaptureIsolation);
    }
    for (Node* node : event.captured) {
        if (std::find(stream.tail.begin(), stream.tail.end(), node) == stream.tail.end()) stream.tail.push_back(node);
    }
    return kSuccess;
}

bool is_stream_attribute(int attribute) {
    return attribute == kAccessPolicy || attribute == kSynchronizationPolicy || attribute == kPriority ||
           attribute == kSyncDomainMap || attribute == kSyncDomain;
}

struct CallbackCall {
    Stream* stream;
    StreamCallback function;
    void* user_data;
};

void run_callback(void* data) {
    const auto* call = static_cast<CallbackCall*>(data);
    call->function(call->stream, kSuccess, call->user_data);
}

}  // namespace

uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

Result resolve_stream(State& s, Context& context, Stream* handle, Stream*& stream) {
    if (!handle || handle == kLegacyStream)
        stream = default_stream(s, context);
    else if (handle == kPerThreadStream)
        stream = thread_stream(s, context);
    else if (s.streams.has(handle))
        stream = handle;
    else
        return kInvalidHandle;
    return kSuccess;
}

void abandon_captures_of(State& s, const Context& context) {
    std::set<Capture*> captures;
    for (const Stream* stream : s.streams) {
        if (stream->context == &context && stream->capture) captures.insert(stream->capture);
    }
    for (Capture* capture : captures) {
        if (capture->owns_graph) destroy_graph(s, *capture->graph);
        end_capture(s, capture);
    }
}

SIM_API Result cuStreamCreateWithPriority(Stream** out, unsigned flags, int priority) {
    return with_context([&](State& s, Context& c) {
        if (!out || (flags & ~kNonBlockingStream)) return kInvalidValue;
        return set_output(out, new_stream(s, c, flags, std::clamp(priority, kGreatestPriority, kLeastPriority)));
    });
}

SIM_API Result cuStreamCreate(Stream** out, unsigned flags) { return cuStreamCreateWithPriority(out, flags, 0); }

SIM_API Result cuStreamDestroy_v2(Stream* stream) {
    return with_driver([&](State& s) {
        if (!s.streams.has(stream)) return kInvalidHandle;
        if (stream->capture) {
            stream->capture->invalid = true;
            std::erase(stream->capture->members, stream);
            if (stream->capture->origin == stream) {
                if (stream->capture->owns_graph) destroy_graph(s, *stream->capture->graph);
                end_capture(s, stream->capture);
            }
        }
        s.streams.remove(stream);
        return kSuccess;
    });
}
SIM_ALIAS(cuStreamDestroy, cuStreamDestroy_v2, (Stream * stream), (stream))

SIM_API Result cuStreamQuery(Stream* stream) {
    return with_stream(stream, [](State& s, Stream& st) { return synchronize(s, st); });
}
SIM_PER_THREAD(cuStreamQuery, _ptsz, (Stream * stream), (own_stream(stream)))

SIM_API Result cuStreamSynchronize(Stream* stream) {
    return with_stream(stream, [](State& s, Stream& st) { return synchronize(s, st); });
}
SIM_PER_THREAD(cuStreamSynchronize, _ptsz, (Stream * stream), (own_stream(stream)))

SIM_API Result cuStreamGetPriority(Stream* stream, int* priority) {
    return with_stream(stream, [&](State&, Stream& st) { return set_output(priority, st.priority); });
}
SIM_PER_THREAD(cuStreamGetPriority, _ptsz, (Stream * stream, int* priority), (own_stream(stream), priority))

SIM_API Result cuStreamGetFlags(Stream* stream, unsigned* flags) {
    return with_stream(stream, [&](State&, Stream& st) { return set_output(flags, st.flags); });
}
SIM_PER_THREAD(cuStreamGetFlags, _ptsz, (Stream * stream, unsigned* flags), (own_stream(stream), flags))

SIM_API Result cuStreamGetId(Stream* stream, uint64_t* id) {
    return with_stream(stream, [&](State&, Stream& st) { return set_output(id, st.id); });
}
SIM_PER_THREAD(cuStreamGetId, _ptsz, (Stream * stream, uint64_t* id), (own_stream(stream), id))

SIM_API Result cuStreamGetCtx(Stream* stream, Context** context) {
    return with_stream(stream, [&](State&, Stream& st) { return set_output(context, st.context); });
}
SIM_PER_THREAD(cuStreamGetCtx, _ptsz, (Stream * stream, Context** context), (own_stream(stream), context))

// Green contexts are not simulated, so no stream belongs to one.
SIM_API Result cuStreamGetCtx_v2(Stream* stream, Context** context, void** green) {
    if (green) *green = nullptr;
    return cuStreamGetCtx(stream, context);
}
SIM_PER_THREAD(cuStreamGetCtx_v2, _ptsz, (Stream * stream, Context** context, void** green),
               (own_stream(stream), context, green))

SIM_API Result cuStreamGetDevice(Stream* stream, Device* device) {
    return with_stream(stream, [&](State&, Stream& st) { return set_output(device, st.context->device); });
}
SIM_PER_THREAD(cuStreamGetDevice, _ptsz, (Stream * stream, Device* device), (own_stream(stream), device))

SIM_API Result cuStreamAttachMemAsync(Stream* stream, DevicePtr, size_t, unsigned) {
    return with_stream(stream, [](State&, Stream&) { return kSuccess; });
}
SIM_PER_THREAD(cuStreamAttachMemAsync, _ptsz, (Stream * stream, DevicePtr pointer, size_t bytes, unsigned flags),
               (own_stream(stream), pointer, bytes, flags))

SIM_API Result cuStreamGetAttribute(Stream* stream, int attribute, void* value) {
    return with_stream(stream, [&](State&, Stream& st) {
        if (!value || !is_stream_attribute(attribute)) return kInvalidValue;
        const auto found = st.attributes.find(attribute);
        std::memset(value, 0, kAttributeBytes);
        if (attribute == kPriority)
            std::memcpy(value, &st.priority, sizeof st.priority);
        else if (attribute == kSynchronizationPolicy)
            *static_cast<int*>(value) = 1;  // automatic
        if (found != st.attributes.end()) std::memcpy(value, found->second.data(), kAttributeBytes);
        return kSuccess;
    });
}
SIM_PER_THREAD(cuStreamGetAttribute, _ptsz, (Stream * stream, int attribute, void* value),
               (own_stream(stream), attribute, value))

SIM_API Result cuStreamSetAttribute(Stream* stream, int attribute, const void* value) {
    return with_stream(stream, [&](State&, Stream& st) {
        if (!value || !is_stream_attribute(attribute)) return kInvalidValue;
        const auto* bytes = static_cast<const unsigned char*>(value);
        st.attributes[attribute].assign(bytes, bytes + kAttributeBytes);
        if (attribute == kPriority) std::memcpy(&st.priority, value, sizeof st.priority);
        return kSuccess;
    });
}
SIM_PER_THREAD(cuStreamSetAttribute, _ptsz, (Stream * stream, int attribute, const void* value),
               (own_stream(stream), attribute, value))

SIM_API Result cuStreamCopyAttributes(Stream* target, Stream* source) {
    return with_stream(source, [&](State& s, Stream& from) {
        Stream* to = nullptr;
        if (Result error = resolve_stream(s, *from.context, target, to)) return error;
        to->attributes = from.attributes;
        return kSuccess;
    });
}
SIM_PER_THREAD(cuStreamCopyAttributes, _ptsz, (Stream * target, Stream* source),
               (own_stream(target), own_stream(source)))

SIM_API Result cuStreamWaitEvent(Stream* stream, Event* event, unsigned flags) {
    return with_stream(stream, [&](State& s, Stream& st) {
        if (flags & ~kExternal) return kInvalidValue;
        return s.events.has(event) ? wait_event(s, st, *event, flags) : kInvalidHandle;
    });
}
SIM_PER_THREAD(cuStreamWaitEvent, _ptsz, (Stream * stream, Event* event, unsigned flags),
               (own_stream(stream), event, flags))

SIM_API Result cuLaunchHostFunc(Stream* stream, HostFunction function, void* user_data) {
    return submit(stream, HostCall{function, user_data});
}
SIM_PER_THREAD(cuLaunchHostFunc, _ptsz, (Stream * stream, HostFunction function, void* user_data),
               (own_stream(stream), function, user_data))

SIM_API Result cuLaunchHostFunc_v2(Stream* stream, HostFunction function, void* user_data, unsigned) {
    return cuLaunchHostFunc(stream, function, user_data);
}
SIM_PER_THREAD(cuLaunchHostFunc_v2, _ptsz,
               (Stream * stream, HostFunction function, void* user_data, unsigned sync_mode),
               (own_stream(stream), function, user_data, sync_mode))

SIM_API Result cuStreamAddCallback(Stream* stream, StreamCallback callback, void* user_data, unsigned flags) {
    if (!callback || flags) return kInvalidValue;
    if (Result error = with_stream(stream, [](State& s, Stream& st) { return synchronize(s, st); })) return error;
    CallbackCall call{stream, callback, user_data};
    run_callback(&call);
    return kSuccess;
}
SIM_PER_THREAD(cuStreamAddCallback, _ptsz, (Stream * stream, StreamCallback callback, void* user_data, unsigned flags),
               (own_stream(stream), callback, user_data, flags))

SIM_API Result cuEventCreate(Event** out, unsigned flags) {
    return with_context([&](State& s, Context& c) {
        const bool interprocess_with_timing = (flags & kInterprocess) && !(flags & kDisableTiming);
        if (!out || (flags & ~kKnownEventFlags) || interprocess_with_timing) return kInvalidValue;
        return set_output(out, s.events.add(new Event{&c, flags}));
    });
}

SIM_API Result cuEventDestroy_v2(Event* event) {
    return with_event(event, [](State& s, Event& e) {
        s.events.remove(&e);
        return kSuccess;
    });
}
SIM_ALIAS(cuEventDestroy, cuEventDestroy_v2, (Event * event), (event))

SIM_API Result cuEventRecord(Event* event, Stream* stream) { return record_event(event, stream, 0); }
SIM_PER_THREAD(cuEventRecord, _ptsz, (Event * event, Stream* stream), (event, own_stream(stream)))

SIM_API Result cuEventRecordWithFlags(Event* event, Stream* stream, unsigned flags) {
    return record_event(event, stream, flags);
}
SIM_PER_THREAD(cuEventRecordWithFlags, _ptsz, (Event * event, Stream* stream, unsigned flags),
               (event, own_stream(stream), flags))

SIM_API Result cuEventQuery(Event* event) {
    return with_event(event, [](State& s, Event& e) {
        return e.capture ? invalidate(*e.capture, kCapturedEvent) : check_unsafe_call(s);
    });
}

SIM_API Result cuEventSynchronize(Event* event) {
    return with_event(event,
                      [](State&, Event& e) { return e.capture ? invalidate(*e.capture, kCapturedEvent) : kSuccess; });
}

SIM_API Result cuEventElapsedTime(float* milliseconds, Event* start, Event* end) {
    return with_event(start, [&](State& s, Event& from) {
        if (!s.events.has(end) || ((from.flags | end->flags) & kDisableTiming)) return kInvalidHandle;
        if (!from.recorded_ns || !end->recorded_ns || from.context != end->context) return kInvalidHandle;
        constexpr double kNanosecondsPerMillisecond = 1e6;
        const auto elapsed = static_cast<int64_t>(end->recorded_ns - from.recorded_ns);
        return set_output(milliseconds, static_cast<double>(elapsed) / kNanosecondsPerMillisecond);
    });
}
SIM_ALIAS(cuEventElapsedTime_v2, cuEventElapsedTime, (float* milliseconds, Event* start, Event* end),
          (milliseconds, start, end))

SIM_API Result cuStreamBeginCapture_v2(Stream* stream, int mode) {
    return with_stream(stream, [&](State& s, Stream& st) { return begin_capture(s, st, nullptr, {}, mode); });
}
SIM_PER_THREAD(cuStreamBeginCapture_v2, _ptsz, (Stream * stream, int mode), (own_stream(stream), mode))
SIM_ALIAS(cuStreamBeginCapture, cuStreamBeginCapture_v2, (Stream * stream), (stream, 0))
SIM_PER_THREAD(cuStreamBeginCapture, _ptsz, (Stream * stream), (own_stream(stream)))

SIM_API Result cuStreamBeginCaptureToGraph(Stream* stream, Graph* graph, Node* const* dependencies, const EdgeData*,
                                           size_t count, int mode) {
    return with_stream(stream, [&](State& s, Stream& st) {
        if (!s.graphs.has(graph) || !are_nodes(s, dependencies, count)) return kInvalidValue;
        return begin_capture(s, st, graph, {dependencies, dependencies + count}, mode);
    });
}
SIM_PER_THREAD(cuStreamBeginCaptureToGraph, _ptsz,
               (Stream * stream, Graph* graph, Node* const* dependencies, const EdgeData* edges, size_t count,
                int mode),
               (own_stream(stream), graph, dependencies, edges, count, mode))

SIM_API Result cuStreamEndCapture(Stream* stream, Graph** out) {
    return with_stream(stream, [&](State& s, Stream& st) {
        if (!out) return kInvalidValue;
        *out = nullptr;
        Capture* capture = st.capture;
        if (!capture) return kIllegalState;
        if (capture->origin != &st) return kStreamCaptureUnmatched;
        const bool is_bound = capture->mode != kCaptureRelaxed;
        if (is_bound && capture->thread != thread_number()) return kStreamCaptureWrongThread;
        const Result error = capture->invalid                  ? kStreamCaptureInvalidated
                             : are_streams_joined(s, *capture) ? kSuccess
                                                               : kStreamCaptureUnjoined;
        Graph* graph = capture->graph;
        if (error && capture->owns_graph) destroy_graph(s, *graph);
        end_capture(s, capture);
        return error ? error : set_output(out, graph);
    });
}
SIM_PER_THREAD(cuStreamEndCapture, _ptsz, (Stream * stream, Graph** out), (own_stream(stream), out))

SIM_API Result cuStreamIsCapturing(Stream* stream, int* status) {
    return with_stream(stream, [&](State& s, Stream& st) {
        return capture_info(s, st, status, nullptr, nullptr, nullptr, nullptr, nullptr);
    });
}
SIM_PER_THREAD(cuStreamIsCapturing, _ptsz, (Stream * stream, int* status), (own_stream(stream), status))

SIM_API Result cuStreamGetCaptureInfo_v3(Stream* stream, int* status, uint64_t* id, Graph** graph,
                                         Node* const** dependencies, const EdgeData** edges, size_t* count) {
    return with_stream(stream, [&](State& s, Stream& st) {
        return capture_info(s, st, status, id, graph, dependencies, edges, count);
    });
}
SIM_PER_THREAD(cuStreamGetCaptureInfo_v3, _ptsz,
               (Stream * stream, int* status, uint64_t* id, Graph** graph, Node* const** dependencies,
                const EdgeData** edges, size_t* count),
               (own_stream(stream), status, id, graph, dependencies, edges, count))

SIM_API Result cuStreamGetCaptureInfo_v2(Stream* stream, int* status, uint64_t* id, Graph** graph,
                                         Node* const** dependencies, size_t* count) {
    return cuStreamGetCaptureInfo_v3(stream, status, id, graph, dependencies, nullptr, count);
}
SIM_PER_THREAD(cuStreamGetCaptureInfo_v2, _ptsz,
               (Stream * stream, int* status, uint64_t* id, Graph** graph, Node* const** dependencies, size_t* count),
               (own_stream(stream), status, id, graph, dependencies, count))

SIM_API Result cuStreamGetCaptureInfo(Stream* stream, int* status, uint64_t* id) {
    return cuStreamGetCaptureInfo_v3(stream, status, id, nullptr, nullptr, nullptr, nullptr);
}
SIM_PER_THREAD(cuStreamGetCaptureInfo, _ptsz, (Stream * stream, int* status, uint64_t* id),
               (own_stream(stream), status, id))

SIM_API Result cuStreamUpdateCaptureDependencies(Stream* stream, Node** dependencies, size_t count, unsigned flags) {
    constexpr unsigned kSet = 1;
    return with_stream(stream, [&](State& s, Stream& st) {
        if (!st.capture) return kIllegalState;
        if (flags > kSet || !are_nodes(s, dependencies, count)) return kInvalidValue;
        if (flags == kSet) st.tail.clear();
        st.tail.insert(st.tail.end(), dependencies, dependencies + count);
        return kSuccess;
    });
}
SIM_PER_THREAD(cuStreamUpdateCaptureDependencies, _ptsz,
               (Stream * stream, Node** dependencies, size_t count, unsigned flags),
               (own_stream(stream), dependencies, count, flags))

SIM_API Result cuStreamUpdateCaptureDependencies_v2(Stream* stream, Node** dependencies, const EdgeData*, size_t count,
                                                    unsigned flags) {
    return cuStreamUpdateCaptureDependencies(stream, dependencies, count, flags);
}
SIM_PER_THREAD(cuStreamUpdateCaptureDependencies_v2, _ptsz,
               (Stream * stream, Node** dependencies, const EdgeData* edges, size_t count, unsigned flags),
               (own_stream(stream), dependencies, edges, count, flags))

SIM_API Result cuThreadExchangeStreamCaptureMode(int* mode) {
    return with_driver([&](State&) {
        if (!mode || *mode < kCaptureGlobal || *mode > kCaptureRelaxed) return kInvalidValue;
        std::swap(*mode, thread_capture_mode());
        return kSuccess;
    });
}

}  // namespace cudafault::sim
