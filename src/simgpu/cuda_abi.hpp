// SPDX-License-Identifier: Apache-2.0
// Defines the types of the CUDA driver's C interface that the simulated driver needs, declared from their binary
// layout. Handles are pointers to the driver's own objects; a device pointer is the address of host memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cudafault::sim {

// Values of CUresult
enum Result : int {
    kSuccess = 0,
    kInvalidValue = 1,
    kOutOfMemory = 2,
    kNotInitialized = 3,
    kNoDevice = 100,
    kInvalidDevice = 101,
    kInvalidContext = 201,
    kInvalidImage = 200,
    kUnsupportedLimit = 215,
    kFileNotFound = 301,
    kOperatingSystem = 304,
    kInvalidHandle = 400,
    kIllegalState = 401,
    kNotFound = 500,
    kNotReady = 600,
    kPeerAccessAlreadyEnabled = 704,
    kPeerAccessNotEnabled = 705,
    kContextIsDestroyed = 709,
    kHostMemoryAlreadyRegistered = 712,
    kHostMemoryNotRegistered = 713,
    kNotSupported = 801,
    kStreamCaptureUnsupported = 900,
    kStreamCaptureInvalidated = 901,
    kStreamCaptureUnmatched = 903,
    kStreamCaptureUnjoined = 904,
    kStreamCaptureIsolation = 905,
    kStreamCaptureImplicit = 906,
    kCapturedEvent = 907,
    kStreamCaptureWrongThread = 908,
    kGraphExecUpdateFailure = 910,
    kUnknown = 999,
};

using Device = int;
using DevicePtr = uint64_t;
using HostFunction = void (*)(void* user_data);

struct Stream;
using StreamCallback = void (*)(Stream*, Result, void* user_data);

struct Uuid {
    unsigned char bytes[16];
};

// Layout of CUdevprop
struct DeviceProperties {
    int max_threads_per_block, max_threads_dim[3], max_grid_size[3];
    int shared_per_block, constant_memory, warp_size, max_pitch, registers_per_block, clock_khz, texture_alignment;
};

enum MemoryType : unsigned { kHostMemory = 1, kDeviceMemory = 2, kArrayMemory = 3, kUnifiedMemory = 4 };

// Layout of one side of CUDA_MEMCPY2D
struct Side2D {
    size_t x_bytes, y;
    MemoryType type;
    const void* host;
    DevicePtr device;
    void* array;
    size_t pitch;
};

// Layout of CUDA_MEMCPY2D
struct Copy2D {
    Side2D source, target;
    size_t width_bytes, height;
};

// Layout of one side of CUDA_MEMCPY3D. In CUDA_MEMCPY3D_PEER the reserved word is a context.
struct Side3D {
    size_t x_bytes, y, z, level;
    MemoryType type;
    const void* host;
    DevicePtr device;
    void* array;
    void* reserved;
    size_t pitch, height;
};

// Layout of CUDA_MEMCPY3D and CUDA_MEMCPY3D_PEER
struct Copy3D {
    Side3D source, target;
    size_t width_bytes, height, depth;
};
static_assert(sizeof(Copy2D) == 128 && sizeof(Copy3D) == 200);

struct MemLocation {
    int type;
    int id;
};
enum LocationType : int { kLocationDevice = 1, kLocationHost = 2, kLocationHostNuma = 3, kLocationHostNumaCurrent = 4 };

struct MemAccess {
    MemLocation location;
    int flags;  // 0: none, 1: read, 3: read and write
};

// Layout of CUmemPoolProps
struct PoolProperties {
    int allocation_type, handle_types;
    MemLocation location;
    void* windows_security;
    size_t max_size;
    unsigned short usage;
    unsigned char reserved[54];
};

// Layout of CUmemAllocationProp
struct AllocationProperties {
    int type, handle_types;
    MemLocation location;
    void* windows_metadata;
    unsigned char flags[8];
};
enum HandleType : int { kPosixFd = 1 };

struct IpcHandle {
    unsigned char bytes[64];
};

// Layout of CUlaunchConfig
struct LaunchConfig {
    unsigned grid[3], block[3], shared_bytes;
    Stream* stream;
    void* attributes;
    unsigned attribute_count;
};

struct Context;
struct Function;
struct Event;
struct Graph;
struct Node;

// Layout of CUDA_KERNEL_NODE_PARAMS. Version 2 added kernel and context.
struct KernelNodeParamsV1 {
    Function* function;
    unsigned grid[3], block[3], shared_bytes;
    void** arguments;
    void** extra;
};
struct KernelNodeParams : KernelNodeParamsV1 {
    Function* kernel;
    Context* context;
};

struct MemsetNodeParams {
    DevicePtr target;
    size_t pitch;
    unsigned value, element_size;
    size_t width, height;
};

struct HostNodeParams {
    HostFunction function;
    void* user_data;
};

// Layout of CUDA_MEMCPY_NODE_PARAMS
struct CopyNodeParams {
    int flags, reserved;
    Context* context;
    Copy3D copy;
};

// Layout of CUDA_MEM_ALLOC_NODE_PARAMS
struct AllocationNodeParams {
    PoolProperties pool;
    const MemAccess* access;
    size_t access_count;
    size_t bytes;
    DevicePtr pointer;  // set by the driver
};
static_assert(sizeof(AllocationNodeParams) == 120);

// Layout of CUgraphNodeParams
struct NodeParams {
    int type;
    int reserved0[3];
    union {
        long long words[29];
        KernelNodeParams kernel;
        CopyNodeParams copy;
        MemsetNodeParams memset;
        HostNodeParams host;
        AllocationNodeParams allocation;
        DevicePtr freed;
        Graph* child;
        Event* event;
    };
    long long reserved2;
};
static_assert(sizeof(NodeParams) == 256);

// Layout of CUDA_GRAPH_INSTANTIATE_PARAMS
struct InstantiateParams {
    uint64_t flags;
    Stream* upload_stream;
    Node* failed_node;
    int result;
};

// Layout of CUgraphExecUpdateResultInfo
struct ExecUpdateResult {
    int result;
    Node* node;
    Node* from;
};

// Layout of CUgraphEdgeData. Only ordinary edges are simulated. All their fields are zero.
struct EdgeData {
    unsigned char from_port, to_port, type, reserved[5];
};

// Layout of CUctxCreateParams
struct ContextParams {
    void* affinity;
    int affinity_count;
    void* cig;
};

}  // namespace cudafault::sim
