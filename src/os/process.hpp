// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace cudafault {

// Returns the start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), without the offset of
// this process's time namespace. Returns nullopt if the process does not exist or is a zombie. Thread-safe.
std::optional<uint64_t> start_time(pid_t pid);

// Returns the kernel's id of this boot, or an empty string if /proc is not mounted. Thread-safe.
std::string boot_id();

// Returns CLOCK_MONOTONIC in nanoseconds, without the offset of this process's time namespace. Thread-safe.
uint64_t shared_monotonic_ns();

}  // namespace cudafault
