// SPDX-License-Identifier: Apache-2.0
#include "preload/log.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "preload/libc.hpp"
#include "preload/syscalls.hpp"

namespace cudafault {

namespace {

constexpr int kStandardError = 2;

// Of a program that put something else in that place, none.
bool has_standard_error() {
    struct stat status;
    return system_call(SYS_fstat, kStandardError, address_of(&status)) == 0 && S_ISFIFO(status.st_mode);
}

// In a pod it is its container's standard error, which another user than its first process's may not open; but he
// has inherited it.
int open_log(const char* path) {
    const int file = open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    const bool is_descriptor = starts_with(Text(path), "/proc/") || starts_with(Text(path), "/dev/");
    if (file != -EACCES || !is_descriptor) return file;
    return has_standard_error() ? kStandardError : file;
}

}  // namespace

void complain(const char* text) {
    char line[512];
    Message message(line);
    message.add("cudafault: ");
    message.add(text);
    const size_t size = Text(line).size;
    line[size] = '\n';  // Message leaves room for its terminator
    write_file(kStandardError, line, size + 1);
}

const char* log_file() {
    const char* file = environment("CUDAFAULT_LOG");
    return file && *file ? file : nullptr;
}

void append_to_log(const char* line, size_t size) {
    const char* path = log_file();
    if (!path) return;
    const int file = open_log(path);
    if (file < 0) return;
    write_file(file, line, size);
    if (file != kStandardError) close_file(file);
}

}  // namespace cudafault
