// SPDX-License-Identifier: Apache-2.0
// Implements graphs: their nodes and dependencies, executable graphs, and user objects.
#include "simgpu/driver/graph.hpp"

#include <algorithm>
#include <cstdio>
#include <type_traits>

#include "simgpu/driver/capture.hpp"
#include "simgpu/driver/graph_memory.hpp"
#include "simgpu/driver/stream.hpp"

namespace cudafault::sim {

// A reference-counted object that graphs keep alive. Releasing the last reference destroys the object.
struct UserObject {
    void* pointer;
    HostFunction destroy;
    unsigned references;
};

namespace {

// Values of CUgraphNodeType. The two kinds of semaphore nodes, 8 and 9, are not simulated.
enum NodeType {
    kKernelNode,
    kCopyNode,
    kMemsetNode,
    kHostNode,
    kChildNode,
    kEmptyNode,
    kWaitNode,
    kRecordNode,
    kAllocationNode = 10,
    kFreeNode
};
constexpr int kSemaphoreKinds = 2;
static_assert(std::is_same_v<std::variant_alternative_t<kRecordNode, Work>, RecordEvent> &&
              std::is_same_v<std::variant_alternative_t<kEmptyNode, Work>, NoWork> &&
              std::is_same_v<std::variant_alternative_t<kFreeNode - kSemaphoreKinds, Work>, FreeMemory>);

int node_type(const Work& work) {
    const int kind = static_cast<int>(work.index());
    return kind > kRecordNode ? kind + kSemaphoreKinds : kind;
}

bool is_memory_work(const Work& work) {
    return std::holds_alternative<AllocateMemory>(work) || std::holds_alternative<FreeMemory>(work);
}

template <typename Body>
Result with_graph(Graph* graph, Body body) {
    return with_driver([&](State& s) { return s.graphs.has(graph) ? body(s, *graph) : kInvalidValue; });
}

template <typename Body>
Result with_node(Node* node, Body body) {
    return with_driver([&](State& s) { return s.nodes.has(node) ? body(s, *node) : kInvalidValue; });
}

template <typename Body>
Result with_exec(GraphExec* exec, Body body) {
    return with_driver([&](State& s) { return s.execs.has(exec) ? body(s, *exec) : kInvalidValue; });
}

bool is_dependency_list(State& s, const Graph& graph, Node* const* nodes, size_t count) {
    return !count || (nodes && std::all_of(nodes, nodes + count,
                                           [&](Node* node) { return s.nodes.has(node) && node->graph == &graph; }));
}

Result add(Node** out, Graph* graph, Node* const* dependencies, size_t count, const Work& work) {
    return with_context([&](State& s, Context& context) {
        if (!out || !s.graphs.has(graph) || !is_dependency_list(s, *graph, dependencies, count)) return kInvalidValue;
        if (Result error = check_work(s, context, work)) return error;
        return set_output(out, &add_node(s, *graph, work, {dependencies, dependencies + count}));
    });
}

// Returns a list as the driver does: if `out` is null, only its length; otherwise the items that fit, and nullptr in
// the remaining entries.
Result list_nodes(const std::vector<Node*>& nodes, Node** out, size_t* count) {
    if (!count) return kInvalidValue;
    if (!out) return set_output(count, nodes.size());
    for (size_t i = 0; i < *count; ++i) out[i] = i < nodes.size() ? nodes[i] : nullptr;
    return set_output(count, std::min(*count, nodes.size()));
}

void clear_edges(EdgeData* edges, const size_t* count) {
    if (edges && count) std::fill_n(edges, *count, EdgeData{});
}

std::vector<Node*> dependents(const Node& node) {
    std::vector<Node*> found;
    for (Node* other : node.graph->nodes) {
        if (std::count(other->dependencies.begin(), other->dependencies.end(), &node)) found.push_back(other);
    }
    return found;
}

Graph& clone(State& s, const Graph& graph) {
    Graph& copy = *s.graphs.add(new Graph{s.next_id++});
    std::map<const Node*, Node*> clones;
    for (const Node* node : graph.nodes) {
        Node& cloned = add_node(s, copy, node->work, {});
        cloned.enabled = node->enabled;
        cloned.original = node;
        if (const auto* child = std::get_if<ChildGraph>(&node->work)) {
            Graph& grandchild = clone(s, *child->graph);
            grandchild.is_child = true;
            cloned.work = ChildGraph{&grandchild};
        }
        clones[node] = &cloned;
    }
    for (const Node* node : graph.nodes) {
        for (Node* dependency : node->dependencies) clones[node]->dependencies.push_back(clones[dependency]);
    }
    return copy;
}

// Appends the graph's work, each step after the steps that it depends on. Returns false if the dependencies form a
// cycle.
bool flatten(const Graph& graph, std::vector<Step>& steps) {
    std::set<const Node*> done;
    while (done.size() < graph.nodes.size()) {
        const size_t before = done.size();
        for (const Node* node : graph.nodes) {
            const auto& needs = node->dependencies;
            const bool ready = std::all_of(needs.begin(), needs.end(), [&](Node* d) { return done.count(d) != 0; });
            if (!ready || !done.insert(node).second) continue;
            if (const auto* child = std::get_if<ChildGraph>(&node->work)) {
                if (!flatten(*child->graph, steps)) return false;
            } else {
                steps.push_back({node, node->work, node->enabled});
            }
        }
        if (done.size() == before) return false;
    }
    return true;
}

// A graph with memory nodes can have one executable graph at a time.
bool can_instantiate(const State& s, const Graph& graph) {
    return !has_memory_nodes(graph) ||
           std::none_of(s.execs.begin(), s.execs.end(), [&](const GraphExec* e) { return e->graph_id == graph.id; });
}

Result instantiate(GraphExec** out, Graph* graph, uint64_t flags) {
    constexpr uint64_t kKnownFlags = 15;
    return with_graph(graph, [&](State& s, Graph& g) {
        if (!out || (flags & ~kKnownFlags)) return kInvalidValue;
        if (!can_instantiate(s, g)) return kNotSupported;
        GraphExec exec{s.next_id++, g.id, flags, {}, g.user_objects};
        if (!flatten(g, exec.steps)) return kInvalidValue;
        for (auto& [object, count] : exec.user_objects) object->references += count;
        for (const Step& step : exec.steps) {
            if (const auto* allocation = std::get_if<AllocateMemory>(&step.work)) {
                hold_graph_memory(s, allocation->pointer);
            }
        }
        return set_output(out, s.execs.add(new GraphExec(std::move(exec))));
    });
}

// Reserves the memory and adds the node; sets params.pointer.
Result add_allocation_node(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                           AllocationNodeParams* params) {
    return with_context([&](State& s, Context&) {
        if (!out || !params || !params->bytes) return kInvalidValue;
        if (!s.graphs.has(graph) || !is_dependency_list(s, *graph, dependencies, count)) return kInvalidValue;
        const MemLocation location = params->pool.location;
        if (params->pool.allocation_type != 1 || location.type != kLocationDevice || !is_device(s, location.id) ||
            (params->access_count && !params->access)) {
            return kInvalidValue;
        }
        if (Result error = reserve_graph_memory(s, location.id, params->bytes, params->pointer)) return error;
        const AllocateMemory work{
            params->pointer, params->bytes, params->pool, {params->access, params->access + params->access_count}};
        return set_output(out, &add_node(s, *graph, work, {dependencies, dependencies + count}));
    });
}

bool is_freed_in(const Graph& graph, DevicePtr pointer) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node* node) {
        const auto* freed = std::get_if<FreeMemory>(&node->work);
        return freed && freed->pointer == pointer;
    });
}

