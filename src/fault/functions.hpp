// SPDX-License-Identifier: Apache-2.0
// Declares the table of intercepted functions: one row per exported symbol (per symbol version for the runtime),
// generated from data/*.tsv and sorted by name, then soname. Stubs, counters and events identify a function by its row
// index.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

enum class Api : uint8_t { driver, runtime, nvml, nccl };

enum class CallClass : uint8_t {
    init,
    device,
    context,
    module,
    memory,
    copy,
    launch,
    sync,
    query,
    stream,
    event,
    graph,
    peer,
    ipc,
    pure
};
inline constexpr int kCallClasses = 15;

// Specifies how to find the GPU of a call. `slot` of the row is the 8-byte argument slot that contains the value.
enum class DeviceFrom : uint8_t {
    current,  // the current context
    unread,   // an argument that is not read, such as a memory pool; the current context is used instead
    none,     // the call does not concern a single GPU
    device,   // an ordinal of the process
    context,
    stream,
    event,
    pointer,
    copy,            // pointers to destination (lower four bits of `slot`) and source (upper four bits)
    location,        // pointer to a CUmemLocation
    location_value,  // CUmemLocation
    properties,      // pointer to a structure with a CUmemLocation at byte 8
    lookup,          // an index, UUID, serial number or PCI ID, from which the function itself finds the GPU
    // NVML only
    handle,    // nvmlDevice_t
    pci_info,  // nvmlPciInfo_t *
    gpu_instance,
    compute_instance,
    vgpu_instance,
};

// Functions that the interposer handles specially.
enum class Hook : uint8_t {
    none,
    registration,  // runs from constructors under the loader lock, so it must not trigger initialization
    resolver,      // returns function addresses: always intercepted, armed or not
    last_error,    // reports errors injected into runtime calls
    enumerate,     // does not concern a single GPU; the real call runs first
};

struct Function {
    uint32_t name;     // offset into the name block
    uint16_t version;  // driver: ABI version that is passed to cuGetProcAddress; otherwise 0
    Api api;
    uint8_t soname;  // runtime: index into kRuntimeSonames; otherwise 0
    CallClass call_class;
    DeviceFrom device;
    uint8_t slot;
    Hook hook;
    bool returns_status;  // false: never fails
    bool simple_fails;    // part of the default `calls=` of every XID under model=simple
    bool per_thread;      // the _ptsz or _ptds variant
};

// Returns true if a fault can make the function return an error. A resolver always returns the status of the real call.
inline bool can_fail(const Function& function) { return function.returns_status && function.hook != Hook::resolver; }

inline constexpr const char* kRuntimeSonames[] = {"libcudart.so.11.0", "libcudart.so.12", "libcudart.so.13"};
inline constexpr int kRuntimeSonameCount = 3;

inline constexpr const char* kDriverSoname = "libcuda.so.1";
inline constexpr const char* kNvmlSoname = "libnvidia-ml.so.1";
inline constexpr const char* kNcclSoname = "libnccl.so.2";

// Returns the soname of the library that exports the function. All libcudart versions use the same function names.
constexpr const char* soname_of(const Function& function) {
    switch (function.api) {
        case Api::driver: return kDriverSoname;
        case Api::nvml: return kNvmlSoname;
        case Api::nccl: return kNcclSoname;
        case Api::runtime: break;
    }
    return kRuntimeSonames[function.soname];
}

// Returns the soname without the part after ".so".
constexpr Text without_version(Text soname) {
    while (soname.size > 3 && soname.from(soname.size - 3) != Text(".so")) --soname.size;
    return soname;
}

extern const Function kFunctions[];
// One element per row, so that sizeof gives the row count. A sum of 2,000 terms would take half a second to compile.
inline constexpr char kOnePerRow[] = {
#define CUDAFAULT_ROW(...) 0,
#include "functions.inc"
#undef CUDAFAULT_ROW
};
inline constexpr int kFunctionCount = sizeof(kOnePerRow);

Text function_name(int index);

// Returns the first row whose name is not less than `prefix`. The rows whose names start with `prefix` are contiguous
// from there.
int first_row_from(Text prefix);

// Returns the first row with this name, or -1. A runtime function has one row per soname; these rows are adjacent.
int find_function(Text name);

const char* class_name(CallClass);  // "launch", without the @
bool find_class(Text name, CallClass& out);

}  // namespace cudafault
