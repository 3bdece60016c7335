// SPDX-License-Identifier: Apache-2.0
// Work that a stream runs and a graph holds. A captured call becomes a node; any other call runs before it returns.
#pragma once

#include <variant>

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// A copy of width x height x depth bytes between resolved addresses.
struct Copy {
    char* target;
    const char* source;
    size_t width, height, depth;
    size_t target_pitch, target_slice, source_pitch, source_slice;
    bool target_known, source_known;  // must be memory the driver knows
};

struct Fill {
    char* target;
    size_t pitch;
    unsigned value, element;
    size_t width, height;  // width in elements
};

struct HostCall {
    HostFunction function;
    void* user_data;
};

struct Launch {
    KernelNodeParams params;
};

struct RecordEvent {
    Event* event;
};

struct WaitEvent {
    Event* event;
};

struct Nothing {};

struct ChildGraph {
    Graph* graph;
};

struct AllocateMemory {
    DevicePtr pointer;
    size_t bytes;
    PoolProperties pool;
    std::vector<MemAccess> access;
};

struct FreeMemory {
    DevicePtr pointer;
};

// In an order of its own; node_type() gives CUgraphNodeType.
using Work =
    std::variant<Launch, Copy, Fill, HostCall, ChildGraph, Nothing, WaitEvent, RecordEvent, AllocateMemory, FreeMemory>;

struct Node {
    Graph* graph;
    Work work;
    std::vector<Node*> dependencies;
    bool enabled = true;
    const Node* original = nullptr;  // of a clone
};

struct Graph {
    uint64_t id;
    std::vector<Node*> nodes = {};
    std::map<UserObject*, unsigned> user_objects = {};
    bool is_child = false;
};

// Work in an order that keeps the dependencies; `of` names the node each step came from.
struct Step {
    const Node* of;
    Work work;
    bool enabled = true;
};

struct GraphExec {
    uint64_t id;
    uint64_t graph_id;
    uint64_t flags;
    std::vector<Step> steps;
    std::map<UserObject*, unsigned> user_objects;  // of its graph, kept for it
};

Node& add_node(State& s, Graph& graph, Work work, std::vector<Node*> dependencies);
void destroy_graph(State& s, Graph& graph);

// Whether the work can be done: memory is there, events and kernels exist, launch dimensions fit the device.
Result check_work(State& s, const Context& context, const Work& work);

// Does the work; called without the lock.
void run(const Work& work);

// Checks the work, then does it, or adds it to the graph the stream is captured into.
Result submit(Stream* stream, Work work);

// Adds nodes that allocate and free memory to the graph that the stream is captured into.
Result capture_allocation(State& s, Stream& stream, const Pool& pool, size_t bytes, DevicePtr* out);
Result capture_free(State& s, Stream& stream, DevicePtr pointer);

// Ends captures whose streams are about to vanish.
void abandon_captures_of(State& s, const Context& context);

// CUDA_MEMCPY3D in resolved addresses and back.
Result resolve(const Copy3D& from, Copy& to);
Copy3D describe(const Copy& copy);
Result resolve(const MemsetNodeParams& from, Fill& to);

}  // namespace cudafault::sim
