// SPDX-License-Identifier: Apache-2.0
// Layout of the control block. Each run has one, a sealed memfd that every process of the run maps. A process that
// belongs to no run has a private block of the same layout. The tool writes the plan; the processes write counters and
// events.
//
// Trust: a process copies a plan before it uses it, and accepts it only if magic, version, owner and checksum are
// valid. Indexes into counters and events are masked. Invalid content therefore cannot crash a process or arm a fault.
#pragma once

#include "fault/schedule.hpp"

namespace cudafault {

inline constexpr uint64_t kControlMagic = 0x314b4c4254464443;  // "CDFTBLK1"
inline constexpr uint32_t kControlVersion = 3;
inline constexpr size_t kControlAlign = 65536;  // the largest supported page size (aarch64)

// Values of the first byte of the block, which every intercepted call tests.
enum ControlFlag : uint8_t {
    kFlagUnknown = 0,  // new, or zeroed in a forked child: the slow path determines the state
    kFlagIdle = 1,     // nothing is armed: the stub jumps to the real function
    kFlagArmed = 2,
};

inline constexpr uint64_t kHeartbeatLimitNs = 5'000'000'000;  // older: the tool is dead, and the plan is disarmed

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
    int16_t gpu;        // the process's own ordinal; -1: the call is not about a single GPU
    int16_t rank;       // -1: none
    uint32_t revision;
    uint8_t padding[16];
};
static_assert(sizeof(Event) == 64);

struct ProcessSlot {
    int32_t pid;  // 0: free
    int32_t rank;
    uint64_t start_time;  // field 22 of /proc/PID/stat
    uint64_t revision;    // last plan that the process acknowledged
    uint64_t fired;
};

struct ControlHeader {
    volatile uint8_t flag;
    uint8_t padding[7];
    uint64_t magic;
    uint32_t version;
    uint32_t owner_uid;
    uint32_t function_count;  // rows in the function table that the tool was built with
    uint32_t spec_size;
    uint64_t heartbeat_ns;  // CLOCK_MONOTONIC, written by `run` about once a second
    uint64_t revision;      // odd while the plan is being written; starts at 2
    uint64_t armed_at_ns;   // CLOCK_REALTIME
    uint64_t checksum;      // of revision, armed_at_ns and the spec
};

struct ControlBlock {
    ControlHeader header;
    char spec[kMaxSpec];  // canonical text with resolved GPUs; empty: disarmed

    FaultState run_state[kBanks][kMaxFaults];  // scope=run

    uint64_t event_head;  // number of events recorded since the block was created
    Event events[kEventSlots];

    uint64_t processes_dropped;
    ProcessSlot processes[kProcessSlots];

    uint64_t matched[kBanks][kMaxFaults];
    uint64_t fired[kBanks][kMaxFaults][kFunctionCount];
};

// FNV-1a hash of revision, armed_at_ns and the spec text.
uint64_t control_checksum(uint64_t revision, uint64_t armed_at_ns, Text spec);

// Initializes a zeroed block with an empty plan and an idle flag.
void control_init(ControlBlock&, uint32_t owner_uid, uint64_t heartbeat_ns);

// Replaces the plan and clears the bank of the new plan. The bank of the old plan is kept until the plan after the new
// one is written. The caller must serialize writers.
void control_write_plan(ControlBlock&, Text spec, uint64_t armed_at_ns);

// Copies the plan to `out`. Returns false, which means disarmed, if the block is invalid, belongs to another user than
// `uid`, or is being written.
struct PlanText {
    uint64_t revision;
    uint64_t armed_at_ns;
    size_t size;
    char spec[kMaxSpec];
};
bool control_read_plan(const ControlBlock&, uint32_t uid, PlanText& out);

}  // namespace cudafault
