// SPDX-License-Identifier: Apache-2.0
// A time namespace shifts CLOCK_MONOTONIC, CLOCK_BOOTTIME and the start times in /proc. Processes of one run may be in
// different ones, so what they share is counted without the shift. Freestanding: the preload library uses it, too.
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

// Reads lines such as "monotonic  86400  0" (seconds, nanoseconds). All zero if the content is empty, as in a kernel
// without time namespaces.
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

// CLOCK_MONOTONIC, the same in all time namespaces.
inline uint64_t shared_monotonic_ns(const TimeOffsets& offsets) {
    return monotonic_ns() - static_cast<uint64_t>(offsets.monotonic_ns);
}

// A start time of /proc/PID/stat, the same in all time namespaces.
constexpr uint64_t shared_start_time(uint64_t ticks, const TimeOffsets& offsets) {
    constexpr int64_t kNsPerTick = 10'000'000;  // USER_HZ is 100 on x86-64 and aarch64
    return ticks - static_cast<uint64_t>(offsets.boottime_ns / kNsPerTick);
}

}  // namespace cudafault
