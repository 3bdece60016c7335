// SPDX-License-Identifier: Apache-2.0
// Defines the types of the CUDA runtime's and driver's C interface that the simulated runtime needs, declared from
// their binary layout. Runtime and driver share the layout of each type here unless its comment says otherwise; a
// device pointer is written void*, which is passed like the driver's 64-bit integer.
#pragma once

#include <cstddef>
#include <cstdint>

// The release whose interface this library has: 11 (11.8), 12 (12.9) or 13 (13.5). Set by the build.
#ifndef CUDART_MAJOR
#error "CUDART_MAJOR must be 11, 12 or 13"
#endif

namespace cudafault::cudart {

// Values of cudaError_t and CUresult. The codes that the driver returns have the same meaning in the runtime.
enum Error : int {
    kSuccess = 0,
    kInvalidValue = 1,
    kMemoryAllocation = 2,
    kInvalidConfiguration = 9,
    kInvalidSymbol = 13,
    kInvalidMemcpyDirection = 21,
    kInsufficientDriver = 35,
    kCallRequiresNewerDriver = 36,
    kMissingConfiguration = 52,
    kInvalidDeviceFunction = 98,
    kNoDevice = 100,
    kInvalidDevice = 101,
    kSymbolNotFound = 500,
    kNotReady = 600,
    kPeerAccessNotEnabled = 705,
    kNotSupported = 801,
};

using Stream = struct StreamHandle*;
using Event = struct EventHandle*;
using Context = struct ContextHandle*;
using Graph = struct GraphHandle*;
using GraphNode = struct GraphNodeHandle*;
using GraphExec = struct GraphExecHandle*;
using UserObject = struct UserObjectHandle*;
using MemPool = struct MemPoolHandle*;
using Library = struct LibraryHandle*;
using Kernel = struct KernelHandle*;
using Function = struct FunctionHandle*;  // a Kernel is accepted as a Function

inline const Stream kPerThreadStream = reinterpret_cast<Stream>(2);

using HostFunction = void (*)(void* user_data);
using StreamCallback = void (*)(Stream, Error, void* user_data);

struct Dim3 {
    unsigned x, y, z;
};

struct Uuid {
    unsigned char bytes[16];
};

struct IpcHandle {
    char bytes[64];
};

struct ChannelFormat {
    int x, y, z, w;
    int kind;
};

// Values of cudaMemcpyKind
enum CopyKind : int { kHostToHost, kHostToDevice, kDeviceToHost, kDeviceToDevice, kDefaultKind };

struct PitchedPointer {
    void* pointer;
    size_t pitch;
    size_t width;   // bytes per logical row
    size_t height;  // rows per slice
};

struct Extent {
    size_t width, height, depth;  // width in bytes for linear memory
};

struct Position {
    size_t x, y, z;
};

// Layout of cudaMemcpy3DParms
struct RuntimeCopy3D {
    void* source_array;
    Position source_position;
    PitchedPointer source;
    void* target_array;
    Position target_position;
    PitchedPointer target;
    Extent extent;
    CopyKind kind;
};

// Values of CUmemorytype
enum MemoryType : int { kHostMemory = 1, kDeviceMemory = 2, kArrayMemory = 3, kUnifiedMemory = 4 };

// Layout of one side of CUDA_MEMCPY2D
struct Side2D {
    size_t x_bytes, y;
    MemoryType type;
    const void* host;
    const void* device;
    void* array;
    size_t pitch;
};

// Layout of CUDA_MEMCPY2D
struct DriverCopy2D {
    Side2D source, target;
    size_t width_bytes, height;
};

// Layout of one side of CUDA_MEMCPY3D
struct Side3D {
    size_t x_bytes, y, z, level;
    MemoryType type;
    const void* host;
    const void* device;
    void* array;
    void* reserved;
    size_t pitch, height;
};

// Layout of CUDA_MEMCPY3D
struct DriverCopy3D {
    Side3D source, target;
    size_t width_bytes, height, depth;
};

struct MemLocation {
    int type;  // 1: a device, 2: the host
    int id;
};
inline constexpr int kLocationDevice = 1;
inline constexpr int kLocationHost = 2;

// Layout of cudaLaunchConfig_t. The driver's structure differs.
struct LaunchConfig {
    Dim3 grid, block;
    size_t shared_bytes;
    Stream stream;
    void* attributes;
    unsigned attribute_count;
};

// Layout of CUlaunchConfig
struct DriverLaunchConfig {
    Dim3 grid, block;
    unsigned shared_bytes;
    Stream stream;
    void* attributes;
    unsigned attribute_count;
};

// Layout of cudaKernelNodeParams
struct KernelNodeParams {
    const void* function;
    Dim3 grid, block;
    unsigned shared_bytes;
    void** arguments;
    void** extra;
};

// Layout of version 2 of CUDA_KERNEL_NODE_PARAMS
struct DriverKernelNodeParams {
    Function function;
    Dim3 grid, block;
    unsigned shared_bytes;
    void** arguments;
    void** extra;
    Kernel kernel;
    Context context;
};

// Layout of cudaGraphNodeParams and CUgraphNodeParams. The parameters of kernel, copy and memset nodes differ.
struct GraphNodeParams {
    int type;
    int reserved0[3];
    union {
        long long bytes[29];
        KernelNodeParams kernel;
        DriverKernelNodeParams driver_kernel;
    };
    long long reserved2;
};
enum GraphNodeType : int { kKernelNode = 0, kCopyNode = 1, kMemsetNode = 2 };

struct MemsetNodeParams {
    void* target;
    size_t pitch;
    unsigned value;
    unsigned element_size;
    size_t width, height;
};

struct HostNodeParams {
    HostFunction function;
    void* user_data;
};

// Layout of cudaFuncAttributes
struct FunctionAttributes {
    size_t shared_bytes, const_bytes, local_bytes;
    int max_threads_per_block, registers, ptx_version, binary_version, cache_mode_ca;
    int max_dynamic_shared_bytes, preferred_shared_carveout;
#if CUDART_MAJOR >= 12
    int cluster_dim_must_be_set, cluster_width, cluster_height, cluster_depth;
    int cluster_scheduling_policy, non_portable_cluster_size;
    int reserved[16];
#endif
};

// Layout of cudaPointerAttributes
struct PointerAttributes {
    int type;  // 0: unregistered, 1: host, 2: device, 3: managed
    int device;
    void* device_pointer;
    void* host_pointer;
#if CUDART_MAJOR >= 13
    long reserved[8];
#endif
};

}  // namespace cudafault::cudart
