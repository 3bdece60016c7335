// SPDX-License-Identifier: Apache-2.0
// Clocks, read by system call: a library such as libfaketime replaces libc's functions, and a process with a changed
// clock must still agree with the others of its run. Freestanding: the preload library uses it, too.
#pragma once

#include <stdint.h>
#include <time.h>

#include "os/system_call.hpp"

namespace cudafault {

// Nanoseconds of CLOCK_REALTIME, CLOCK_MONOTONIC, ...
inline uint64_t clock_ns(int clock) {
    timespec time = {};
    system_call(SYS_clock_gettime, clock, address_of(&time));
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

inline uint64_t wall_clock_ns() { return clock_ns(CLOCK_REALTIME); }
inline uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace cudafault
