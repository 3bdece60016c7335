// SPDX-License-Identifier: Apache-2.0
// Checks and runs work, or adds it to the graph of a capture.
#include <cstring>
#include <type_traits>

#include "simgpu/driver/capture.hpp"
#include "simgpu/driver/graph.hpp"
#include "simgpu/driver/graph_memory.hpp"
#include "simgpu/driver/memory.hpp"
#include "simgpu/driver/stream.hpp"

namespace cudafault::sim {
namespace {

template <typename... Bodies>
struct Overloaded : Bodies... {
    using Bodies::operator()...;
};
template <typename... Bodies>
Overloaded(Bodies...) -> Overloaded<Bodies...>;  // needed by clang before 17

size_t extent(size_t width, size_t height, size_t depth, size_t pitch, size_t slice) {
    return (depth - 1) * slice + (height - 1) * pitch + width;
}

Result check_copy(State& s, const Copy& c) {
    if (!c.width || !c.height || !c.depth) return kSuccess;
    const size_t target = extent(c.width, c.height, c.depth, c.target_pitch, c.target_slice);
    const size_t source = extent(c.width, c.height, c.depth, c.source_pitch, c.source_slice);
    return is_accessible(s, c.target, target, c.target_tracked) && is_accessible(s, c.source, source, c.source_tracked)
               ? kSuccess
               : kInvalidValue;
}

Result check_fill(State& s, const Fill& f) {
    if (!f.width || !f.height) return kSuccess;
    return is_accessible(s, f.target, extent(f.width * f.element, f.height, 1, f.pitch, 0), true) ? kSuccess
                                                                                                  : kInvalidValue;
}

Result check_launch(State& s, const Context& context, const KernelNodeParams& p) {
    constexpr unsigned kMaxGrid[] = {2147483647, 65535, 65535}, kMaxBlock[] = {1024, 1024, 64}, kMaxThreads = 1024;
    const Function* function = p.function ? p.function : p.kernel;
    if (!s.functions.has(function)) return kInvalidHandle;
    uint64_t threads = 1;
    for (int i = 0; i < 3; ++i) {
        if (!p.grid[i] || p.grid[i] > kMaxGrid[i] || !p.block[i] || p.block[i] > kMaxBlock[i]) return kInvalidValue;
        threads *= p.block[i];
    }
    const unsigned shared = static_cast<unsigned>(s.devices[context.device].gpu->model->shared_per_block_optin);
    return threads > kMaxThreads || p.shared_bytes > shared ? kInvalidValue : kSuccess;
}

void run_copy(const Copy& c) {
    for (size_t z = 0; z < c.depth; ++z) {
        for (size_t y = 0; y < c.height; ++y) {
            if (!c.width) return;
            std::memmove(c.target + z * c.target_slice + y * c.target_pitch,
                         c.source + z * c.source_slice + y * c.source_pitch, c.width);
        }
    }
}

template <typename Element>
void fill_row(char* start, unsigned value, size_t count) {
    auto* row = reinterpret_cast<Element*>(start);
    std::fill(row, row + count, static_cast<Element>(value));
}

void run_fill(const Fill& f) {
    for (size_t y = 0; y < f.height; ++y) {
        char* row = f.target + y * f.pitch;
        switch (f.element) {
            case 1: std::memset(row, static_cast<int>(f.value), f.width); break;
            case 2: fill_row<uint16_t>(row, f.value, f.width); break;
            default: fill_row<uint32_t>(row, f.value, f.width);
        }
    }
}

// Does nothing if the program has destroyed the event since it created the graph.
void run_record(Event* event) {
    State& s = state();
    std::lock_guard lock(s.mutex);
    if (s.events.has(event)) event->recorded_ns = now_ns();
}

}  // namespace

Result check_work(State& s, const Context& context, const Work& work) {
    return std::visit(
        Overloaded{
            [&](const Launch& launch) { return check_launch(s, context, launch.params); },
            [&](const Copy& copy) { return check_copy(s, copy); },
            [&](const Fill& fill) { return check_fill(s, fill); },
            [&](const HostCall& call) { return call.function ? kSuccess : kInvalidValue; },
            [&](const ChildGraph& child) {
                if (!s.graphs.has(child.graph)) return kInvalidValue;
                return has_memory_nodes(*child.graph) ? kNotSupported : kSuccess;
            },
            [&](const RecordEvent& record) { return s.events.has(record.event) ? kSuccess : kInvalidHandle; },
            [&](const WaitEvent& wait) { return s.events.has(wait.event) ? kSuccess : kInvalidHandle; },
            [&](const AllocateMemory& allocation) { return allocation.bytes ? kSuccess : kInvalidValue; },
            [&](const FreeMemory& freed) {
                const auto found = s.blocks.find(freed.pointer);
                return found != s.blocks.end() && found->second.is_graph_memory ? kSuccess : kInvalidValue;
            },
            [](const NoWork&) { return kSuccess; },
        },
        work);
}

// Kernels do nothing, and every event that a stream waits for is already complete.
void run(const Work& work) {
    std::visit(Overloaded{
                   [](const Copy& copy) { run_copy(copy); },
                   [](const Fill& fill) { run_fill(fill); },
                   [](const HostCall& call) { call.function(call.user_data); },
                   [](const RecordEvent& record) { run_record(record.event); },
                   [](const AllocateMemory& allocation) { run_allocation(allocation.pointer); },
                   [](const FreeMemory& freed) { run_free(freed.pointer); },
                   [](const auto&) {},
               },
               work);
}

Result submit(Stream* handle, Work work) {
    bool captured = false;
    const Result error = with_context([&](State& s, Context& context) -> Result {
        Stream* stream = nullptr;
        if (Result failure = resolve_stream(s, context, handle, stream)) return failure;
        if (Result failure = check_work(s, context, work)) return failure;
        // Copies can use a stream of any context.
        if (std::holds_alternative<Launch>(work) && stream->context != &context) return kInvalidHandle;
        if (!stream->capture) return check_legacy_use(s, *stream);
        if (stream->capture->invalid) return kStreamCaptureInvalidated;
        captured = true;
        stream->tail = {&add_node(s, *stream->capture->graph, work, stream->tail)};
        return kSuccess;
    });
    if (!error && !captured) run(work);
    return error;
}

}  // namespace cudafault::sim
