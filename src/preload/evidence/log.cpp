// SPDX-License-Identifier: Apache-2.0
#include "preload/evidence/log.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>

#include "os/system_call.hpp"
#include "preload/process/environment.hpp"

namespace cudafault {

namespace {

constexpr int kStandardError = 2;

// In a pod the log file is the container's standard error. A process whose user differs from that of the container's
// first process has no permission to open that file, but has inherited it as descriptor 2. The caller checks that
// descriptor 2 is a pipe: a regular file means that the program has redirected its standard error (D-016).
bool is_standard_error(const char* path) {
    return starts_with(Text(path), "/proc/") || Text(path) == Text("/dev/stderr");
}

bool is_pipe(int file) {
    struct stat status;
    return system_call(SYS_fstat, file, address_of(&status)) == 0 && S_ISFIFO(status.st_mode);
}

// Never block on a full pipe. A pipe without a reader would raise SIGPIPE in the host program.
bool is_writable(int file) {
    const timespec no_wait{};
    pollfd ready = {file, POLLOUT, 0};
    return system_call(SYS_ppoll, address_of(&ready), 1, address_of(&no_wait)) == 1 && ready.revents == POLLOUT;
}

}  // namespace

void log_message(const char* text) {
    char line[512];
    TextBuilder message(line);
    message.add("cudafault: ");
    message.add(text);
    const size_t size = Text(line).size;
    line[size] = '\n';  // replaces the terminating '\0'
    write_file(kStandardError, line, size + 1);
}

const char* log_file() {
    const char* file = environment("CUDAFAULT_LOG");
    return file && *file ? file : nullptr;
}

void append_to_log(const char* line, size_t size) {
    const char* path = log_file();
    if (!path) return;
    const int file = open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (file >= 0) {
        write_file(file, line, size);
        close_file(file);
    } else if (file == -EACCES && is_standard_error(path) && is_pipe(kStandardError) && is_writable(kStandardError)) {
        write_file(kStandardError, line, size);
    }
}

}  // namespace cudafault
