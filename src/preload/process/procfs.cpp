// SPDX-License-Identifier: Apache-2.0
#include "preload/process/procfs.hpp"

#include <fcntl.h>

#include "fault/text_builder.hpp"
#include "os/process_stat.hpp"
#include "os/system_call.hpp"

namespace cudafault {

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
    TextBuilder name(path);
    name.add("/proc/");
    name.add(process);
    name.add("/stat");
    return start_time_in(Text(stat, read_small_file(path, stat)));
}

TimeOffsets read_time_offsets() {
    char text[256];
    return time_offsets_in(Text(text, read_small_file(kTimeOffsetsFile, text)));
}

size_t read_boot_id(char (&out)[40]) {
    size_t size = read_small_file(kBootIdFile, out);
    while (size > 0 && out[size - 1] == '\n') out[--size] = '\0';
    return size;
}

}  // namespace cudafault
