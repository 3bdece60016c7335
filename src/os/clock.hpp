// SPDX-License-Identifier: Apache-2.0
// Reads clocks by system call, because a library such as libfaketime replaces libc's functions, and a process with a
// changed clock must still agree with the other processes of its run (D-122). Thread-safe; does not change errno.
// Freestanding, because the fault library uses this header.
#pragma once

#include <stdint.h>
#include <time.h>

#include "os/system_call.hpp"

namespace cudafault {

// Returns the time of a clock such as CLOCK_MONOTONIC in nanoseconds, or 0 if the clock does not exist.
inline uint64_t clock_ns(int clock) {
    timespec time = {};
    system_call(SYS_clock_gettime, clock, address_of(&time));
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

// CLOCK_REALTIME: nanoseconds since the epoch.
inline uint64_t wall_clock_ns() { return clock_ns(CLOCK_REALTIME); }
inline uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace cudafault
