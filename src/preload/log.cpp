// SPDX-License-Identifier: Apache-2.0
#include "preload/log.hpp"

#include <fcntl.h>

#include "preload/libc.hpp"
#include "preload/syscalls.hpp"

namespace cudafault {

void complain(const char* text) {
    char line[512];
    Message message(line);
    message.add("cudafault: ");
    message.add(text);
    const size_t size = Text(line).size;
    line[size] = '\n';  // Message leaves room for its terminator
    write_file(2, line, size + 1);
}

const char* log_file() {
    const char* file = environment("CUDAFAULT_LOG");
    return file && *file ? file : nullptr;
}

void append_to_log(const char* line, size_t size) {
    const char* path = log_file();
    if (!path) return;
    const int file = open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (file < 0) return;
    write_file(file, line, size);
    close_file(file);
}

}  // namespace cudafault
