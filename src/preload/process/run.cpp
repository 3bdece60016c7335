// SPDX-License-Identifier: Apache-2.0
#include "preload/process/run.hpp"

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

enum RunField { kRunPid, kRunFile, kRunStart, kRunInode, kRunFields };
struct RunAddress {
    Text text[kRunFields];
    uint64_t number[kRunFields];
};

bool parse_run(Text run, RunAddress& out) {
    for (int i = 0; i < kRunFields; ++i) {
        const size_t colon = find(run, ':');
        out.text[i] = run.first(colon);
        if (!parse_number(out.text[i], out.number[i])) return false;
        if ((colon == run.size) != (i + 1 == kRunFields)) return false;
        run = run.from(colon < run.size ? colon + 1 : colon);
    }
    return true;
}

int open_block(const RunAddress& run) {
    char path[96];
    Message message(path);
    message.add("/proc/");
    message.add(run.text[kRunPid]);
    message.add("/fd/");
    message.add(run.text[kRunFile]);
    return open_file(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

// What is wrong with the file as a control block of ours, or nullptr.
const char* objection(int file, const RunAddress& run) {
    struct stat status = {};
    if (system_call(SYS_fstat, file, address_of(&status)) != 0 || status.st_ino != run.number[kRunInode]) {
        return "its control block is another file by now";
    }
    const long seals = system_call(SYS_fcntl, file, kGetSeals);
    if (seals < 0 || !(seals & kSealShrink)) return "its control block is not sealed";
    ControlHeader header{};
    if (system_call(SYS_pread64, file, address_of(&header), sizeof header, 0) != sizeof header) {
        return "its control block cannot be read";
    }
    if (header.magic != kControlMagic) return "its control block is damaged";
    if (header.version != kControlVersion || header.function_count != static_cast<uint32_t>(kFunctionCount) ||
        static_cast<size_t>(status.st_size) < sizeof(ControlBlock)) {
        return "its control block is of another version of cudafault; use the library and the tool of one build";
    }
    if (header.owner_uid != user_id() || status.st_uid != user_id()) return "its control block belongs to another user";
    return nullptr;
}

bool map_block(int file) {
    const long mapped = system_call(SYS_mmap, address_of(&block()), sizeof(ControlBlock), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_FIXED, file, 0);
    return mapped == address_of(&block());
}

const char* join(const RunAddress& run) {
    const uint64_t start = start_time_of(run.text[kRunPid]);
    if (start == 0) return "it has ended, or is in another pid namespace";
    if (start != run.number[kRunStart]) return "it has ended";
    const int file = open_block(run);
    if (file < 0) return "its control block cannot be opened; is it another user's?";
    const char* wrong = objection(file, run);
    if (!wrong && !map_block(file)) wrong = "its control block cannot be mapped";
    close_file(file);
    return wrong;
}

}  // namespace

bool join_run(const char* text) {
    RunAddress run{};
    const char* wrong = parse_run(text, run) ? join(run) : "CUDAFAULT_RUN is not pid:fd:start:inode";
    if (!wrong) return true;
    char line[256];
    Message message(line);
    message.add("this process cannot join its run, so no fault is injected into it: ");
    message.add(wrong);
    complain(line);
    return false;
}

}  // namespace cudafault
