// SPDX-License-Identifier: Apache-2.0
// The table of intercepted functions: one row per exported symbol (per symbol version for the runtime), generated from
// data/*.tsv and sorted by name, then soname. The index of a row is its identity everywhere: stub, counter, event.
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

// Where the GPU of a call is read from; `slot` of the row says which 8-byte argument slot holds it.
enum class DeviceFrom : uint8_t {
    current,  // the current context
    none,     // the call concerns no single GPU
    device,   // an ordinal of the process
    context,
    stream,
    event,
    pointer,
    lookup,  // an index, UUID, serial number or PCI id; the function itself finds the GPU with it
    // NVML only
    handle,    // nvmlDevice_t
    pci_info,  // nvmlPciInfo_t *
    gpu_instance,
    compute_instance,
    vgpu_instance,
};

// Functions whose arguments or results matter to the interposer itself.
enum class Hook : uint8_t {
    none,
    registration,  // runs from constructors under the loader lock: never a reason to initialise
    resolver,      // hands out function addresses: always taken, armed or not
    last_error,    // reports errors made up at runtime level
    enumerate,     // concerns no single GPU: the real call runs first
};

struct Function {
    uint32_t name;     // offset into the name block
    uint16_t version;  // driver: ABI version as cuGetProcAddress knows it; otherwise 0
    Api api;
    uint8_t soname;  // runtime: index into kRuntimeSonames; otherwise 0
    CallClass call_class;
    DeviceFrom device;
    uint8_t slot;
    Hook hook;
    bool returns_status;  // false: never fails
    bool simple_fails;    // part of the default `calls=` of every XID under model=simple
    bool per_thread;      // the _ptsz/_ptds form
};

// A resolver's answer is the driver's own, whatever is armed.
inline bool can_fail(const Function& function) { return function.returns_status && function.hook != Hook::resolver; }

inline constexpr const char* kRuntimeSonames[] = {"libcudart.so.11.0", "libcudart.so.12", "libcudart.so.13"};
inline constexpr int kRuntimeSonameCount = 3;

// The library that has the function. Each libcudart has functions of the same names.
constexpr const char* soname_of(const Function& function) {
    switch (function.api) {
        case Api::driver: return "libcuda.so.1";
        case Api::nvml: return "libnvidia-ml.so.1";
        case Api::nccl: return "libnccl.so.2";
        case Api::runtime: break;
    }
    return kRuntimeSonames[function.soname];
}

extern const Function kFunctions[];
// Counted, and not added up: for a sum of 2,000 terms a compiler takes half a second.
inline constexpr char kOnePerRow[] = {
#define CUDAFAULT_ROW(...) 0,
#include "functions.inc"
#undef CUDAFAULT_ROW
};
inline constexpr int kFunctionCount = sizeof(kOnePerRow);

Text function_name(int index);

// The first row whose name is not before the text; rows whose names start with it follow one another from there.
int first_row_from(Text prefix);

// First row with this name (the runtime has one per soname, adjacent), or -1.
int find_function(Text name);

const char* class_name(CallClass);  // "launch", without the @
bool find_class(Text name, CallClass& out);

}  // namespace cudafault