Result add_free_node(Node** out, Graph* graph, Node* const* dependencies, size_t count, DevicePtr pointer) {
    const Result error =
        with_graph(graph, [&](State&, Graph& g) { return is_freed_in(g, pointer) ? kInvalidValue : kSuccess; });
    return error ? error : add(out, graph, dependencies, count, FreeMemory{pointer});
}

// Replaces the work of a step with work of the same kind.
Result replace_work(GraphExec* exec, const Node* node, const Work& work) {
    return with_context([&](State& s, Context& context) {
        if (!s.execs.has(exec)) return kInvalidValue;
        const auto step =
            std::find_if(exec->steps.begin(), exec->steps.end(), [&](const Step& st) { return st.node == node; });
        if (step == exec->steps.end() || step->work.index() != work.index()) return kInvalidValue;
        if (is_memory_work(work)) return kNotSupported;
        if (Result error = check_work(s, context, work)) return error;
        step->work = work;
        return kSuccess;
    });
}

Result replace_work(Node* node, const Work& work) {
    return with_context([&](State& s, Context& context) {
        if (!s.nodes.has(node) || node->work.index() != work.index()) return kInvalidValue;
        if (is_memory_work(work)) return kNotSupported;
        if (Result error = check_work(s, context, work)) return error;
        node->work = work;
        return kSuccess;
    });
}

template <typename Kind, typename Value, typename Convert>
Result get_work(Node* node, Value* out, Convert convert) {
    return with_node(node, [&](State&, Node& n) {
        const auto* work = std::get_if<Kind>(&n.work);
        return work ? set_output(out, convert(*work)) : kInvalidValue;
    });
}

