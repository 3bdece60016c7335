// SPDX-License-Identifier: Apache-2.0
// Implements graphs and stream capture. CUDA 12.3 added edge data in functions with _v2 names; in CUDA 13 the plain
// names have it too. Each plain name below has the parameters of its release.
#include "simgpu/cudart/copy.hpp"
#include "simgpu/cudart/registry.hpp"
#include "simgpu/cudart/runtime.hpp"

namespace cudafault::cudart {
namespace {

// Converts node parameters to the driver's, which contain the driver's kernel handle and a context.
Error to_driver(const KernelNodeParams& params, DriverKernelNodeParams& result) {
    Kernel kernel = nullptr;
    if (Error error = find_kernel(params.function, kernel)) return error;
    result = {};
    result.grid = params.grid;
    result.block = params.block;
    result.shared_bytes = params.shared_bytes;
    result.arguments = params.arguments;
    result.extra = params.extra;
    result.kernel = kernel;
    return call(&Driver::cuCtxGetCurrent, &result.context);
}

Error add_node(GraphNode* node, Graph graph, const GraphNode* dependencies, const void* edges, size_t count,
               GraphNodeParams* params) {
    if (!params) return kInvalidValue;
    if (Error error = enter_context()) return error;
    if (params->type == kCopyNode || params->type == kMemsetNode) return kNotSupported;
    if (params->type != kKernelNode)
        return call(&Driver::cuGraphAddNode, node, graph, dependencies, edges, count, params);
    GraphNodeParams translated = *params;
    if (Error error = to_driver(params->kernel, translated.driver_kernel)) return error;
    return call(&Driver::cuGraphAddNode, node, graph, dependencies, edges, count, &translated);
}

Error capture_info(Stream stream, int* status, uint64_t* id, Graph* graph, const GraphNode** dependencies,
                   const void** edges, size_t* count) {
    return in_context(&Driver::cuStreamGetCaptureInfo, stream, status, id, graph, dependencies, edges, count);
}

Error update_dependencies(Stream stream, GraphNode* dependencies, const void* edges, size_t count, unsigned flags) {
    return in_context(&Driver::cuStreamUpdateCaptureDependencies, stream, dependencies, edges, count, flags);
}

}  // namespace

CUDART_API Error cudaStreamBeginCapture(Stream stream, int mode) {
    return in_context(&Driver::cuStreamBeginCapture, stream, mode);
}
CUDART_PER_THREAD(cudaStreamBeginCapture, _ptsz, (Stream stream, int mode), (own_stream(stream), mode))

CUDART_API Error cudaStreamBeginCaptureToGraph(Stream stream, Graph graph, const GraphNode* dependencies,
                                               const void* edges, size_t count, int mode) {
    return in_context(&Driver::cuStreamBeginCaptureToGraph, stream, graph, dependencies, edges, count, mode);
}
CUDART_PER_THREAD(cudaStreamBeginCaptureToGraph, _ptsz,
                  (Stream stream, Graph graph, const GraphNode* dependencies, const void* edges, size_t count,
                   int mode),
                  (own_stream(stream), graph, dependencies, edges, count, mode))

CUDART_API Error cudaStreamEndCapture(Stream stream, Graph* graph) {
    return in_context(&Driver::cuStreamEndCapture, stream, graph);
}
CUDART_PER_THREAD(cudaStreamEndCapture, _ptsz, (Stream stream, Graph* graph), (own_stream(stream), graph))

CUDART_API Error cudaStreamIsCapturing(Stream stream, int* status) {
    return in_context(&Driver::cuStreamIsCapturing, stream, status);
}
CUDART_PER_THREAD(cudaStreamIsCapturing, _ptsz, (Stream stream, int* status), (own_stream(stream), status))

CUDART_API Error cudaThreadExchangeStreamCaptureMode(int* mode) {
    return with_driver(&Driver::cuThreadExchangeStreamCaptureMode, mode);
}

CUDART_API Error cudaStreamGetCaptureInfo_v2(Stream stream, int* status, uint64_t* id, Graph* graph,
                                             const GraphNode** dependencies, size_t* count) {
    return capture_info(stream, status, id, graph, dependencies, nullptr, count);
}
CUDART_PER_THREAD(cudaStreamGetCaptureInfo_v2, _ptsz,
                  (Stream stream, int* status, uint64_t* id, Graph* graph, const GraphNode** dependencies,
                   size_t* count),
                  (own_stream(stream), status, id, graph, dependencies, count))

CUDART_API Error cudaStreamGetCaptureInfo_v3(Stream stream, int* status, uint64_t* id, Graph* graph,
                                             const GraphNode** dependencies, const void** edges, size_t* count) {
    return capture_info(stream, status, id, graph, dependencies, edges, count);
}
CUDART_PER_THREAD(cudaStreamGetCaptureInfo_v3, _ptsz,
                  (Stream stream, int* status, uint64_t* id, Graph* graph, const GraphNode** dependencies,
                   const void** edges, size_t* count),
                  (own_stream(stream), status, id, graph, dependencies, edges, count))

CUDART_API Error cudaStreamUpdateCaptureDependencies_v2(Stream stream, GraphNode* dependencies, const void* edges,
                                                        size_t count, unsigned flags) {
    return update_dependencies(stream, dependencies, edges, count, flags);
}
CUDART_PER_THREAD(cudaStreamUpdateCaptureDependencies_v2, _ptsz,
                  (Stream stream, GraphNode* dependencies, const void* edges, size_t count, unsigned flags),
                  (own_stream(stream), dependencies, edges, count, flags))

CUDART_API Error cudaGraphGetEdges_v2(Graph graph, GraphNode* from, GraphNode* to, void* edges, size_t* count) {
    return in_context(&Driver::cuGraphGetEdges, graph, from, to, edges, count);
}

CUDART_API Error cudaGraphNodeGetDependencies_v2(GraphNode node, GraphNode* nodes, void* edges, size_t* count) {
    return in_context(&Driver::cuGraphNodeGetDependencies, node, nodes, edges, count);
}

CUDART_API Error cudaGraphNodeGetDependentNodes_v2(GraphNode node, GraphNode* nodes, void* edges, size_t* count) {
    return in_context(&Driver::cuGraphNodeGetDependentNodes, node, nodes, edges, count);
}

CUDART_API Error cudaGraphAddDependencies_v2(Graph graph, const GraphNode* from, const GraphNode* to, const void* edges,
                                             size_t count) {
    return in_context(&Driver::cuGraphAddDependencies, graph, from, to, edges, count);
}

CUDART_API Error cudaGraphRemoveDependencies_v2(Graph graph, const GraphNode* from, const GraphNode* to,
                                                const void* edges, size_t count) {
    return in_context(&Driver::cuGraphRemoveDependencies, graph, from, to, edges, count);
}

CUDART_API Error cudaGraphAddNode_v2(GraphNode* node, Graph graph, const GraphNode* dependencies, const void* edges,
                                     size_t count, GraphNodeParams* params) {
    return record(add_node(node, graph, dependencies, edges, count, params));
}

#if CUDART_MAJOR >= 13
CUDART_API Error cudaStreamGetCaptureInfo(Stream stream, int* status, uint64_t* id, Graph* graph,
                                          const GraphNode** dependencies, const void** edges, size_t* count) {
    return capture_info(stream, status, id, graph, dependencies, edges, count);
}
CUDART_PER_THREAD(cudaStreamGetCaptureInfo, _ptsz,
                  (Stream stream, int* status, uint64_t* id, Graph* graph, const GraphNode** dependencies,
                   const void** edges, size_t* count),
                  (own_stream(stream), status, id, graph, dependencies, edges, count))

CUDART_API Error cudaStreamUpdateCaptureDependencies(Stream stream, GraphNode* dependencies, const void* edges,
                                                     size_t count, unsigned flags) {
    return update_dependencies(stream, dependencies, edges, count, flags);
}
CUDART_PER_THREAD(cudaStreamUpdateCaptureDependencies, _ptsz,
                  (Stream stream, GraphNode* dependencies, const void* edges, size_t count, unsigned flags),
                  (own_stream(stream), dependencies, edges, count, flags))

CUDART_API Error cudaGraphGetEdges(Graph graph, GraphNode* from, GraphNode* to, void* edges, size_t* count) {
    return cudaGraphGetEdges_v2(graph, from, to, edges, count);
}

CUDART_API Error cudaGraphNodeGetDependencies(GraphNode node, GraphNode* nodes, void* edges, size_t* count) {
    return cudaGraphNodeGetDependencies_v2(node, nodes, edges, count);
}

CUDART_API Error cudaGraphNodeGetDependentNodes(GraphNode node, GraphNode* nodes, void* edges, size_t* count) {
    return cudaGraphNodeGetDependentNodes_v2(node, nodes, edges, count);
}

CUDART_API Error cudaGraphAddDependencies(Graph graph, const GraphNode* from, const GraphNode* to, const void* edges,
                                          size_t count) {
    return cudaGraphAddDependencies_v2(graph, from, to, edges, count);
}

CUDART_API Error cudaGraphRemoveDependencies(Graph graph, const GraphNode* from, const GraphNode* to, const void* edges,
                                             size_t count) {
    return cudaGraphRemoveDependencies_v2(graph, from, to, edges, count);
}

CUDART_API Error cudaGraphAddNode(GraphNode* node, Graph graph, const GraphNode* dependencies, const void* edges,
                                  size_t count, GraphNodeParams* params) {
    return cudaGraphAddNode_v2(node, graph, dependencies, edges, count, params);
}
#else
CUDART_API Error cudaStreamGetCaptureInfo(Stream stream, int* status, uint64_t* id) {
    return capture_info(stream, status, id, nullptr, nullptr, nullptr, nullptr);
}
CUDART_PER_THREAD(cudaStreamGetCaptureInfo, _ptsz, (Stream stream, int* status, uint64_t* id),
                  (own_stream(stream), status, id))

CUDART_API Error cudaStreamUpdateCaptureDependencies(Stream stream, GraphNode* dependencies, size_t count,
                                                     unsigned flags) {
    return update_dependencies(stream, dependencies, nullptr, count, flags);
}
CUDART_PER_THREAD(cudaStreamUpdateCaptureDependencies, _ptsz,
                  (Stream stream, GraphNode* dependencies, size_t count, unsigned flags),
                  (own_stream(stream), dependencies, count, flags))

CUDART_API Error cudaGraphGetEdges(Graph graph, GraphNode* from, GraphNode* to, size_t* count) {
    return cudaGraphGetEdges_v2(graph, from, to, nullptr, count);
}

CUDART_API Error cudaGraphNodeGetDependencies(GraphNode node, GraphNode* nodes, size_t* count) {
    return cudaGraphNodeGetDependencies_v2(node, nodes, nullptr, count);
}

CUDART_API Error cudaGraphNodeGetDependentNodes(GraphNode node, GraphNode* nodes, size_t* count) {
    return cudaGraphNodeGetDependentNodes_v2(node, nodes, nullptr, count);
}

CUDART_API Error cudaGraphAddDependencies(Graph graph, const GraphNode* from, const GraphNode* to, size_t count) {
    return cudaGraphAddDependencies_v2(graph, from, to, nullptr, count);
}

CUDART_API Error cudaGraphRemoveDependencies(Graph graph, const GraphNode* from, const GraphNode* to, size_t count) {
    return cudaGraphRemoveDependencies_v2(graph, from, to, nullptr, count);
}

CUDART_API Error cudaGraphAddNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                  GraphNodeParams* params) {
    return cudaGraphAddNode_v2(node, graph, dependencies, nullptr, count, params);
}
#endif

