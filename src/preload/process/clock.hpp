// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <time.h>

#include "preload/process/syscalls.hpp"

namespace cudafault {

inline uint64_t clock_ns(int clock) {
    timespec time{};
    system_call(SYS_clock_gettime, clock, address_of(&time));
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

// Yields the processor until done() is true or limit_ns have passed; returns whether done() was true.
template <typename Done>
bool wait_briefly(Done done, uint64_t limit_ns = 1'000'000) {
    if (done()) return true;
    const uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + limit_ns;
    do {
        if (clock_ns(CLOCK_MONOTONIC) > deadline) return false;
        system_call(SYS_sched_yield);  // the thread that is waited for may need this core
    } while (!done());
    return true;
}

}  // namespace cudafault