Launch launch_of(const KernelNodeParamsV1& params) {
    Launch launch{};
    static_cast<KernelNodeParamsV1&>(launch.params) = params;
    return launch;
}

// Converts CUgraphNodeParams to work. Returns kNotSupported for kinds that are not simulated.
Result work_of(const NodeParams& params, Work& work) {
    switch (params.type) {
        case kKernelNode: work = Launch{params.kernel}; return kSuccess;
        case kCopyNode: {
            Copy copy;
            if (Result error = resolve(params.copy.copy, copy)) return error;
            work = copy;
            return kSuccess;
        }
        case kMemsetNode: {
            Fill fill;
            if (Result error = resolve(params.memset, fill)) return error;
            work = fill;
            return kSuccess;
        }
        case kHostNode: work = HostCall{params.host.function, params.host.user_data}; return kSuccess;
        case kChildNode: work = ChildGraph{params.child}; return kSuccess;
        case kEmptyNode: work = NoWork{}; return kSuccess;
        case kWaitNode: work = WaitEvent{params.event}; return kSuccess;
        case kRecordNode: work = RecordEvent{params.event}; return kSuccess;
        case kAllocationNode: work = AllocateMemory{}; return kSuccess;
        case kFreeNode: work = FreeMemory{params.freed}; return kSuccess;
    }
    return kNotSupported;
}

bool drop_references(State& s, UserObject& object, unsigned count) {
    object.references -= std::min(count, object.references);
    const bool last = !object.references;
    if (last) s.user_objects.remove(&object);
    return last;
}

// Runs the destructors of user objects after the lock has been released.
struct DeferredDestructors {
    std::vector<HostCall> calls;
    ~DeferredDestructors() {
        for (const HostCall& call : calls) call.function(call.user_data);
    }
};

void release_user_object(State& s, UserObject& object, unsigned count, DeferredDestructors& deferred) {
    const HostCall destroy{object.destroy, object.pointer};
    if (drop_references(s, object, count)) deferred.calls.push_back(destroy);
}

}  // namespace

Node& add_node(State& s, Graph& graph, Work work, std::vector<Node*> dependencies) {
    if (const auto* child = std::get_if<ChildGraph>(&work)) {
        Graph& own = clone(s, *child->graph);
        own.is_child = true;
        work = ChildGraph{&own};
    }
    Node* node = s.nodes.add(new Node{&graph, work, std::move(dependencies)});
    graph.nodes.push_back(node);
    return *node;
}

void destroy_graph(State& s, Graph& graph) {
    for (Node* node : graph.nodes) {
        if (const auto* child = std::get_if<ChildGraph>(&node->work)) destroy_graph(s, *child->graph);
        if (const auto* allocation = std::get_if<AllocateMemory>(&node->work)) {
            drop_graph_memory(s, allocation->pointer);
        }
        s.nodes.remove(node);
    }
    s.graphs.remove(&graph);
}

Result capture_allocation(State& s, Stream& stream, const Pool& pool, size_t bytes, DevicePtr* out) {
    if (!out || !bytes) return kInvalidValue;
    if (stream.capture->invalid) return kStreamCaptureInvalidated;
    AllocateMemory work{0, bytes, pool.properties, {}};
    if (Result error = reserve_graph_memory(s, pool.device, bytes, work.pointer)) return error;
    stream.tail = {&add_node(s, *stream.capture->graph, work, stream.tail)};
    return set_output(out, work.pointer);
}

Result capture_free(State& s, Stream& stream, DevicePtr pointer) {
    if (stream.capture->invalid) return kStreamCaptureInvalidated;
    const auto found = s.blocks.find(pointer);
    if (found == s.blocks.end() || !found->second.is_graph_memory || is_freed_in(*stream.capture->graph, pointer)) {
        return kInvalidValue;
    }
    stream.tail = {&add_node(s, *stream.capture->graph, FreeMemory{pointer}, stream.tail)};
    return kSuccess;
}

SIM_API Result cuGraphCreate(Graph** out, unsigned flags) {
    return with_driver([&](State& s) {
        if (!out || flags) return kInvalidValue;
        return set_output(out, s.graphs.add(new Graph{s.next_id++}));
    });
}

SIM_API Result cuGraphDestroy(Graph* graph) {
    DeferredDestructors deferred;
    return with_graph(graph, [&](State& s, Graph& g) {
        if (g.is_child) return kInvalidValue;
        for (auto& [object, count] : g.user_objects) release_user_object(s, *object, count, deferred);
        destroy_graph(s, g);
        return kSuccess;
    });
}