CUDART_API Error cudaGraphCreate(Graph* graph, unsigned flags) {
    return in_context(&Driver::cuGraphCreate, graph, flags);
}
CUDART_API Error cudaGraphDestroy(Graph graph) { return in_context(&Driver::cuGraphDestroy, graph); }
CUDART_API Error cudaGraphClone(Graph* clone, Graph graph) { return in_context(&Driver::cuGraphClone, clone, graph); }

CUDART_API Error cudaGraphGetNodes(Graph graph, GraphNode* nodes, size_t* count) {
    return in_context(&Driver::cuGraphGetNodes, graph, nodes, count);
}

CUDART_API Error cudaGraphGetRootNodes(Graph graph, GraphNode* nodes, size_t* count) {
    return in_context(&Driver::cuGraphGetRootNodes, graph, nodes, count);
}

CUDART_API Error cudaGraphNodeGetType(GraphNode node, int* type) {
    return in_context(&Driver::cuGraphNodeGetType, node, type);
}

CUDART_API Error cudaGraphDestroyNode(GraphNode node) { return in_context(&Driver::cuGraphDestroyNode, node); }

CUDART_API Error cudaGraphAddKernelNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                        const KernelNodeParams* params) {
    DriverKernelNodeParams translated;
    Error error = params ? enter_context() : kInvalidValue;
    if (!error) error = to_driver(*params, translated);
    if (!error) error = call(&Driver::cuGraphAddKernelNode, node, graph, dependencies, count, &translated);
    return record(error);
}

