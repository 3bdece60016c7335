// SPDX-License-Identifier: Apache-2.0
// A time namespace adds offsets to CLOCK_MONOTONIC, CLOCK_BOOTTIME and the start times in /proc. The processes of a run
// may be in different time namespaces, so the times that they share do not include the offsets (D-123). Freestanding,
// because the fault library uses this header.
#pragma once

#include "fault/text.hpp"
#include "fault/words.hpp"
#include "os/clock.hpp"

namespace cudafault {

inline constexpr const char* kTimeOffsetsFile = "/proc/self/timens_offsets";

struct TimeOffsets {
    int64_t monotonic_ns = 0, boottime_ns = 0;
};

namespace detail {

constexpr int64_t signed_number_of(Text word) {
    const bool is_negative = starts_with(word, "-");
    int64_t number = 0;
    for (size_t i = is_negative ? 1 : 0; i < word.size; ++i) number = number * 10 + (word[i] - '0');
    return is_negative ? -number : number;
}

}  // namespace detail

// Parses lines such as "monotonic  86400  0" (seconds, nanoseconds). All offsets are 0 if the content is empty, as on a
// kernel without time namespaces.
constexpr TimeOffsets time_offsets_in(Text content) {
    TimeOffsets offsets;
    for (Text clock = next_word(content); !clock.empty(); clock = next_word(content)) {
        const int64_t seconds = detail::signed_number_of(next_word(content));
        const int64_t ns = seconds * 1'000'000'000 + detail::signed_number_of(next_word(content));
        if (clock == Text("monotonic")) offsets.monotonic_ns = ns;
        if (clock == Text("boottime")) offsets.boottime_ns = ns;
    }
    return offsets;
}

// Returns CLOCK_MONOTONIC in nanoseconds, without the offset of the time namespace.
inline uint64_t shared_monotonic_ns(const TimeOffsets& offsets) {
    return monotonic_ns() - static_cast<uint64_t>(offsets.monotonic_ns);
}

// Returns a start time of /proc/PID/stat, in clock ticks, without the offset of the time namespace.
constexpr uint64_t shared_start_time(uint64_t ticks, const TimeOffsets& offsets) {
    constexpr int64_t kNsPerTick = 10'000'000;  // USER_HZ is 100 on x86-64 and aarch64
    return ticks - static_cast<uint64_t>(offsets.boottime_ns / kNsPerTick);
}

}  // namespace cudafault