SIM_API Result cuGraphClone(Graph** out, Graph* graph) {
    return with_graph(graph, [&](State& s, Graph& g) {
        if (!out) return kInvalidValue;
        return has_memory_nodes(g) ? kNotSupported : set_output(out, &clone(s, g));
    });
}

SIM_API Result cuGraphGetId(Graph* graph, unsigned* id) {
    return with_graph(graph, [&](State&, Graph& g) { return set_output(id, g.id); });
}

SIM_API Result cuGraphGetNodes(Graph* graph, Node** nodes, size_t* count) {
    return with_graph(graph, [&](State&, Graph& g) { return list_nodes(g.nodes, nodes, count); });
}

SIM_API Result cuGraphGetRootNodes(Graph* graph, Node** nodes, size_t* count) {
    return with_graph(graph, [&](State&, Graph& g) {
        std::vector<Node*> roots;
        std::copy_if(g.nodes.begin(), g.nodes.end(), std::back_inserter(roots),
                     [](const Node* node) { return node->dependencies.empty(); });
        return list_nodes(roots, nodes, count);
    });
}

SIM_API Result cuGraphGetEdges_v2(Graph* graph, Node** from, Node** to, EdgeData* edges, size_t* count) {
    return with_graph(graph, [&](State&, Graph& g) {
        if (!count || !from != !to) return kInvalidValue;
        std::vector<Node*> sources, targets;
        for (Node* node : g.nodes) {
            for (Node* dependency : node->dependencies) {
                sources.push_back(dependency);
                targets.push_back(node);
            }
        }
        clear_edges(from ? edges : nullptr, count);
        size_t capacity = *count;
        if (Result error = list_nodes(sources, from, &capacity)) return error;
        return list_nodes(targets, to, count);
    });
}
SIM_ALIAS(cuGraphGetEdges, cuGraphGetEdges_v2, (Graph * graph, Node** from, Node** to, size_t* count),
          (graph, from, to, nullptr, count))

SIM_API Result cuGraphNodeGetDependencies_v2(Node* node, Node** nodes, EdgeData* edges, size_t* count) {
    return with_node(node, [&](State&, Node& n) {
        clear_edges(nodes ? edges : nullptr, count);
        return list_nodes(n.dependencies, nodes, count);
    });
}
SIM_ALIAS(cuGraphNodeGetDependencies, cuGraphNodeGetDependencies_v2, (Node * node, Node** nodes, size_t* count),
          (node, nodes, nullptr, count))

SIM_API Result cuGraphNodeGetDependentNodes_v2(Node* node, Node** nodes, EdgeData* edges, size_t* count) {
    return with_node(node, [&](State&, Node& n) {
        clear_edges(nodes ? edges : nullptr, count);
        return list_nodes(dependents(n), nodes, count);
    });
}
SIM_ALIAS(cuGraphNodeGetDependentNodes, cuGraphNodeGetDependentNodes_v2, (Node * node, Node** nodes, size_t* count),
          (node, nodes, nullptr, count))

SIM_API Result cuGraphAddDependencies(Graph* graph, Node* const* from, Node* const* to, size_t count) {
    return with_graph(graph, [&](State& s, Graph& g) {
        if (!is_dependency_list(s, g, from, count) || !is_dependency_list(s, g, to, count)) return kInvalidValue;
        for (size_t i = 0; i < count; ++i) {
            auto& needs = to[i]->dependencies;
            if (std::count(needs.begin(), needs.end(), from[i])) return kInvalidValue;
            needs.push_back(from[i]);
        }
        return kSuccess;
    });
}
SIM_ALIAS(cuGraphAddDependencies_v2, cuGraphAddDependencies,
          (Graph * graph, Node* const* from, Node* const* to, const EdgeData*, size_t count), (graph, from, to, count))

SIM_API Result cuGraphRemoveDependencies(Graph* graph, Node* const* from, Node* const* to, size_t count) {
    return with_graph(graph, [&](State& s, Graph& g) {
        if (!is_dependency_list(s, g, from, count) || !is_dependency_list(s, g, to, count)) return kInvalidValue;
        if (has_memory_nodes(g)) return kNotSupported;
        for (size_t i = 0; i < count; ++i) {
            if (!std::erase(to[i]->dependencies, from[i])) return kInvalidValue;
        }
        return kSuccess;
    });
}
SIM_ALIAS(cuGraphRemoveDependencies_v2, cuGraphRemoveDependencies,
          (Graph * graph, Node* const* from, Node* const* to, const EdgeData*, size_t count), (graph, from, to, count))

SIM_API Result cuGraphNodeGetType(Node* node, int* type) {
    return with_node(node, [&](State&, Node& n) { return set_output(type, node_type(n.work)); });
}