CUDART_API Error cudaGraphAddMemcpyNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                        const RuntimeCopy3D* copy) {
    DriverCopy3D translated;
    Context context = nullptr;
    Error error = copy ? translate(*copy, translated) : kInvalidValue;
    if (!error) error = enter_context();
    if (!error) error = call(&Driver::cuCtxGetCurrent, &context);
    if (!error) error = call(&Driver::cuGraphAddMemcpyNode, node, graph, dependencies, count, &translated, context);
    return record(error);
}

CUDART_API Error cudaGraphAddMemcpyNode1D(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                          void* target, const void* source, size_t bytes, CopyKind kind) {
    RuntimeCopy3D copy{};
    copy.source = {const_cast<void*>(source), bytes, bytes, 1};
    copy.target = {target, bytes, bytes, 1};
    copy.extent = {bytes, 1, 1};
    copy.kind = kind;
    return cudaGraphAddMemcpyNode(node, graph, dependencies, count, &copy);
}

CUDART_API Error cudaGraphAddMemsetNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                        const MemsetNodeParams* params) {
    Context context = nullptr;
    Error error = enter_context();
    if (!error) error = call(&Driver::cuCtxGetCurrent, &context);
    if (!error) error = call(&Driver::cuGraphAddMemsetNode, node, graph, dependencies, count, params, context);
    return record(error);
}

