// SPDX-License-Identifier: Apache-2.0
// Defines the layout of the control block. Each run has one, a sealed memfd that every process of the run maps. A
// process outside of a run has a private block of the same layout. The tool writes the plan; the processes write
// counters and events.
//
// Trust: a process copies a plan before use, and accepts the copy only if magic, version, owner and checksum are valid
// and all fields are within their bounds. Indexes into counters and events are masked. Invalid content therefore cannot
// crash a process or arm a fault.
#pragma once

#include "fault/atomics.hpp"
#include "fault/plan.hpp"
#include "fault/schedule.hpp"

namespace cudafault {

inline constexpr uint64_t kControlMagic = 0x314b4c4254464443;  // "CDFTBLK1"
inline constexpr uint32_t kControlVersion = 4;
inline constexpr size_t kControlAlign = 65536;  // the largest supported page size (aarch64)

// Values of the flags. Each intercepted call tests one flag: its function's own flag, or the header's flag if the
// function is not in the table. A flag only selects the fast or the slow path. The plan decides whether the call fails,
// so a stale flag cannot inject a wrong fault.
enum ControlFlag : uint8_t {
    kFlagUnknown = 0,  // new, or zeroed in a forked child: the slow path determines the state
    kFlagIdle = 1,     // no fault names the function: the stub jumps to the real function
    kFlagArmed = 2,
};

// A run is alive while its heartbeat is younger than this. A heartbeat this far in the future means an invalid block.
inline constexpr uint64_t kHeartbeatLimitNs = 5'000'000'000;
constexpr bool is_fresh_heartbeat(uint64_t heartbeat_ns, uint64_t now_ns) {
    return (now_ns < heartbeat_ns ? heartbeat_ns - now_ns : now_ns - heartbeat_ns) < kHeartbeatLimitNs;
}

inline constexpr uint32_t kEventSlots = 4096;  // power of two
inline constexpr uint32_t kProcessSlots = 4096;

// The counters of a plan are in the bank of its revision, so that calls in progress while the plan is replaced are
// counted for the old plan.
inline constexpr int kBanks = 2;
inline int bank_of(uint64_t revision) { return static_cast<int>(revision / 2 % kBanks); }

struct Event {
    uint64_t sequence;  // 1-based position + 1, written last; 0 while the event is being written
    uint64_t time_ns;   // CLOCK_REALTIME
    uint64_t call;      // `matched` of the fault at this call
    int32_t pid;
    int32_t tid;
    int32_t code;       // returned code; 0 for effects that return no injected code
    uint16_t function;  // row of the function table
    uint8_t fault;      // index in the plan
    uint8_t effect;     // Effect
    int16_t gpu;        // the process's own ordinal; -1: the call does not concern a single GPU
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
    uint64_t revision;    // last plan that the process acknowledged
    uint64_t fired;
    char program[kShownName];  // the names that process= is compared with, truncated to this length
    char script[kShownName];
};

struct ControlHeader {
    volatile uint8_t flag;
    uint8_t library_loaded;  // 1 once a process of the run has loaded the fault library
    uint8_t padding[6];
    uint64_t magic;
    uint32_t version;
    uint32_t owner_uid;
    uint32_t function_count;  // rows in the function table that the tool was built with
    uint32_t spec_size;
    uint64_t heartbeat_ns;   // shared_monotonic_ns, written by `run` about once a second
    uint64_t revision;       // odd while the plan is being written; starts at 2
    uint64_t armed_at_ns;    // shared_monotonic_ns
    uint64_t armed_wall_ns;  // CLOCK_REALTIME, for display only
    uint64_t checksum;       // of revision, armed_at_ns, the spec and the plan
};

struct ControlBlock {
    ControlHeader header;
    uint8_t function_flags[kFunctionCount];
    char spec[kMaxSpec];  // canonical text with resolved GPUs; empty: disarmed
    Plan plan;            // the parsed spec; only the first plan.count faults are written

    FaultState run_state[kBanks][kMaxFaults];  // scope=run

    uint64_t event_head;  // number of events recorded since the block was created
    Event events[kEventSlots];

    uint64_t processes_dropped;
    ProcessSlot processes[kProcessSlots];

    uint64_t matched[kBanks][kMaxFaults];
    uint64_t on_other_gpu[kBanks][kMaxFaults];  // calls that did not match only because of gpu=
    uint64_t fired[kBanks][kMaxFaults][kFunctionCount];
};

// Returns true if the block belongs to the user `uid` and has the layout of this build.
inline bool is_usable(const ControlHeader& header, uint32_t uid) {
    return load(header.magic) == kControlMagic && load(header.version) == kControlVersion &&
           load(header.owner_uid) == uid && load(header.function_count) == static_cast<uint32_t>(kFunctionCount);
}

// Offset of the flags of the functions, as a number that the stubs can use in assembly code.
#define CUDAFAULT_FUNCTION_FLAGS 72
static_assert(offsetof(ControlBlock, header.flag) == 0 &&
              offsetof(ControlBlock, function_flags) == CUDAFAULT_FUNCTION_FLAGS);

// FNV-1a hash of revision, armed_at_ns, the spec text and the plan. The plan is hashed in words of 8 bytes.
uint64_t control_checksum(uint64_t revision, uint64_t armed_at_ns, Text spec, const Plan& plan);

// Initializes a zeroed block with an empty plan and idle flags.
void control_init(ControlBlock&, uint32_t owner_uid, uint64_t heartbeat_ns);

// Replaces the plan, clears the bank of the new plan and sets the flags. The bank of the old plan is kept until the
// plan after the new one is written. `plan` must be the result of parsing `spec`. The caller must serialize writers.
void control_write_plan(ControlBlock&, Text spec, const Plan& plan, uint64_t armed_at_ns, uint64_t armed_wall_ns = 0);

struct PlanCopy {
    uint64_t revision;
    uint64_t armed_at_ns;
    uint64_t checksum;
    size_t size;
    char spec[kMaxSpec];
    Plan plan;
};

// Copies the plan to `out`. Returns false, which means disarmed, if the block or the plan is invalid, belongs to
// a user other than `uid`, or is being written. The content of `out` is then unspecified.
bool control_read_plan(const ControlBlock&, uint32_t uid, PlanCopy& out);

}  // namespace cudafault