SIM_API Result cuGraphNodeGetContainingGraph(Node* node, Graph** graph) {
    return with_node(node, [&](State&, Node& n) { return set_output(graph, n.graph); });
}

SIM_API Result cuGraphNodeFindInClone(Node** out, Node* original, Graph* graph) {
    return with_graph(graph, [&](State&, Graph& g) {
        const auto found = std::find_if(g.nodes.begin(), g.nodes.end(),
                                        [&](const Node* node) { return original && node->original == original; });
        return found == g.nodes.end() ? kInvalidValue : set_output(out, *found);
    });
}

SIM_API Result cuGraphDestroyNode(Node* node) {
    return with_node(node, [](State& s, Node& n) {
        if (has_memory_nodes(*n.graph)) return kNotSupported;
        for (Node* other : n.graph->nodes) std::erase(other->dependencies, &n);
        std::erase(n.graph->nodes, &n);
        if (const auto* child = std::get_if<ChildGraph>(&n.work)) destroy_graph(s, *child->graph);
        s.nodes.remove(&n);
        return kSuccess;
    });
}

SIM_API Result cuGraphAddNode_v2(Node** out, Graph* graph, Node* const* dependencies, const EdgeData*, size_t count,
                                 NodeParams* params) {
    Work work;
    if (!params) return kInvalidValue;
    if (params->type == kAllocationNode)
        return add_allocation_node(out, graph, dependencies, count, &params->allocation);
    if (params->type == kFreeNode) return add_free_node(out, graph, dependencies, count, params->freed);
    if (Result error = work_of(*params, work)) return error;
    return add(out, graph, dependencies, count, work);
}
SIM_ALIAS(cuGraphAddNode, cuGraphAddNode_v2,
          (Node * *out, Graph* graph, Node* const* dependencies, size_t count, NodeParams* params),
          (out, graph, dependencies, nullptr, count, params))

SIM_API Result cuGraphNodeSetParams(Node* node, NodeParams* params) {
    Work work;
    if (!params) return kInvalidValue;
    if (Result error = work_of(*params, work)) return error;
    return replace_work(node, work);
}

SIM_API Result cuGraphExecNodeSetParams(GraphExec* exec, Node* node, NodeParams* params) {
    Work work;
    if (!params) return kInvalidValue;
    if (Result error = work_of(*params, work)) return error;
    return replace_work(exec, node, work);
}

SIM_API Result cuGraphAddEmptyNode(Node** out, Graph* graph, Node* const* dependencies, size_t count) {
    return add(out, graph, dependencies, count, NoWork{});
}

SIM_API Result cuGraphAddKernelNode_v2(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                       const KernelNodeParams* params) {
    return params ? add(out, graph, dependencies, count, Launch{*params}) : kInvalidValue;
}

SIM_API Result cuGraphAddKernelNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                    const KernelNodeParamsV1* params) {
    return params ? add(out, graph, dependencies, count, launch_of(*params)) : kInvalidValue;
}

SIM_API Result cuGraphKernelNodeGetParams_v2(Node* node, KernelNodeParams* params) {
    return get_work<Launch>(node, params, [](const Launch& launch) { return launch.params; });
}

SIM_API Result cuGraphKernelNodeGetParams(Node* node, KernelNodeParamsV1* params) {
    return get_work<Launch>(node, params, [](const Launch& launch) { return KernelNodeParamsV1{launch.params}; });
}

SIM_API Result cuGraphKernelNodeSetParams_v2(Node* node, const KernelNodeParams* params) {
    return params ? replace_work(node, Launch{*params}) : kInvalidValue;
}

SIM_API Result cuGraphKernelNodeSetParams(Node* node, const KernelNodeParamsV1* params) {
    return params ? replace_work(node, launch_of(*params)) : kInvalidValue;
}

SIM_API Result cuGraphExecKernelNodeSetParams_v2(GraphExec* exec, Node* node, const KernelNodeParams* params) {
    return params ? replace_work(exec, node, Launch{*params}) : kInvalidValue;
}

SIM_API Result cuGraphExecKernelNodeSetParams(GraphExec* exec, Node* node, const KernelNodeParamsV1* params) {
    return params ? replace_work(exec, node, launch_of(*params)) : kInvalidValue;
}

SIM_API Result cuGraphAddMemcpyNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                    const Copy3D* copy, Context*) {
    Copy resolved;
    if (!copy) return kInvalidValue;
    if (Result error = resolve(*copy, resolved)) return error;
    return add(out, graph, dependencies, count, resolved);
}

