// SPDX-License-Identifier: Apache-2.0
// Defines the work that a stream runs or a graph contains. A captured call adds a node; the work of any other call runs
// before the call returns.
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
    bool target_tracked, source_tracked;  // the range must be memory that the driver tracks
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

struct NoWork {};

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

// The order differs from CUgraphNodeType; node_type() converts.
using Work =
    std::variant<Launch, Copy, Fill, HostCall, ChildGraph, NoWork, WaitEvent, RecordEvent, AllocateMemory, FreeMemory>;

struct Node {
    Graph* graph;
    Work work;
    std::vector<Node*> dependencies;
    bool enabled = true;
    const Node* original = nullptr;  // the node from which this node was cloned
};

struct Graph {
    uint64_t id;
    std::vector<Node*> nodes = {};
    std::map<UserObject*, unsigned> user_objects = {};
    bool is_child = false;
};

// A step of an executable graph. Each step comes after the steps that it depends on.
struct Step {
    const Node* node;
    Work work;
    bool enabled = true;
};

struct GraphExec {
    uint64_t id;
    uint64_t graph_id;
    uint64_t flags;
    std::vector<Step> steps;
    std::map<UserObject*, unsigned> user_objects;  // references that the executable graph holds
};

Node& add_node(State& s, Graph& graph, Work work, std::vector<Node*> dependencies);
void destroy_graph(State& s, Graph& graph);

// Checks that the memory is accessible, events and kernels exist, and launch dimensions are valid for the device.
Result check_work(State& s, const Context& context, const Work& work);

// Runs the work. Must be called without the lock.
void run(const Work& work);

// Checks the work, then runs it, or adds it to the graph into which the stream is captured.
Result submit(Stream* stream, Work work);

// These functions add nodes that allocate and free memory to the graph into which the stream is captured.
Result capture_allocation(State& s, Stream& stream, const Pool& pool, size_t bytes, DevicePtr* out);
Result capture_free(State& s, Stream& stream, DevicePtr pointer);

// Ends the captures of a context's streams. Call this function before the streams are destroyed.
void abandon_captures_of(State& s, const Context& context);

// Convert CUDA_MEMCPY3D to resolved addresses and back.
Result resolve(const Copy3D& from, Copy& to);
Copy3D describe(const Copy& copy);
Result resolve(const MemsetNodeParams& from, Fill& to);

}  // namespace cudafault::sim
