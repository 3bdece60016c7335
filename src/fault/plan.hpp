// SPDX-License-Identifier: Apache-2.0
// Defines a fault plan: the parsed form of a spec (docs/plans.md), as plain data. The command-line tool and the fault
// library use the same parser; the Python package runs the command-line tool.
#pragma once

#include "fault/functions.hpp"

namespace cudafault {

inline constexpr int kMaxFaults = 16;
inline constexpr int kMaxGpus = 16;        // gpu= list items of one fault
inline constexpr int kMaxRanks = 16;       // rank= list items of one fault
inline constexpr size_t kMaxSpec = 16384;  // bytes of spec text

enum class Model : uint8_t { simple };
enum class Effect : uint8_t { error, delay, hang, exit, signal };
inline constexpr const char* kEffectNames[] = {"error", "delay", "hang", "exit", "signal"};
constexpr const char* effect_name(Effect effect) { return kEffectNames[static_cast<int>(effect)]; }
enum class Scope : uint8_t { process, run };

enum class GpuKind : uint8_t { index, local, uuid, pci };
inline constexpr uint8_t kUuidDigits = 32;
struct GpuSelector {
    GpuKind kind;
    uint8_t uuid_digits;  // uuid: number of hexadecimal digits in the spec; kUuidDigits: all
    uint8_t is_mig;       // uuid: 1 for the UUID of a MIG device, else 0
    uint32_t number;      // index, local: the (first) ordinal; pci: domain << 16 | bus << 8 | device
    uint32_t last;        // index, local: the last ordinal of a range
    uint8_t uuid[16];     // uuid: the bytes
};

// Returns true if this UUID starts with the digits of the selector, which must be of kind uuid.
bool is_uuid_match(const GpuSelector&, const uint8_t (&uuid)[16]);

struct RankRange {
    int32_t first, last;
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
    uint16_t xid;  // 0: the fault has error= instead
    int32_t code;  // the code that a failing call returns
    Model model;
    FunctionSet calls;
    uint16_t runtime_classes;  // one bit per CallClass: the classes of the runtime functions in `calls`

    uint8_t gpu_count;  // 0: all GPUs
    GpuSelector gpus[kMaxGpus];

    uint64_t after_calls;
    uint64_t after_ns;
    uint64_t every;        // >= 1
    uint64_t probability;  // in units of 2^-64; kAlways: every time
    uint64_t times;        // kForever: no limit
    uint64_t mtbf_ns;      // 0: none
    uint64_t seed;
    uint64_t window_ns;  // for=: time since the end of after=; kForever: no limit
    uint64_t until_ns;   // until=: CLOCK_REALTIME; kForever: no limit
    bool sticky;
    bool breaks_context;  // sticky=context
    Scope scope;

    Effect effect;
    uint64_t effect_value;  // delay: ns; exit: exit code; signal: signal number

    // The affected processes. An empty glob or an empty list of ranks matches every process.
    char process[kMaxGlob];
    char node[kMaxGlob];
    char pod[kMaxGlob];
    uint8_t rank_count;
    RankRange ranks[kMaxRanks];
};

// Returns true if rank= of the fault includes this rank (-1: the process has no rank).
bool is_rank_selected(const Fault&, int rank);

// Returns true if a driver call made by a shared libcudart is counted. Such a call is not counted if the fault names
// runtime functions of the same class, because the runtime call in progress has been counted already (D-110).
bool is_inner_call_counted(const Fault&, int row);

struct Plan {
    int count;  // 0: no fault is armed
    // The functions that a fault names, the functions that fail in a broken context if a fault breaks contexts, and, if
    // the plan has a fault, the functions that report the last error. A call to any other function needs no decision.
    FunctionSet reached;
    Fault faults[kMaxFaults];
};

struct SpecError {
    size_t position;    // byte offset into the spec
    size_t length;      // length of the offending text
    char message[384];  // one sentence without the position: what was found and what was expected
};

// The time at which a plan is armed, and the size of the job.
struct Arming {
    uint64_t now_ns;  // CLOCK_REALTIME
    uint64_t ranks;   // size of the distributed job; 0: unknown
};

// Parses a spec. A blank spec is a plan without faults. With `arming`, the function also refuses a fault that can never
// fire if armed at that time in a job of that size. If the function returns false, `error` is set and `plan` is
// unspecified. Uses no heap and no locale.
bool parse_plan(Text spec, Plan& plan, SpecError& error, const Arming* arming = nullptr);

// Splits the text of a plan file into a revision and a spec. A first line "#<number>" is the revision that the writer
// of the file gave to the plan. Returns the text after that line. Without such a line the revision is 0 and the whole
// text is the spec.
Text take_revision(Text file, uint64_t& revision);

// Returns true if a plan copied from shared memory is safe to use: every count, enumerator, function and string is
// within its bounds.
bool is_well_formed(const Plan& plan);

}  // namespace cudafault