SIM_API Result cuGraphMemcpyNodeGetParams(Node* node, Copy3D* params) { return get_work<Copy>(node, params, describe); }

SIM_API Result cuGraphMemcpyNodeSetParams(Node* node, const Copy3D* copy) {
    Copy resolved;
    if (!copy) return kInvalidValue;
    if (Result error = resolve(*copy, resolved)) return error;
    return replace_work(node, resolved);
}

SIM_API Result cuGraphExecMemcpyNodeSetParams(GraphExec* exec, Node* node, const Copy3D* copy, Context*) {
    Copy resolved;
    if (!copy) return kInvalidValue;
    if (Result error = resolve(*copy, resolved)) return error;
    return replace_work(exec, node, resolved);
}

SIM_API Result cuGraphAddMemsetNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                    const MemsetNodeParams* params, Context*) {
    Fill fill;
    if (!params) return kInvalidValue;
    if (Result error = resolve(*params, fill)) return error;
    return add(out, graph, dependencies, count, fill);
}

SIM_API Result cuGraphMemsetNodeGetParams(Node* node, MemsetNodeParams* params) {
    return get_work<Fill>(node, params, [](const Fill& f) {
        return MemsetNodeParams{reinterpret_cast<DevicePtr>(f.target), f.pitch, f.value, f.element, f.width, f.height};
    });
}

SIM_API Result cuGraphMemsetNodeSetParams(Node* node, const MemsetNodeParams* params) {
    Fill fill;
    if (!params) return kInvalidValue;
    if (Result error = resolve(*params, fill)) return error;
    return replace_work(node, fill);
}

SIM_API Result cuGraphExecMemsetNodeSetParams(GraphExec* exec, Node* node, const MemsetNodeParams* params, Context*) {
    Fill fill;
    if (!params) return kInvalidValue;
    if (Result error = resolve(*params, fill)) return error;
    return replace_work(exec, node, fill);
}

SIM_API Result cuGraphAddHostNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                  const HostNodeParams* params) {
    if (!params) return kInvalidValue;
    return add(out, graph, dependencies, count, HostCall{params->function, params->user_data});
}

SIM_API Result cuGraphHostNodeGetParams(Node* node, HostNodeParams* params) {
    return get_work<HostCall>(node, params, [](const HostCall& c) { return HostNodeParams{c.function, c.user_data}; });
}

SIM_API Result cuGraphHostNodeSetParams(Node* node, const HostNodeParams* params) {
    return params ? replace_work(node, HostCall{params->function, params->user_data}) : kInvalidValue;
}

SIM_API Result cuGraphExecHostNodeSetParams(GraphExec* exec, Node* node, const HostNodeParams* params) {
    return params ? replace_work(exec, node, HostCall{params->function, params->user_data}) : kInvalidValue;
}

SIM_API Result cuGraphAddChildGraphNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                        Graph* child) {
    return child == graph ? kInvalidValue : add(out, graph, dependencies, count, ChildGraph{child});
}

SIM_API Result cuGraphChildGraphNodeGetGraph(Node* node, Graph** child) {
    return get_work<ChildGraph>(node, child, [](const ChildGraph& c) { return c.graph; });
}

SIM_API Result cuGraphAddMemAllocNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                      AllocationNodeParams* params) {
    return add_allocation_node(out, graph, dependencies, count, params);
}

SIM_API Result cuGraphMemAllocNodeGetParams(Node* node, AllocationNodeParams* params) {
    return get_work<AllocateMemory>(node, params, [](const AllocateMemory& a) {
        return AllocationNodeParams{a.pool, a.access.data(), a.access.size(), a.bytes, a.pointer};
    });
}

SIM_API Result cuGraphAddMemFreeNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                     DevicePtr pointer) {
    return add_free_node(out, graph, dependencies, count, pointer);
}

SIM_API Result cuGraphMemFreeNodeGetParams(Node* node, DevicePtr* pointer) {
    return get_work<FreeMemory>(node, pointer, [](const FreeMemory& f) { return f.pointer; });
}

SIM_API Result cuGraphAddEventRecordNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                         Event* event) {
    return add(out, graph, dependencies, count, RecordEvent{event});
}

SIM_API Result cuGraphEventRecordNodeGetEvent(Node* node, Event** event) {
    return get_work<RecordEvent>(node, event, [](const RecordEvent& r) { return r.event; });
}

SIM_API Result cuGraphEventRecordNodeSetEvent(Node* node, Event* event) {
    return replace_work(node, RecordEvent{event});
}

SIM_API Result cuGraphAddEventWaitNode(Node** out, Graph* graph, Node* const* dependencies, size_t count,
                                       Event* event) {
    return add(out, graph, dependencies, count, WaitEvent{event});
}

