// SPDX-License-Identifier: Apache-2.0
#include "preload/process/procfs.hpp"

#include <fcntl.h>

#include "fault/message.hpp"
#include "os/process_stat.hpp"
#include "os/system_call.hpp"
#include "preload/resolve/elf.hpp"

namespace cudafault {

namespace {

void copy_base_name(Text path, char (&out)[kMaxGlob]) {
    const Text name = base_name_of(path);
    for (size_t i = 0; i + 1 < kMaxGlob && i < name.size; ++i) out[i] = name[i];
}

}  // namespace

size_t read_small_file(const char* path, char* buffer, size_t capacity) {
    const int file = open_file(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    while (file >= 0 && size + 1 < capacity) {
        const long got = read_file(file, buffer + size, capacity - 1 - size);
        if (got <= 0) break;
        size += static_cast<size_t>(got);
    }
    if (file >= 0) close_file(file);
    buffer[size] = '\0';
    return size;
}

uint64_t start_time_of(Text process) {
    char path[64], stat[1024];
    Message name(path);
    name.add("/proc/");
    name.add(process);
    name.add("/stat");
    return start_time_in(Text(stat, read_small_file(path, stat)));
}

void read_program_names(char (&program)[kMaxGlob], char (&script)[kMaxGlob]) {
    char line[4096];
    const Text text(line, read_small_file("/proc/self/cmdline", line));
    bool first = true;
    for (size_t at = 0; at < text.size;) {
        const Text word(text.data + at);
        at += word.size + 1;
        if (first) {
            copy_base_name(word, program);
            first = false;
        } else if (!starts_with(word, "-")) {
            copy_base_name(word, script);
            return;
        }
    }
}

size_t read_boot_id(char (&out)[40]) {
    size_t size = read_small_file("/proc/sys/kernel/random/boot_id", out);
    while (size > 0 && out[size - 1] == '\n') out[--size] = '\0';
    return size;
}

}  // namespace cudafault
