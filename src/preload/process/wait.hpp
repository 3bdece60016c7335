// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "os/clock.hpp"

namespace cudafault {

// Yields the processor until done() returns true or limit_ns nanoseconds have passed. Returns true if done() did.
template <typename Done>
bool wait_briefly(Done done, uint64_t limit_ns = 1'000'000) {
    if (done()) return true;
    const uint64_t deadline = monotonic_ns() + limit_ns;
    do {
        if (monotonic_ns() > deadline) return false;
        system_call(SYS_sched_yield);  // the other thread may need this core
    } while (!done());
    return true;
}

}  // namespace cudafault
