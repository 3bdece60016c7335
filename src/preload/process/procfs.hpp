// SPDX-License-Identifier: Apache-2.0
// What /proc tells.
#pragma once

#include "fault/text.hpp"
#include "os/time_namespace.hpp"

namespace cudafault {

// Reads a small file whole, terminates it, and says how much there was; 0 if it cannot be read.
size_t read_small_file(const char* path, char* buffer, size_t capacity);

template <size_t N>
size_t read_small_file(const char* path, char (&buffer)[N]) {
    return read_small_file(path, buffer, N);
}

// The start time of a process (start_time_in), "self" or a process id; 0: it does not exist or has ended.
uint64_t start_time_of(Text process);

// By how much this process's time namespace shifts its clocks.
TimeOffsets read_time_offsets();

// The id of this boot; empty if unknown.
size_t read_boot_id(char (&out)[40]);

}  // namespace cudafault
