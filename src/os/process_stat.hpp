// SPDX-License-Identifier: Apache-2.0
// Parses /proc/PID/stat. Process ids are reused, so a process is identified by its id and its start time together, and
// across machines and boots also by the id of the boot.
// Freestanding, because the fault library uses this header.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

inline constexpr const char* kBootIdFile = "/proc/sys/kernel/random/boot_id";

namespace detail {

constexpr int kStateField = 3, kParentField = 4, kThreadsField = 20, kStartTimeField = 22;

constexpr uint64_t number_of(Text digits) {
    uint64_t number = 0;
    for (size_t i = 0; i < digits.size; ++i) {
        if (digits[i] < '0' || digits[i] > '9') return 0;
        number = number * 10 + static_cast<uint64_t>(digits[i] - '0');
    }
    return number;
}

// Returns the text after the name. The name is in parentheses and may contain any character, including a parenthesis.
constexpr Text after_name(Text stat) {
    size_t end = stat.size;
    while (end > 0 && stat[end - 1] != ')') --end;
    return end > 0 ? stat.from(end) : Text();
}

constexpr Text field_of(Text stat, int wanted) {
    Text rest = after_name(stat);
    for (int field = kStateField;; ++field) {
        while (rest.size > 0 && rest[0] == ' ') rest = rest.from(1);
        size_t end = 0;
        while (end < rest.size && rest[end] != ' ' && rest[end] != '\n') ++end;
        if (field == wanted || end == 0) return rest.first(end);
        rest = rest.from(end);
    }
}

}  // namespace detail

// Returns the start time in the content of /proc/PID/stat, in clock ticks since boot with the offset of the reader's
// time namespace. Returns 0 if the content is malformed or the process has ended: its main thread is a zombie or dead,
// and no other thread runs (D-125).
constexpr uint64_t start_time_in(Text stat) {
    const Text state = detail::field_of(stat, detail::kStateField);
    const bool has_exited = state == Text("Z") || state == Text("X") || state == Text("x");
    if (has_exited && detail::number_of(detail::field_of(stat, detail::kThreadsField)) < 2) return 0;
    return detail::number_of(detail::field_of(stat, detail::kStartTimeField));
}

// Returns the parent's process id, or 0 if the content is malformed or the parent is in an outer PID namespace.
constexpr int parent_in(Text stat) {
    return static_cast<int>(detail::number_of(detail::field_of(stat, detail::kParentField)));
}

}  // namespace cudafault
