// SPDX-License-Identifier: Apache-2.0
#include "preload/process/run.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fault/values.hpp"
#include "fault/words.hpp"
#include "os/system_call.hpp"
#include "preload/evidence/log.hpp"
#include "preload/process/procfs.hpp"
#include "preload/process/state.hpp"

namespace cudafault {

namespace {

constexpr int kGetSeals = 1034, kSealShrink = 2;  // F_GET_SEALS, F_SEAL_SHRINK
constexpr uint32_t kRoot = 0;

enum RunField { kRunPid, kRunFile, kRunStart, kRunInode, kRunFields };
struct RunAddress {
    Text text[kRunFields];
    uint64_t number[kRunFields];
};

bool parse_run(Text run, RunAddress& out) {
    for (int i = 0; i < kRunFields; ++i) {
        const size_t colon = find(run, ':');
        uint64_t number = 0;  // a local variable, because GCC 12 would treat out.number as unchanged after the first
        if (!parse_number(run.first(colon), number)) return false;
        out.text[i] = run.first(colon);
        out.number[i] = number;
        if ((colon == run.size) != (i + 1 == kRunFields)) return false;
        run = run.from(colon < run.size ? colon + 1 : colon);
    }
    return true;
}

int open_block(const RunAddress& run) {
    char path[96];
    TextBuilder builder(path);
    builder.add("/proc/");
    builder.add(run.text[kRunPid]);
    builder.add("/fd/");
    builder.add(run.text[kRunFile]);
    return open_file(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

// The block of the run that CUDAFAULT_RUN named when the library was loaded. It is mapped early, because a process that
// changes its user ID before its first CUDA call may then lack permission to open it. Forked children inherit this
// mapping.
struct {
    void* pages;  // nullptr: not mapped
    uint64_t inode;
} early_block;

// Returns true if the file is the sealed memfd that the address names. The process id may have been reused, so the
// descriptor may belong to another process.
bool is_block_of(int file, const RunAddress& run, struct stat& status) {
    if (system_call(SYS_fstat, file, address_of(&status)) != 0 || status.st_ino != run.number[kRunInode]) return false;
    const long seals = system_call(SYS_fcntl, file, kGetSeals);
    return seals >= 0 && (seals & kSealShrink);
}

// Returns the reason why the file cannot be used as the control block, or nullptr.
const char* why_unusable(int file, const RunAddress& run) {
    struct stat status = {};
    if (!is_block_of(file, run, status)) return "its descriptor refers to another file";
    ControlHeader header{};
    if (system_call(SYS_pread64, file, address_of(&header), sizeof header, 0) != sizeof header) {
        return "its control block cannot be read";
    }
    if (header.magic != kControlMagic) return "its control block is damaged";
    if (header.version != kControlVersion || header.function_count != static_cast<uint32_t>(kFunctionCount) ||
        static_cast<size_t>(status.st_size) < sizeof(ControlBlock)) {
        return "its control block has another version; use the library and the tool of the same build";
    }
    if (header.owner_uid != user_id() || status.st_uid != user_id()) return "its control block belongs to another user";
    return nullptr;
}

// Maps the control block over the library's own pages (D-003).
bool map_block(int file) {
    const long mapped = system_call(SYS_mmap, address_of(&block()), sizeof(ControlBlock), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_FIXED, file, 0);
    return mapped == address_of(&block());
}

// Maps the block for use_early_block, which checks its content. The caller has checked that the file is the run's
// block.
void map_early_block(int file, const RunAddress& run, const struct stat& status) {
    if (static_cast<size_t>(status.st_size) < sizeof(ControlBlock)) return;
    const long mapped = system_call(SYS_mmap, 0, sizeof(ControlBlock), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped > 0) early_block = {reinterpret_cast<void*>(mapped), run.number[kRunInode]};
}

// Returns true if the early block is the block of this run, belongs to root and to this build, and the run is alive.
bool is_early_block_of(const RunAddress& run) {
    if (!early_block.pages || early_block.inode != run.number[kRunInode]) return false;
    const ControlHeader& header = static_cast<const ControlBlock*>(early_block.pages)->header;
    return is_usable(header, kRoot) && is_fresh_heartbeat(load(header.heartbeat_ns), run_clock_ns());
}

// Maps the pages of the early block a second time, over the process's own block. Returns false if the early block is
// not usable. First creates the second mapping at another address, because a failed mapping at a fixed address would
// leave a hole there.
bool use_early_block(const RunAddress& run) {
    constexpr long kNoOldSize = 0;  // makes mremap keep the first mapping
    constexpr long kSize = sizeof(ControlBlock);
    if (!is_early_block_of(run)) return false;
    const long second = system_call(SYS_mremap, address_of(early_block.pages), kNoOldSize, kSize, MREMAP_MAYMOVE);
    if (second < 0) return false;
    const long moved =
        system_call(SYS_mremap, second, kSize, kSize, MREMAP_MAYMOVE | MREMAP_FIXED, address_of(&block()));
    if (moved != address_of(&block())) return false;
    process().identity.uid = kRoot;
    return true;
}

// Returns the reason why /proc does not show the process that holds the control block.
const char* why_not_visible() {
    const int file = open_file("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file == -EMFILE || file == -ENFILE) {
        return "no file descriptor is free: raise the limit on open files (ulimit -n)";
    }
    if (file < 0) return "this process has no access to /proc: mount /proc in its root directory (chroot)";
    close_file(file);
    return "`cudafault run` has ended, or runs in another PID namespace";
}

const char* join(const RunAddress& run) {
    const uint64_t start = start_time_of(run.text[kRunPid]);
    if (start == 0) return use_early_block(run) ? nullptr : why_not_visible();
    if (shared_start_time(start, process().identity.time_offsets) != run.number[kRunStart]) {
        return "`cudafault run` has ended";
    }
    const int file = open_block(run);
    if (file < 0) {
        return use_early_block(run) ? nullptr
                                    : "access to its control block is denied, because this program was started as "
                                      "another user or group than `cudafault run`, or in another user namespace: "
                                      "start both as the same";
    }
    const char* reason = why_unusable(file, run);
    if (!reason && !map_block(file)) reason = "its control block cannot be mapped";
    close_file(file);
    return reason && use_early_block(run) ? nullptr : reason;
}

}  // namespace

bool join_run(const char* text) {
    RunAddress run{};
    const char* reason = parse_run(text, run) ? join(run) : "invalid CUDAFAULT_RUN: expected PID:FD:START:INODE";
    if (!reason) return true;
    char line[384];
    TextBuilder message(line);
    message.add("no fault can fire in this process, because it cannot join its run: ");
    message.add(reason);
    log_message(line);
    return false;
}

void register_with_run(const char* text) {
    RunAddress run{};
    if (!parse_run(text, run)) return;
    const int file = open_block(run);
    struct stat status = {};
    if (file < 0) return;
    if (is_block_of(file, run, status)) {
        const uint8_t loaded = 1;
        system_call(SYS_pwrite64, file, address_of(&loaded), sizeof loaded, offsetof(ControlHeader, library_loaded));
        if (user_id() == kRoot) map_early_block(file, run, status);
    }
    close_file(file);
}

}  // namespace cudafault
