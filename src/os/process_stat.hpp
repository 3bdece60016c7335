// SPDX-License-Identifier: Apache-2.0
// Identity of a process. A process id is used again after a while; together with the start time it is not.
// Freestanding: the preload library uses it, too.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

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

// What follows the name, which is in parentheses and may contain anything, parentheses included.
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

// The start time (clock ticks since boot, as the reader's time namespace counts them) in the content of
// /proc/PID/stat. 0 if the content is malformed or the process has ended: its main thread is a zombie or dead, and no
// other thread is left.
constexpr uint64_t start_time_in(Text stat) {
    const Text state = detail::field_of(stat, detail::kStateField);
    const bool has_exited = state == Text("Z") || state == Text("X") || state == Text("x");
    if (has_exited && detail::number_of(detail::field_of(stat, detail::kThreadsField)) < 2) return 0;
    return detail::number_of(detail::field_of(stat, detail::kStartTimeField));
}

// The parent's process id; 0 if the content is malformed or the parent is in an outer PID namespace.
constexpr int parent_in(Text stat) {
    return static_cast<int>(detail::number_of(detail::field_of(stat, detail::kParentField)));
}

}  // namespace cudafault
