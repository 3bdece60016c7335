// SPDX-License-Identifier: Apache-2.0
// The state of this process: its identity, the source of its plan, the plans taken up, what it has counted. It lies in
// pages that fork wipes, so a child starts afresh.
#pragma once

#include "cudafault/control_block.hpp"
#include "fault/atomics.hpp"
#include "os/system_call.hpp"
#include "os/time_namespace.hpp"
#include "preload/process/program_names.hpp"

namespace cudafault {

enum class Source : uint8_t { none, run, file, environment };

struct Identity {
    int32_t pid;
    uint32_t uid;
    int32_t rank;         // -1: none
    uint64_t start_time;  // shared_start_time
    TimeOffsets time_offsets;
    Text node, pod;
    ProgramNames names;
};

// A plan as taken up. Readers are counted, so that a slot is not filled anew under them.
struct PlanSlot {
    uint64_t readers;
    uint64_t revision;
    uint64_t file_revision;  // of the plan file: what the tool that wrote it calls this plan; 0: nothing
    uint64_t armed_at_ns;
    uint64_t checksum;
    uint32_t here;  // bit per fault: its process=, rank=, node= and pod= mean this process
    FaultState counts[kMaxFaults];
    Plan plan;
};
constexpr int kPlanSlots = 3;  // one in force, one being filled, one still read

struct VisibleGpu {
    uint8_t uuid[16];
    uint32_t pci;     // as GpuSelector::number
    uint32_t index;   // as nvidia-smi counts
    int32_t ordinal;  // as CUDA counts in this process
};
constexpr int kMaxVisibleGpus = 64;

struct PlanFile {
    char path[4096];
    char text[kMaxSpec + 2];  // room for more than a plan may have, so that too much is seen
    char text_before[kMaxSpec + 2];
    size_t size_before;
    uint64_t revision;  // its first line, "#<number>", if it has one; else 0
    bool was_read;
};

struct ProcessState {
    uint64_t phase;
    Source source;
    Identity identity;

    uint64_t taking_up;          // 1 while a thread takes a plan up
    uint64_t taken_revision;     // the last that was looked at
    uint64_t given_up_revision;  // one that cannot be read, and is not waited for any more
    int32_t slot;                // of the plan in force + 1; 0: nothing is armed
    PlanSlot slots[kPlanSlots];
    PlanCopy read;     // scratch space for taking a plan up
    Plan parsed;       // scratch space for a plan of the process's own

    uint64_t gpus_known;  // 1 once the GPUs below are
    int32_t gpu_count;
    VisibleGpu gpus[kMaxVisibleGpus];

    ProcessSlot* registered;  // in the control block
    uint64_t fired;
    uint64_t fired_before_plan;  // when the plan in force was taken up
    uint64_t fired_looked_at;    // these two are the watcher's: at its last look, and in its last line
    uint64_t fired_counted;
    uint64_t log_sequence;
    uint64_t last_logged_ns;
    PlanFile plan_file;
};

// Whole pages of their own, for they are mapped over and wiped.
struct alignas(kControlAlign) BlockPages {
    ControlBlock block;
};
struct alignas(kControlAlign) StatePages {
    ProcessState state;
};

}  // namespace cudafault

// The control block of the process. At first, and without a run, it is private; a run's is mapped over it, so that the
// flag, its first byte, stays at an address that the stubs know.
extern "C" __attribute__((visibility("hidden"))) cudafault::BlockPages cudafault_block;
extern "C" __attribute__((visibility("hidden"))) cudafault::StatePages cudafault_state;

// False where the kernel does not wipe pages on fork (before Linux 4.14); then a child is known by its process id.
extern "C" __attribute__((visibility("hidden"))) bool cudafault_is_wiped;

namespace cudafault {

inline ControlBlock& block() { return cudafault_block.block; }
inline ProcessState& process() { return cudafault_state.state; }

inline constexpr uint64_t kFresh = 0, kStarting = 1, kReady = 2;  // phases

inline bool is_ready() {
    const ProcessState& state = process();
    return observe(state.phase) == kReady && (cudafault_is_wiped || state.identity.pid == process_id());
}

// The clock of the control block: heartbeats and times of arming.
inline uint64_t run_clock_ns() { return shared_monotonic_ns(process().identity.time_offsets); }

// Parses a spec and puts the plan into the private block. An invalid spec arms nothing and is reported on standard error.
void set_private_plan(Text spec, uint64_t armed_at_ns);

}  // namespace cudafault
