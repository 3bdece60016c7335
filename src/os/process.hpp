// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace cudafault {

// When a process started, in clock ticks since boot (field 22 of /proc/PID/stat), the same in all time namespaces.
// Empty if there is no such process, or it has ended and waits to be reaped.
std::optional<uint64_t> start_time(pid_t pid);

// CLOCK_MONOTONIC, the same in all time namespaces.
uint64_t shared_monotonic_ns();

}  // namespace cudafault