CUDART_API Error cudaGraphAddHostNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                      const HostNodeParams* params) {
    return in_context(&Driver::cuGraphAddHostNode, node, graph, dependencies, count, params);
}

CUDART_API Error cudaGraphAddChildGraphNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                            Graph child) {
    return in_context(&Driver::cuGraphAddChildGraphNode, node, graph, dependencies, count, child);
}

CUDART_API Error cudaGraphAddEmptyNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count) {
    return in_context(&Driver::cuGraphAddEmptyNode, node, graph, dependencies, count);
}

// The parameters of an allocation node have the same layout in the runtime and the driver.
CUDART_API Error cudaGraphAddMemAllocNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                          void* params) {
    return in_context(&Driver::cuGraphAddMemAllocNode, node, graph, dependencies, count, params);
}

CUDART_API Error cudaGraphMemAllocNodeGetParams(GraphNode node, void* params) {
    return in_context(&Driver::cuGraphMemAllocNodeGetParams, node, params);
}

CUDART_API Error cudaGraphAddMemFreeNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                         void* pointer) {
    return in_context(&Driver::cuGraphAddMemFreeNode, node, graph, dependencies, count, pointer);
}

CUDART_API Error cudaGraphMemFreeNodeGetParams(GraphNode node, void* pointer) {
    return in_context(&Driver::cuGraphMemFreeNodeGetParams, node, pointer);
}

CUDART_API Error cudaGraphAddEventRecordNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                             Event event) {
    return in_context(&Driver::cuGraphAddEventRecordNode, node, graph, dependencies, count, event);
}

CUDART_API Error cudaGraphAddEventWaitNode(GraphNode* node, Graph graph, const GraphNode* dependencies, size_t count,
                                           Event event) {
    return in_context(&Driver::cuGraphAddEventWaitNode, node, graph, dependencies, count, event);
}

