// SPDX-License-Identifier: Apache-2.0
// Reads files in /proc. Thread-safe; allocates no memory.
#pragma once

#include "fault/text.hpp"
#include "os/time_namespace.hpp"

namespace cudafault {

// Reads up to capacity - 1 bytes of a file and adds '\0'. Returns the number of bytes, or 0 if the file cannot be read.
size_t read_small_file(const char* path, char* buffer, size_t capacity);

template <size_t N>
size_t read_small_file(const char* path, char (&buffer)[N]) {
    return read_small_file(path, buffer, N);
}

// Returns the start time of a process (see start_time_in), or 0 if the process does not exist or has ended. `process`
// is "self" or a process id.
uint64_t start_time_of(Text process);

// Returns the clock offsets of this process's time namespace.
TimeOffsets read_time_offsets();

// Reads the boot id of the kernel. Returns its length, or 0 if the file cannot be read.
size_t read_boot_id(char (&out)[40]);

}  // namespace cudafault
