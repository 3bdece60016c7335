// SPDX-License-Identifier: Apache-2.0
#include "preload/process/start.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "fault/atomics.hpp"
#include "fault/values.hpp"
#include "fault/xids.hpp"
#include "os/clock.hpp"
#include "os/system_call.hpp"
#include "preload/evidence/evidence.hpp"
#include "preload/evidence/log.hpp"
#include "preload/process/environment.hpp"
#include "preload/process/procfs.hpp"
#include "preload/process/run.hpp"
#include "preload/process/signals.hpp"
#include "preload/process/state.hpp"
#include "preload/process/wait.hpp"
#include "preload/process/watcher.hpp"
#include "preload/resolve/libc.hpp"
#include "preload/resolve/real.hpp"

namespace cudafault {

namespace {

constexpr int kWipeOnFork = 18;  // MADV_WIPEONFORK, Linux 4.14

uint64_t loaded_at_ns;  // CLOCK_MONOTONIC in the constructor: when a plan from the environment was armed

// Replaces the block with a private one, because a child of a process in a run inherits the mapping of the run's block.
void make_block_private() {
    system_call(SYS_mmap, address_of(&cudafault_block), sizeof cudafault_block, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

bool wipe_on_fork(void* pages, size_t size) {
    return system_call(SYS_madvise, address_of(pages), static_cast<long>(size), kWipeOnFork) == 0;
}

int32_t rank_of_environment() {
    for (const Text name : kRankVariables) {
        uint64_t rank = 0;
        const char* value = environment(name);
        if (value && parse_number(value, rank) && rank <= INT32_MAX) return static_cast<int32_t>(rank);
    }
    return -1;
}

void read_identity(Identity& identity) {
    identity.pid = process_id();
    identity.uid = user_id();
    identity.time_offsets = read_time_offsets();
    identity.start_time = shared_start_time(start_time_of("self"), identity.time_offsets);
    identity.rank = rank_of_environment();
    identity.node = Text(environment("CUDAFAULT_NODE"));
    identity.pod = Text(environment("CUDAFAULT_POD"));
    read_program_names(identity.names);
}

uint64_t armed_at_load_ns() {
    return loaded_at_ns - static_cast<uint64_t>(process().identity.time_offsets.monotonic_ns);
}

bool is_enabled(const char* value) {
    const Text text(value);
    return text == Text("1") || text == Text("true");
}

bool is_disable_set() { return is_enabled(environment("CUDAFAULT_DISABLE")); }

int8_t disabled;  // 1: yes, -1: no, 0: the environment has not been read yet

void report_invalid_xid(Text value) {
    char line[256];
    TextBuilder message(line);
    message.add("invalid CUDA_XID_TYPE ");
    message.add(Quoted{value});
    message.add(", so no fault is injected: expected an XID such as 79");
    log_message(line);
}

// Arms the XID that CUDA_XID_TYPE names, or 79 if the variable is not set.
void arm_contract_plan() {
    const char* xid = environment("CUDA_XID_TYPE");
    uint64_t number = 79;
    if (xid && (!parse_number(xid, number) || number > UINT16_MAX || !find_xid(static_cast<uint32_t>(number)))) {
        return report_invalid_xid(xid);
    }
    char spec[64];
    TextBuilder builder(spec);
    builder.add("xid=");
    builder.add(number);
    set_private_plan(Text(spec), armed_at_load_ns());
}

// Takes the plan from the first source that is set, and ignores the others.
void find_plan(ProcessState& state) {
    if (!is_glibc() || is_disabled()) return;
    if (const char* run = environment("CUDAFAULT_RUN")) {
        if (join_run(run)) state.source = Source::run;
    } else if (const char* file = environment("CUDAFAULT_PLAN_FILE")) {
        if (watch_plan(file)) state.source = Source::file;
    } else if (const char* spec = environment("CUDAFAULT_PLAN")) {
        state.source = Source::environment;
        set_private_plan(spec, armed_at_load_ns());
    } else if (const char* enabled = environment("CUDA_FAULT_INJECTION_ENABLED")) {
        state.source = Source::environment;
        if (is_enabled(enabled)) arm_contract_plan();
    }
}

void initialize(ProcessState& state) {
    prepare_targets();
    make_block_private();
    cudafault_is_wiped = wipe_on_fork(&cudafault_state, sizeof cudafault_state) &&
                         wipe_on_fork(&cudafault_block, sizeof cudafault_block);
    read_identity(state.identity);
    control_init(block(), state.identity.uid, 0);
    find_plan(state);
    if (state.source != Source::none) register_process();
}

// Returns true for process 1. If the containers of a pod share a PID namespace, and therefore log to /dev/stderr, also
// returns true for a process whose parent is outside that namespace.
bool is_first_of_container(const char* log) {
    if (process_id() == 1) return true;
    return Text(log) == Text("/dev/stderr") && system_call(SYS_getppid) == 0;
}

// The only function of the library that runs at the start of a program that does not use CUDA.
__attribute__((constructor)) void on_load() {
    if (is_disabled()) return;
    copy_environment();
    if (environment("CUDAFAULT_PLAN") || environment("CUDA_FAULT_INJECTION_ENABLED")) {
        loaded_at_ns = monotonic_ns();
    }
    if (const char* run = environment("CUDAFAULT_RUN")) register_with_run(run);
    const char* log = log_file();
    if (log && is_first_of_container(log)) record_library_seen();
}

}  // namespace

bool is_disabled() {
    if (load(disabled) == 0) store(disabled, static_cast<int8_t>(is_disable_set() ? 1 : -1));
    return load(disabled) > 0;
}

bool ensure_ready() {
    ProcessState& state = process();
    if (is_ready()) return true;
    const SignalsBlocked blocked;
    if (!cudafault_is_wiped && state.identity.pid != process_id()) memset(static_cast<void*>(&state), 0, sizeof state);
    uint64_t phase = kFresh;
    if (replace(state.phase, phase, kStarting)) {
        initialize(state);
        publish(state.phase, kReady);
        return true;
    }
    return wait_briefly([&] { return observe(state.phase) == kReady; });
}

}  // namespace cudafault