SIM_API Result cuGraphEventWaitNodeGetEvent(Node* node, Event** event) {
    return get_work<WaitEvent>(node, event, [](const WaitEvent& w) { return w.event; });
}

SIM_API Result cuGraphEventWaitNodeSetEvent(Node* node, Event* event) { return replace_work(node, WaitEvent{event}); }

SIM_API Result cuGraphInstantiateWithFlags(GraphExec** exec, Graph* graph, uint64_t flags) {
    return instantiate(exec, graph, flags);
}

// The older variants also report the node that failed. In the simulated driver, no failure is specific to one node.
SIM_API Result cuGraphInstantiate_v2(GraphExec** exec, Graph* graph, Node** failed, char* log, size_t log_bytes) {
    if (failed) *failed = nullptr;
    if (log && log_bytes) *log = '\0';
    return instantiate(exec, graph, 0);
}
SIM_ALIAS(cuGraphInstantiate, cuGraphInstantiate_v2,
          (GraphExec * *exec, Graph* graph, Node** failed, char* log, size_t log_bytes),
          (exec, graph, failed, log, log_bytes))

SIM_API Result cuGraphInstantiateWithParams(GraphExec** exec, Graph* graph, InstantiateParams* params) {
    constexpr int kInstantiated = 0, kInstantiationFailed = 1;
    if (!params) return kInvalidValue;
    const Result error = instantiate(exec, graph, params->flags);
    params->failed_node = nullptr;
    params->result = error ? kInstantiationFailed : kInstantiated;
    return error;
}
SIM_PER_THREAD(cuGraphInstantiateWithParams, _ptsz, (GraphExec * *exec, Graph* graph, InstantiateParams* params),
               (exec, graph, params))

SIM_API Result cuGraphExecGetFlags(GraphExec* exec, uint64_t* flags) {
    return with_exec(exec, [&](State&, GraphExec& e) { return set_output(flags, e.flags); });
}

SIM_API Result cuGraphExecGetId(GraphExec* exec, unsigned* id) {
    return with_exec(exec, [&](State&, GraphExec& e) { return set_output(id, e.id); });
}

SIM_API Result cuGraphExecDestroy(GraphExec* exec) {
    DeferredDestructors deferred;
    return with_exec(exec, [&](State& s, GraphExec& e) {
        for (auto& [object, count] : e.user_objects) release_user_object(s, *object, count, deferred);
        for (const Step& step : e.steps) {
            if (const auto* allocation = std::get_if<AllocateMemory>(&step.work)) {
                drop_graph_memory(s, allocation->pointer);
            }
        }
        s.execs.remove(&e);
        return kSuccess;
    });
}

SIM_API Result cuGraphExecUpdate_v2(GraphExec* exec, Graph* graph, ExecUpdateResult* result) {
    constexpr int kUpdated = 0, kTopologyChanged = 2, kTypeChanged = 3, kUpdateNotSupported = 6;
    return with_exec(exec, [&](State& s, GraphExec& e) {
        std::vector<Step> steps;
        if (!result || !s.graphs.has(graph) || !flatten(*graph, steps)) return kInvalidValue;
        const bool same_kinds =
            std::equal(steps.begin(), steps.end(), e.steps.begin(), e.steps.end(),
                       [](const Step& a, const Step& b) { return a.work.index() == b.work.index(); });
        *result = {same_kinds                       ? kUpdated
                   : steps.size() == e.steps.size() ? kTypeChanged
                                                    : kTopologyChanged,
                   nullptr, nullptr};
        if (!same_kinds) return kGraphExecUpdateFailure;
        if (has_memory_nodes(*graph)) {
            result->result = kUpdateNotSupported;
            return kGraphExecUpdateFailure;
        }
        // Steps keep the nodes of the graph that was instantiated.
        for (size_t i = 0; i < steps.size(); ++i) e.steps[i].work = steps[i].work;
        return kSuccess;
    });
}

SIM_API Result cuGraphExecUpdate(GraphExec* exec, Graph* graph, Node** failed, int* result) {
    ExecUpdateResult update{};
    const Result error = cuGraphExecUpdate_v2(exec, graph, &update);
    if (failed) *failed = update.node;
    if (result) *result = update.result;
    return error;
}

SIM_API Result cuGraphNodeSetEnabled(GraphExec* exec, Node* node, unsigned enabled) {
    return with_exec(exec, [&](State&, GraphExec& e) {
        for (Step& step : e.steps) {
            if (step.node != node) continue;
            step.enabled = enabled != 0;
            return kSuccess;
        }
        return kInvalidValue;
    });
}

