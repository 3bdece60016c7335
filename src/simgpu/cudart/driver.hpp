// SPDX-License-Identifier: Apache-2.0
// Declares the driver functions that the simulated runtime calls. As in the real runtime, they are looked up in
// libcuda.so.1 with one dlsym of cuGetProcAddress_v2 and one query for each function.
#pragma once

#include "simgpu/cudart/types.hpp"

// X(name, requested ABI version, parameters) for every driver function that the runtime calls.
#define CUDAFAULT_DRIVER_FUNCTIONS(X)                                                                                 \
    X(cuInit, 2000, (unsigned flags))                                                                                 \
    X(cuDriverGetVersion, 2020, (int* version))                                                                       \
    X(cuGetProcAddress, 12000, (const char* symbol, void** function, int version, uint64_t flags, int* status))       \
    X(cuProfilerStart, 4000, ())                                                                                      \
    X(cuProfilerStop, 4000, ())                                                                                       \
                                                                                                                      \
    X(cuDeviceGet, 2000, (int* device, int ordinal))                                                                  \
    X(cuDeviceGetCount, 2000, (int* count))                                                                           \
    X(cuDeviceGetName, 2000, (char* name, int length, int device))                                                    \
    X(cuDeviceGetUuid, 11040, (Uuid * uuid, int device))                                                              \
    X(cuDeviceTotalMem, 3020, (size_t* bytes, int device))                                                            \
    X(cuDeviceGetAttribute, 2000, (int* value, int attribute, int device))                                            \
    X(cuDeviceGetPCIBusId, 4010, (char* id, int length, int device))                                                  \
    X(cuDeviceGetByPCIBusId, 4010, (int* device, const char* id))                                                     \
    X(cuDeviceGetP2PAttribute, 8000, (int* value, int attribute, int from, int to))                                   \
    X(cuDeviceCanAccessPeer, 4000, (int* can, int device, int peer))                                                  \
    X(cuDeviceGetDefaultMemPool, 11020, (MemPool * pool, int device))                                                 \
    X(cuDeviceGetMemPool, 11020, (MemPool * pool, int device))                                                        \
    X(cuDeviceSetMemPool, 11020, (int device, MemPool pool))                                                          \
    X(cuDeviceGetGraphMemAttribute, 11040, (int device, int attribute, void* value))                                  \
    X(cuDeviceSetGraphMemAttribute, 11040, (int device, int attribute, void* value))                                  \
    X(cuDeviceGraphMemTrim, 11040, (int device))                                                                      \
                                                                                                                      \
    X(cuDevicePrimaryCtxRetain, 7000, (Context * context, int device))                                                \
    X(cuDevicePrimaryCtxRelease, 11000, (int device))                                                                 \
    X(cuDevicePrimaryCtxReset, 11000, (int device))                                                                   \
    X(cuDevicePrimaryCtxSetFlags, 11000, (int device, unsigned flags))                                                \
    X(cuDevicePrimaryCtxGetState, 7000, (int device, unsigned* flags, int* active))                                   \
    X(cuCtxGetCurrent, 4000, (Context * context))                                                                     \
    X(cuCtxSetCurrent, 4000, (Context context))                                                                       \
    X(cuCtxGetDevice, 2000, (int* device))                                                                            \
    X(cuCtxSynchronize, 2000, ())                                                                                     \
    X(cuCtxGetLimit, 3010, (size_t* value, int limit))                                                                \
    X(cuCtxSetLimit, 3010, (int limit, size_t value))                                                                 \
    X(cuCtxGetCacheConfig, 3020, (int* config))                                                                       \
    X(cuCtxSetCacheConfig, 3020, (int config))                                                                        \
    X(cuCtxGetSharedMemConfig, 4020, (int* config))                                                                   \
    X(cuCtxSetSharedMemConfig, 4020, (int config))                                                                    \
    X(cuCtxGetStreamPriorityRange, 5050, (int* least, int* greatest))                                                 \
    X(cuCtxResetPersistingL2Cache, 11000, ())                                                                         \
    X(cuCtxEnablePeerAccess, 4000, (Context peer, unsigned flags))                                                    \
    X(cuCtxDisablePeerAccess, 4000, (Context peer))                                                                   \
                                                                                                                      \
    X(cuLibraryLoadData, 12000,                                                                                       \
      (Library * library, const void* code, int* jit_options, void** jit_values, unsigned jit_count, int* options,    \
       void** values, unsigned count))                                                                                \
    X(cuLibraryLoadFromFile, 12000,                                                                                   \
      (Library * library, const char* file, int* jit_options, void** jit_values, unsigned jit_count, int* options,    \
       void** values, unsigned count))                                                                                \
    X(cuLibraryUnload, 12000, (Library library))                                                                      \
    X(cuLibraryGetKernel, 12000, (Kernel * kernel, Library library, const char* name))                                \
    X(cuLibraryGetKernelCount, 12040, (unsigned* count, Library library))                                             \
    X(cuLibraryEnumerateKernels, 12040, (Kernel * kernels, unsigned count, Library library))                          \
    X(cuLibraryGetGlobal, 12000, (void** pointer, size_t* bytes, Library library, const char* name))                  \
    X(cuLibraryGetManaged, 12000, (void** pointer, size_t* bytes, Library library, const char* name))                 \
    X(cuLibraryGetUnifiedFunction, 12000, (void** function, Library library, const char* symbol))                     \
    X(cuKernelGetAttribute, 12000, (int* value, int attribute, Kernel kernel, int device))                            \
    X(cuKernelSetAttribute, 12000, (int attribute, int value, Kernel kernel, int device))                             \
    X(cuKernelSetCacheConfig, 12000, (Kernel kernel, int config, int device))                                         \
    X(cuKernelGetParamInfo, 12040, (Kernel kernel, size_t index, size_t* offset, size_t* size))                       \
    X(cuKernelGetFunction, 12000, (Function * function, Kernel kernel))                                               \
    X(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, 7000,                                                     \
      (int* blocks, Function function, int block_size, size_t shared_bytes, unsigned flags))                          \
    X(cuOccupancyAvailableDynamicSMemPerBlock, 10020, (size_t* bytes, Function function, int blocks, int block_size)) \
    X(cuOccupancyMaxPotentialClusterSize, 11070, (int* size, Function function, const DriverLaunchConfig* config))    \
    X(cuOccupancyMaxActiveClusters, 11070, (int* clusters, Function function, const DriverLaunchConfig* config))      \
    X(cuLaunchKernel, 4000,                                                                                           \
      (Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,      \
       unsigned block_z, unsigned shared_bytes, Stream stream, void** arguments, void** extra))                       \
    X(cuLaunchKernelEx, 11060, (const DriverLaunchConfig* config, Function function, void** arguments, void** extra)) \
    X(cuLaunchCooperativeKernel, 9000,                                                                                \
      (Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,      \
       unsigned block_z, unsigned shared_bytes, Stream stream, void** arguments))                                     \
    X(cuLaunchHostFunc, 10000, (Stream stream, HostFunction function, void* user_data))                               \
                                                                                                                      \
    X(cuMemGetInfo, 3020, (size_t* free, size_t* total))                                                              \
    X(cuMemAlloc, 3020, (void** pointer, size_t bytes))                                                               \
    X(cuMemAllocPitch, 3020, (void** pointer, size_t* pitch, size_t width, size_t height, unsigned element))          \
    X(cuMemAllocManaged, 6000, (void** pointer, size_t bytes, unsigned flags))                                        \
    X(cuMemFree, 3020, (void* pointer))                                                                               \
    X(cuMemHostAlloc, 2020, (void** pointer, size_t bytes, unsigned flags))                                           \
    X(cuMemFreeHost, 2000, (void* pointer))                                                                           \
    X(cuMemHostRegister, 6050, (void* pointer, size_t bytes, unsigned flags))                                         \
    X(cuMemHostUnregister, 4000, (void* pointer))                                                                     \
    X(cuMemHostGetDevicePointer, 3020, (void** device, void* host, unsigned flags))                                   \
    X(cuMemHostGetFlags, 2030, (unsigned* flags, void* pointer))                                                      \
    X(cuPointerGetAttributes, 7000, (unsigned count, int* attributes, void** values, const void* pointer))            \
    X(cuMemAllocAsync, 11020, (void** pointer, size_t bytes, Stream stream))                                          \
    X(cuMemAllocFromPoolAsync, 11020, (void** pointer, size_t bytes, MemPool pool, Stream stream))                    \
    X(cuMemFreeAsync, 11020, (void* pointer, Stream stream))                                                          \
    X(cuMemPoolCreate, 11020, (MemPool * pool, const void* properties))                                               \
    X(cuMemPoolDestroy, 11020, (MemPool pool))                                                                        \
    X(cuMemPoolTrimTo, 11020, (MemPool pool, size_t keep))                                                            \
    X(cuMemPoolGetAttribute, 11020, (MemPool pool, int attribute, void* value))                                       \
    X(cuMemPoolSetAttribute, 11020, (MemPool pool, int attribute, void* value))                                       \
    X(cuMemPoolGetAccess, 11020, (int* flags, MemPool pool, MemLocation* location))                                   \
    X(cuMemPoolSetAccess, 11020, (MemPool pool, const void* descriptors, size_t count))                               \
    X(cuMemPoolExportToShareableHandle, 11020, (void* handle, MemPool pool, int type, uint64_t flags))                \
    X(cuMemPoolImportFromShareableHandle, 11020, (MemPool * pool, void* handle, int type, uint64_t flags))            \
    X(cuMemPoolExportPointer, 11020, (void* data, void* pointer))                                                     \
    X(cuMemPoolImportPointer, 11020, (void** pointer, MemPool pool, void* data))                                      \
    X(cuMemAdvise, 12020, (const void* pointer, size_t bytes, int advice, MemLocation location))                      \
    X(cuMemPrefetchAsync, 12020,                                                                                      \
      (const void* pointer, size_t bytes, MemLocation location, unsigned flags, Stream stream))                       \
    X(cuMemRangeGetAttribute, 8000, (void* data, size_t size, int attribute, const void* pointer, size_t bytes))      \
    X(cuMemRangeGetAttributes, 8000,                                                                                  \
      (void** data, size_t* sizes, int* attributes, size_t count, const void* pointer, size_t bytes))                 \
                                                                                                                      \
    X(cuMemcpy, 4000, (void* target, const void* source, size_t bytes))                                               \
    X(cuMemcpyAsync, 4000, (void* target, const void* source, size_t bytes, Stream stream))                           \
    X(cuMemcpyHtoD, 3020, (void* target, const void* source, size_t bytes))                                           \
    X(cuMemcpyHtoDAsync, 3020, (void* target, const void* source, size_t bytes, Stream stream))                       \
    X(cuMemcpyDtoH, 3020, (void* target, const void* source, size_t bytes))                                           \
    X(cuMemcpyDtoHAsync, 3020, (void* target, const void* source, size_t bytes, Stream stream))                       \
    X(cuMemcpyDtoD, 3020, (void* target, const void* source, size_t bytes))                                           \
    X(cuMemcpyDtoDAsync, 3020, (void* target, const void* source, size_t bytes, Stream stream))                       \
    X(cuMemcpy2DUnaligned, 3020, (const DriverCopy2D* copy))                                                          \
    X(cuMemcpy2DAsync, 3020, (const DriverCopy2D* copy, Stream stream))                                               \
    X(cuMemcpy3D, 3020, (const DriverCopy3D* copy))                                                                   \
    X(cuMemcpy3DAsync, 3020, (const DriverCopy3D* copy, Stream stream))                                               \
    X(cuMemcpyPeer, 4000, (void* target, Context target_context, const void* source, Context source_context, size_t)) \
    X(cuMemcpyPeerAsync, 4000,                                                                                        \
      (void* target, Context target_context, const void* source, Context source_context, size_t, Stream stream))      \
    X(cuMemsetD8, 3020, (void* target, unsigned char value, size_t count))                                            \
    X(cuMemsetD8Async, 3020, (void* target, unsigned char value, size_t count, Stream stream))                        \
    X(cuMemsetD2D8, 3020, (void* target, size_t pitch, unsigned char value, size_t width, size_t height))             \
    X(cuMemsetD2D8Async, 3020,                                                                                        \
      (void* target, size_t pitch, unsigned char value, size_t width, size_t height, Stream stream))                  \
    X(cuIpcGetMemHandle, 4010, (IpcHandle * handle, void* pointer))                                                   \
    X(cuIpcOpenMemHandle, 11000, (void** pointer, IpcHandle handle, unsigned flags))                                  \
    X(cuIpcCloseMemHandle, 4010, (void* pointer))                                                                     \
    X(cuIpcGetEventHandle, 4010, (IpcHandle * handle, Event event))                                                   \
    X(cuIpcOpenEventHandle, 4010, (Event * event, IpcHandle handle))                                                  \
                                                                                                                      \
    X(cuStreamCreate, 2000, (Stream * stream, unsigned flags))                                                        \
    X(cuStreamCreateWithPriority, 5050, (Stream * stream, unsigned flags, int priority))                              \
    X(cuStreamDestroy, 4000, (Stream stream))                                                                         \
    X(cuStreamQuery, 2000, (Stream stream))                                                                           \
    X(cuStreamSynchronize, 2000, (Stream stream))                                                                     \
    X(cuStreamWaitEvent, 3020, (Stream stream, Event event, unsigned flags))                                          \
    X(cuStreamAddCallback, 5000, (Stream stream, StreamCallback callback, void* user_data, unsigned flags))           \
    X(cuStreamAttachMemAsync, 6000, (Stream stream, void* pointer, size_t bytes, unsigned flags))                     \
    X(cuStreamGetPriority, 5050, (Stream stream, int* priority))                                                      \
    X(cuStreamGetFlags, 5050, (Stream stream, unsigned* flags))                                                       \
    X(cuStreamGetId, 12000, (Stream stream, uint64_t* id))                                                            \
    X(cuStreamGetDevice, 12080, (Stream stream, int* device))                                                         \
    X(cuStreamCopyAttributes, 11000, (Stream target, Stream source))                                                  \
    X(cuStreamGetAttribute, 11000, (Stream stream, int attribute, void* value))                                       \
    X(cuStreamSetAttribute, 11000, (Stream stream, int attribute, const void* value))                                 \
    X(cuStreamBeginCapture, 10010, (Stream stream, int mode))                                                         \
    X(cuStreamBeginCaptureToGraph, 12030,                                                                             \
      (Stream stream, Graph graph, const GraphNode* dependencies, const void* edges, size_t count, int mode))         \
    X(cuStreamEndCapture, 10000, (Stream stream, Graph * graph))                                                      \
    X(cuStreamIsCapturing, 10000, (Stream stream, int* status))                                                       \
    X(cuStreamGetCaptureInfo, 12030,                                                                                  \
      (Stream stream, int* status, uint64_t* id, Graph* graph, const GraphNode** dependencies, const void** edges,    \
       size_t* count))                                                                                                \
    X(cuStreamUpdateCaptureDependencies, 12030,                                                                       \
      (Stream stream, GraphNode * dependencies, const void* edges, size_t count, unsigned flags))                     \
    X(cuThreadExchangeStreamCaptureMode, 10010, (int* mode))                                                          \
    X(cuEventCreate, 2000, (Event * event, unsigned flags))                                                           \
    X(cuEventDestroy, 4000, (Event event))                                                                            \
    X(cuEventRecord, 2000, (Event event, Stream stream))                                                              \
    X(cuEventRecordWithFlags, 11010, (Event event, Stream stream, unsigned flags))                                    \
    X(cuEventQuery, 2000, (Event event))                                                                              \
    X(cuEventSynchronize, 2000, (Event event))                                                                        \
    X(cuEventElapsedTime, 2000, (float* milliseconds, Event start, Event end))                                        \
                                                                                                                      \
    X(cuGraphCreate, 10000, (Graph * graph, unsigned flags))                                                          \
    X(cuGraphDestroy, 10000, (Graph graph))                                                                           \
    X(cuGraphClone, 10000, (Graph * clone, Graph graph))                                                              \
    X(cuGraphGetNodes, 10000, (Graph graph, GraphNode * nodes, size_t* count))                                        \
    X(cuGraphGetRootNodes, 10000, (Graph graph, GraphNode * nodes, size_t* count))                                    \
    X(cuGraphGetEdges, 12030, (Graph graph, GraphNode * from, GraphNode * to, void* edges, size_t* count))            \
    X(cuGraphNodeGetType, 10000, (GraphNode node, int* type))                                                         \
    X(cuGraphNodeGetDependencies, 12030, (GraphNode node, GraphNode * nodes, void* edges, size_t* count))             \
    X(cuGraphNodeGetDependentNodes, 12030, (GraphNode node, GraphNode * nodes, void* edges, size_t* count))           \
    X(cuGraphAddDependencies, 12030,                                                                                  \
      (Graph graph, const GraphNode* from, const GraphNode* to, const void* edges, size_t count))                     \
    X(cuGraphRemoveDependencies, 12030,                                                                               \
      (Graph graph, const GraphNode* from, const GraphNode* to, const void* edges, size_t count))                     \
    X(cuGraphDestroyNode, 10000, (GraphNode node))                                                                    \
    X(cuGraphAddNode, 12030,                                                                                          \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, const void* edges, size_t count,                 \
       GraphNodeParams* params))                                                                                      \
    X(cuGraphAddKernelNode, 12000,                                                                                    \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count,                                    \
       const DriverKernelNodeParams* params))                                                                         \
    X(cuGraphAddMemcpyNode, 10000,                                                                                    \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, const DriverCopy3D* copy,          \
       Context context))                                                                                              \
    X(cuGraphAddMemsetNode, 10000,                                                                                    \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, const MemsetNodeParams* params,    \
       Context context))                                                                                              \
    X(cuGraphAddHostNode, 10000,                                                                                      \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, const HostNodeParams* params))     \
    X(cuGraphAddChildGraphNode, 10000,                                                                                \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, Graph child))                      \
    X(cuGraphAddEmptyNode, 10000, (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count))       \
    X(cuGraphAddMemAllocNode, 11040,                                                                                  \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, void* params))                     \
    X(cuGraphAddMemFreeNode, 11040,                                                                                   \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, void* pointer))                    \
    X(cuGraphMemAllocNodeGetParams, 11040, (GraphNode node, void* params))                                            \
    X(cuGraphMemFreeNodeGetParams, 11040, (GraphNode node, void* pointer))                                            \
    X(cuGraphAddEventRecordNode, 11010,                                                                               \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, Event event))                      \
    X(cuGraphAddEventWaitNode, 11010,                                                                                 \
      (GraphNode * node, Graph graph, const GraphNode* dependencies, size_t count, Event event))                      \
    X(cuGraphConditionalHandleCreate, 12030,                                                                          \
      (uint64_t* handle, Graph graph, Context context, unsigned initial, unsigned flags))                             \
    X(cuGraphInstantiateWithFlags, 11040, (GraphExec * exec, Graph graph, uint64_t flags))                            \
    X(cuGraphInstantiateWithParams, 12000, (GraphExec * exec, Graph graph, void* params))                             \
    X(cuGraphExecUpdate, 12000, (GraphExec exec, Graph graph, void* result))                                          \
    X(cuGraphExecGetFlags, 12000, (GraphExec exec, uint64_t* flags))                                                  \
    X(cuGraphExecDestroy, 10000, (GraphExec exec))                                                                    \
    X(cuGraphUpload, 11010, (GraphExec exec, Stream stream))                                                          \
    X(cuGraphLaunch, 10000, (GraphExec exec, Stream stream))                                                          \
    X(cuGraphDebugDotPrint, 11030, (Graph graph, const char* path, unsigned flags))                                   \
    X(cuGraphRetainUserObject, 11030, (Graph graph, UserObject object, unsigned count, unsigned flags))               \
    X(cuGraphReleaseUserObject, 11030, (Graph graph, UserObject object, unsigned count))                              \
    X(cuUserObjectCreate, 11030,                                                                                      \
      (UserObject * object, void* pointer, HostFunction destroy, unsigned references, unsigned flags))                \
    X(cuUserObjectRetain, 11030, (UserObject object, unsigned count))                                                 \
    X(cuUserObjectRelease, 11030, (UserObject object, unsigned count))

namespace cudafault::cudart {

// A member is nullptr if the driver does not have the function.
struct Driver {
#define CUDAFAULT_DECLARE(name, version, parameters) Error(*name) parameters;
    CUDAFAULT_DRIVER_FUNCTIONS(CUDAFAULT_DECLARE)
#undef CUDAFAULT_DECLARE
};

// Loads libcuda.so.1 at the first call. Returns nullptr if the library is not found; later calls then try again.
const Driver* driver();

// Calls an entry point, or returns an error if the driver does not have it.
template <typename... Parameters, typename... Arguments>
Error call(Error (*Driver::*entry)(Parameters...), Arguments... arguments) {
    const auto function = driver()->*entry;
    return function ? function(arguments...) : kCallRequiresNewerDriver;
}

}  // namespace cudafault::cudart
