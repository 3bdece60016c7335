// SPDX-License-Identifier: Apache-2.0
// Defines the state of this process: its identity, the source of its plan, the plans that it has taken up, and its
// counters. The state is stored in pages that the kernel wipes on fork, so that a child starts with an empty state.
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

// A plan that the process has taken up. `readers` is the number of threads that read the plan; a slot with readers is
// not reused.
struct PlanSlot {
    uint64_t readers;
    uint64_t revision;
    uint64_t file_revision;  // the revision in the plan file; 0: none
    uint64_t armed_at_ns;
    uint64_t checksum;
    uint32_t selected_faults;  // a bit per fault: 1 if its process=, rank=, node= and pod= select this process
    FaultState counts[kMaxFaults];
    Plan plan;
};
constexpr int kPlanSlots = 3;  // one in force, one being filled, one that still has readers

struct VisibleGpu {
    uint8_t uuid[16];        // UUID of the GPU, or of the MIG device if CUDA enumerates a MIG device
    uint8_t whole_uuid[16];  // UUID of the GPU, also for a MIG device
    uint32_t pci;            // as GpuSelector::number
    uint32_t index;          // nvidia-smi's index
    int32_t ordinal;         // CUDA's ordinal in this process
};
constexpr int kMaxVisibleGpus = 64;

struct PlanFile {
    char path[4096];
    char text[kMaxSpec + 2];  // longer than the longest valid plan, so that a longer plan is detected
    char text_before[kMaxSpec + 2];
    size_t size_before;
    uint64_t revision;  // from a first line "#<number>"; 0: the file has none
    bool was_read;
};

struct ProcessState {
    uint64_t phase;
    Source source;
    Identity identity;

    uint64_t taking_up;          // 1 while a thread takes a plan up
    uint64_t taken_revision;     // the last revision that was taken up or refused
    uint64_t given_up_revision;  // a revision that could not be read; calls do not wait for it
    int32_t slot;                // of the plan in force + 1; 0: no plan is armed
    PlanSlot slots[kPlanSlots];
    PlanCopy read;  // scratch space for taking a plan up
    Plan parsed;    // scratch space for set_private_plan

    uint64_t gpus_known;  // 1: the next two members are valid
    int32_t gpu_count;
    VisibleGpu gpus[kMaxVisibleGpus];

    ProcessSlot* registered;  // in the control block
    uint64_t fired;
    uint64_t fired_before_plan;  // `fired` when the plan in force was taken up
    uint64_t fired_last_round;   // `fired` in the watcher's previous round; only the watcher uses this member
    uint64_t fired_logged;       // `fired` in the watcher's last log line; only the watcher uses this member
    uint64_t log_sequence;
    uint64_t last_logged_ns;
    PlanFile plan_file;
};

// Aligned to whole pages, because mmap replaces the pages and the kernel wipes them.
struct alignas(kControlAlign) BlockPages {
    ControlBlock block;
};
struct alignas(kControlAlign) StatePages {
    ProcessState state;
};

}  // namespace cudafault

// The control block of the process. It is private unless the process is in a run, whose block is mapped over it. The
// flags in it therefore have fixed addresses, which the stubs use.
extern "C" __attribute__((visibility("hidden"))) cudafault::BlockPages cudafault_block;
extern "C" __attribute__((visibility("hidden"))) cudafault::StatePages cudafault_state;

// False if the kernel does not wipe pages on fork (before Linux 4.14). The library then detects a child by its process
// id.
extern "C" __attribute__((visibility("hidden"))) bool cudafault_is_wiped;

namespace cudafault {

inline ControlBlock& block() { return cudafault_block.block; }
inline ProcessState& process() { return cudafault_state.state; }

inline constexpr uint64_t kFresh = 0, kStarting = 1, kReady = 2;  // phases

// Returns true if the library is initialized in this process, not only in its parent. Thread-safe.
inline bool is_ready() {
    const ProcessState& state = process();
    return observe(state.phase) == kReady && (cudafault_is_wiped || state.identity.pid == process_id());
}

// Returns the time of the clock that the control block uses, for heartbeats and for the time of arming, in nanoseconds.
inline uint64_t run_clock_ns() { return shared_monotonic_ns(process().identity.time_offsets); }

// Parses a spec and writes the plan to the private block. If the spec is invalid, reports the error on standard error
// and disarms the block.
void set_private_plan(Text spec, uint64_t armed_at_ns);

}  // namespace cudafault