SIM_API Result cuGraphNodeGetEnabled(GraphExec* exec, Node* node, unsigned* enabled) {
    return with_exec(exec, [&](State&, GraphExec& e) {
        for (const Step& step : e.steps) {
            if (step.node == node) return set_output(enabled, step.enabled);
        }
        return kInvalidValue;
    });
}

SIM_API Result cuGraphUpload(GraphExec* exec, Stream* stream) {
    if (Result error = with_exec(exec, [](State&, GraphExec&) { return kSuccess; })) return error;
    return submit(stream, NoWork{});
}
SIM_PER_THREAD(cuGraphUpload, _ptsz, (GraphExec * exec, Stream* stream), (exec, own_stream(stream)))

SIM_API Result cuGraphLaunch(GraphExec* exec, Stream* handle) {
    constexpr uint64_t kAutoFreeOnLaunch = 1;
    std::vector<Step> steps;
    const Result error = with_context([&](State& s, Context& context) -> Result {
        Stream* stream = nullptr;
        if (!s.execs.has(exec)) return kInvalidValue;
        if (Result failure = resolve_stream(s, context, handle, stream)) return failure;
        if (stream->capture) return invalidate(*stream->capture, kStreamCaptureUnsupported);
        if (Result failure = check_legacy_use(s, *stream)) return failure;
        for (const Step& step : exec->steps) {
            if (!step.enabled) continue;
            if (Result failure = check_work(s, context, step.work)) return failure;
            steps.push_back(step);
        }
        return prepare_graph_memory(s, steps, exec->flags & kAutoFreeOnLaunch);
    });
    if (error) return error;
    for (const Step& step : steps) run(step.work);
    return kSuccess;
}
SIM_PER_THREAD(cuGraphLaunch, _ptsz, (GraphExec * exec, Stream* stream), (exec, own_stream(stream)))

SIM_API Result cuGraphDebugDotPrint(Graph* graph, const char* path, unsigned) {
    return with_graph(graph, [&](State&, Graph& g) {
        std::FILE* file = path ? std::fopen(path, "w") : nullptr;
        if (!file) return path ? kOperatingSystem : kInvalidValue;
        std::fputs("digraph dot {\n", file);
        for (const Node* node : g.nodes) {
            std::fprintf(file, "  \"%p\" [label=\"type %d\"];\n", static_cast<const void*>(node),
                         node_type(node->work));
            for (const Node* from : node->dependencies) {
                std::fprintf(file, "  \"%p\" -> \"%p\";\n", static_cast<const void*>(from),
                             static_cast<const void*>(node));
            }
        }
        std::fputs("}\n", file);
        return std::fclose(file) ? kOperatingSystem : kSuccess;
    });
}

SIM_API Result cuUserObjectCreate(UserObject** out, void* pointer, HostFunction destroy, unsigned references,
                                  unsigned flags) {
    constexpr unsigned kNoDestructorSync = 1;
    return with_driver([&](State& s) {
        if (!out || !destroy || !references || flags != kNoDestructorSync) return kInvalidValue;
        return set_output(out, s.user_objects.add(new UserObject{pointer, destroy, references}));
    });
}

SIM_API Result cuUserObjectRetain(UserObject* object, unsigned count) {
    return with_driver([&](State& s) {
        if (!s.user_objects.has(object) || !count) return kInvalidValue;
        object->references += count;
        return kSuccess;
    });
}

SIM_API Result cuUserObjectRelease(UserObject* object, unsigned count) {
    DeferredDestructors deferred;
    return with_driver([&](State& s) {
        if (!s.user_objects.has(object) || !count) return kInvalidValue;
        release_user_object(s, *object, count, deferred);
        return kSuccess;
    });
}

SIM_API Result cuGraphRetainUserObject(Graph* graph, UserObject* object, unsigned count, unsigned flags) {
    constexpr unsigned kMove = 1;  // the caller's references become the graph's
    return with_graph(graph, [&](State& s, Graph& g) {
        if (!s.user_objects.has(object) || !count || flags > kMove) return kInvalidValue;
        if (!(flags & kMove)) object->references += count;
        g.user_objects[object] += count;
        return kSuccess;
    });
}

SIM_API Result cuGraphReleaseUserObject(Graph* graph, UserObject* object, unsigned count) {
    DeferredDestructors deferred;
    return with_graph(graph, [&](State& s, Graph& g) {
        const auto found = g.user_objects.find(object);
        if (found == g.user_objects.end() || found->second < count) return kInvalidValue;
        found->second -= count;
        if (!found->second) g.user_objects.erase(found);
        release_user_object(s, *object, count, deferred);
        return kSuccess;
    });
}

}  // namespace cudafault::sim
