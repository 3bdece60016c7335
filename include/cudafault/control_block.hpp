// SPDX-License-Identifier: Apache-2.0
// Layout of the control block: one per run, a sealed memfd that every process of the run maps; a process without a run
// has a private one of the same layout. The tool writes the plan, the processes write evidence.
//
// Trust: a process uses only a plan whose magic, version, owner and checksum hold and whose fields are within their
// bounds, and copies it before use. Counters and events are bounded by masks. Invalid data in the block can therefore
// neither crash a process nor arm a fault.
#pragma once

#include "fault/plan.hpp"
#include "fault/schedule.hpp"

namespace cudafault {

inline constexpr uint64_t kControlMagic = 0x314b4c4254464443;  // "CDFTBLK1"
inline constexpr uint32_t kControlVersion = 4;
inline constexpr size_t kControlAlign = 65536;  // the largest page size we meet (aarch64)

// Each intercepted call tests one flag: its function's own, or the header's if the table does not know the function. A
// flag only chooses the path: the plan decides what happens, so a flag of an older plan is never seen as a wrong fault.
enum ControlFlag : uint8_t {
    kFlagUnknown = 0,  // fresh, or wiped by fork: take the slow path and find out
    kFlagIdle = 1,     // no fault names the function: jump straight to the real one
    kFlagArmed = 2,
};

// A run is alive while its heartbeat is at most this old. A heartbeat as far in the future means a damaged block.
inline constexpr uint64_t kHeartbeatLimitNs = 5'000'000'000;
constexpr bool is_fresh_heartbeat(uint64_t heartbeat_ns, uint64_t now_ns) {
    return (now_ns < heartbeat_ns ? heartbeat_ns - now_ns : now_ns - heartbeat_ns) < kHeartbeatLimitNs;
}

inline constexpr uint32_t kEventSlots = 4096;  // power of two
inline constexpr uint32_t kProcessSlots = 4096;

// What is counted under a plan goes to the bank of its revision: so calls that are in flight while the plan is replaced
// count where they belong.
inline constexpr int kBanks = 2;
inline int bank_of(uint64_t revision) { return static_cast<int>(revision / 2 % kBanks); }

struct Event {
    uint64_t sequence;  // 1-based position + 1, written last; 0 while being written
    uint64_t time_ns;   // CLOCK_REALTIME
    uint64_t call;      // the fault's matched count at this call
    int32_t pid;
    int32_t tid;
    int32_t code;       // returned code; 0 for effects that return nothing made up
    uint16_t function;  // row of the function table
    uint8_t fault;      // index in the plan
    uint8_t effect;     // Effect
    int16_t gpu;        // the process's own ordinal, -1: concerns no single GPU
    int16_t rank;       // -1: none
    uint32_t revision;
    uint8_t padding[16];
};
static_assert(sizeof(Event) == 64);

inline constexpr size_t kShownName = 64;

struct ProcessSlot {
    int32_t pid;  // 0: free
    int32_t rank;
    uint64_t start_time;  // shared_start_time
    uint64_t revision;    // acknowledged
    uint64_t fired;
    char program[kShownName];  // the names that process= is compared with, cut to this length
    char script[kShownName];
};

struct ControlHeader {
    volatile uint8_t flag;
    uint8_t library_loaded;  // 1 once a process of the run has loaded the fault library
    uint8_t padding[6];
    uint64_t magic;
    uint32_t version;
    uint32_t owner_uid;
    uint32_t function_count;  // rows of the function table the tool was built with
    uint32_t spec_size;
    uint64_t heartbeat_ns;   // shared_monotonic_ns, written by `run` about once a second
    uint64_t revision;       // odd while the plan is being written; starts at 2
    uint64_t armed_at_ns;    // shared_monotonic_ns
    uint64_t armed_wall_ns;  // CLOCK_REALTIME, for people
    uint64_t checksum;       // of revision, armed_at_ns, the spec and the plan
};

struct ControlBlock {
    ControlHeader header;
    uint8_t function_flags[kFunctionCount];
    char spec[kMaxSpec];  // canonical text, GPUs resolved; empty: disarmed
    Plan plan;            // the same, as the writer parsed it; only the first plan.count faults are written

    FaultState run_state[kBanks][kMaxFaults];  // scope=run

    uint64_t event_head;  // events ever recorded
    Event events[kEventSlots];

    uint64_t processes_dropped;
    ProcessSlot processes[kProcessSlots];

    uint64_t matched[kBanks][kMaxFaults];
    uint64_t on_other_gpu[kBanks][kMaxFaults];  // calls that only gpu= kept from matching
    uint64_t fired[kBanks][kMaxFaults][kFunctionCount];
};

// Where the stubs find the flag of a function: an offset that the assembler needs as a number.
#define CUDAFAULT_FUNCTION_FLAGS 72
static_assert(offsetof(ControlBlock, header.flag) == 0 && offsetof(ControlBlock, function_flags) == CUDAFAULT_FUNCTION_FLAGS);

// FNV-1a over revision, armed_at_ns, the spec text and, in words of 8 bytes, the plan.
uint64_t control_checksum(uint64_t revision, uint64_t armed_at_ns, Text spec, const Plan& plan);

// Fills a zeroed block; the flags are idle, the plan empty.
void control_init(ControlBlock&, uint32_t owner_uid, uint64_t heartbeat_ns);

// Replaces the plan, clears its bank of counts, and sets the flags; the previous plan's bank is kept until the next
// write. `plan` is what `spec` was parsed into. The caller serializes writers.
void control_write_plan(ControlBlock&, Text spec, const Plan& plan, uint64_t armed_at_ns, uint64_t armed_wall_ns = 0);

// Copies the plan out if it is complete, well-formed and written for `uid`. On false the caller treats the block as
// disarmed and `out` is unspecified.
struct PlanCopy {
    uint64_t revision;
    uint64_t armed_at_ns;
    uint64_t checksum;
    size_t size;
    char spec[kMaxSpec];
    Plan plan;
};
bool control_read_plan(const ControlBlock&, uint32_t uid, PlanCopy& out);

}  // namespace cudafault
