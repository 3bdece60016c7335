// SPDX-License-Identifier: Apache-2.0
// A fault plan: what the spec text (docs/plans.md) means, as plain data. Parsed alike by the command line, the preload
// library and, through the command line, Python.
#pragma once

#include "fault/functions.hpp"

namespace cudafault {

inline constexpr int kMaxFaults = 16;
inline constexpr int kMaxGpus = 16;        // gpu= list items of one fault
inline constexpr size_t kMaxSpec = 16384;  // bytes of spec text

enum class Model : uint8_t { simple };
enum class Effect : uint8_t { error, delay, hang, exit, signal };
inline constexpr const char* kEffectNames[] = {"error", "delay", "hang", "exit", "signal"};
enum class Scope : uint8_t { process, run };

enum class GpuKind : uint8_t { index, local, uuid, pci };
struct GpuSelector {
    GpuKind kind;
    uint32_t number;   // index, local: the ordinal; pci: domain << 16 | bus << 8 | device
    uint8_t uuid[16];  // uuid: the bytes; a MIG UUID is a UUID too
};

// One bit per row of the function table.
struct FunctionSet {
    uint64_t words[(kFunctionCount + 63) / 64];
    bool has(int index) const { return words[index / 64] >> (index % 64) & 1; }
    void add(int index) { words[index / 64] |= uint64_t{1} << (index % 64); }
};

inline constexpr uint64_t kAlways = UINT64_MAX;  // probability 1
inline constexpr uint64_t kForever = UINT64_MAX;
inline constexpr int kMaxGlob = 128;

struct Fault {
    uint16_t xid;  // 0: given as error=
    int32_t code;  // what a failing call returns
    Model model;
    FunctionSet calls;
    bool calls_name_runtime;  // the selector names runtime functions: driver calls made by a shared cudart do not count

    uint8_t gpu_count;  // 0: all GPUs
    GpuSelector gpus[kMaxGpus];

    uint64_t after_calls;
    uint64_t after_ns;
    uint64_t every;        // >= 1
    uint64_t probability;  // of 2^64; kAlways: every time
    uint64_t times;        // kForever: no limit
    uint64_t mtbf_ns;      // 0: none
    uint64_t seed;
    uint64_t window_ns;  // for=: since arming; kForever: open
    uint64_t until_ns;   // until=: CLOCK_REALTIME; kForever: open
    bool sticky;
    bool breaks_context;  // sticky=context
    Scope scope;

    Effect effect;
    uint64_t effect_value;  // delay: ns; exit: code; signal: number

    // Where; an empty glob and rank -1 mean everywhere.
    char process[kMaxGlob];
    char node[kMaxGlob];
    char pod[kMaxGlob];
    int32_t rank;
};

struct Plan {
    int count;  // 0: nothing armed
    Fault faults[kMaxFaults];
};

struct SpecError {
    size_t position;    // byte offset into the spec
    size_t length;      // of the offending text
    char message[256];  // what was found and what was expected, one sentence without the position
};

// An empty or blank spec is a plan without faults. On false `error` is set and `plan` is unspecified. No heap and no
// locale is used.
bool parse_plan(Text spec, Plan& plan, SpecError& error);

}  // namespace cudafault