CUDART_API Error cudaGraphConditionalHandleCreate(uint64_t* handle, Graph graph, unsigned initial, unsigned flags) {
    Context context = nullptr;
    Error error = enter_context();
    if (!error) error = call(&Driver::cuCtxGetCurrent, &context);
    if (!error) error = call(&Driver::cuGraphConditionalHandleCreate, handle, graph, context, initial, flags);
    return record(error);
}

CUDART_API Error cudaGraphInstantiateWithFlags(GraphExec* exec, Graph graph, uint64_t flags) {
    return in_context(&Driver::cuGraphInstantiateWithFlags, exec, graph, flags);
}

// CUDA 11 also reports the node that failed. In the simulated driver, no failure is specific to one node.
#if CUDART_MAJOR >= 12
CUDART_API Error cudaGraphInstantiate(GraphExec* exec, Graph graph, uint64_t flags) {
    return cudaGraphInstantiateWithFlags(exec, graph, flags);
}
#else
CUDART_API Error cudaGraphInstantiate(GraphExec* exec, Graph graph, GraphNode* failed, char* log, size_t log_size) {
    if (failed) *failed = nullptr;
    if (log && log_size) *log = '\0';
    return cudaGraphInstantiateWithFlags(exec, graph, 0);
}
#endif

CUDART_API Error cudaGraphInstantiateWithParams(GraphExec* exec, Graph graph, void* params) {
    return in_context(&Driver::cuGraphInstantiateWithParams, exec, graph, params);
}
CUDART_PER_THREAD(cudaGraphInstantiateWithParams, _ptsz, (GraphExec * exec, Graph graph, void* params),
                  (exec, graph, params))

#if CUDART_MAJOR >= 12
CUDART_API Error cudaGraphExecUpdate(GraphExec exec, Graph graph, void* result) {
    return in_context(&Driver::cuGraphExecUpdate, exec, graph, result);
}
#endif

CUDART_API Error cudaGraphExecGetFlags(GraphExec exec, uint64_t* flags) {
    return in_context(&Driver::cuGraphExecGetFlags, exec, flags);
}

CUDART_API Error cudaGraphExecDestroy(GraphExec exec) { return in_context(&Driver::cuGraphExecDestroy, exec); }

CUDART_API Error cudaGraphUpload(GraphExec exec, Stream stream) {
    return in_context(&Driver::cuGraphUpload, exec, stream);
}
CUDART_PER_THREAD(cudaGraphUpload, _ptsz, (GraphExec exec, Stream stream), (exec, own_stream(stream)))

CUDART_API Error cudaGraphLaunch(GraphExec exec, Stream stream) {
    return in_context(&Driver::cuGraphLaunch, exec, stream);
}
CUDART_PER_THREAD(cudaGraphLaunch, _ptsz, (GraphExec exec, Stream stream), (exec, own_stream(stream)))

CUDART_API Error cudaGraphDebugDotPrint(Graph graph, const char* path, unsigned flags) {
    return in_context(&Driver::cuGraphDebugDotPrint, graph, path, flags);
}

CUDART_API Error cudaGraphRetainUserObject(Graph graph, UserObject object, unsigned count, unsigned flags) {
    return in_context(&Driver::cuGraphRetainUserObject, graph, object, count, flags);
}

CUDART_API Error cudaGraphReleaseUserObject(Graph graph, UserObject object, unsigned count) {
    return in_context(&Driver::cuGraphReleaseUserObject, graph, object, count);
}

CUDART_API Error cudaUserObjectCreate(UserObject* object, void* pointer, HostFunction destroy, unsigned references,
                                      unsigned flags) {
    return in_context(&Driver::cuUserObjectCreate, object, pointer, destroy, references, flags);
}

CUDART_API Error cudaUserObjectRetain(UserObject object, unsigned count) {
    return in_context(&Driver::cuUserObjectRetain, object, count);
}

CUDART_API Error cudaUserObjectRelease(UserObject object, unsigned count) {
    return in_context(&Driver::cuUserObjectRelease, object, count);
}

}  // namespace cudafault::cudart
