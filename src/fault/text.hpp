// SPDX-License-Identifier: Apache-2.0
// Defines a view of characters. std::string_view would need libstdc++, which the program may not load.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cudafault {

struct Text {
    const char* data = nullptr;
    size_t size = 0;

    constexpr Text() = default;
    constexpr Text(const char* start, size_t length) : data(start), size(length) {}
    constexpr Text(const char* terminated) : data(terminated), size(0) {
        while (terminated && terminated[size]) ++size;
    }

    constexpr char operator[](size_t i) const { return data[i]; }
    constexpr bool empty() const { return size == 0; }
    constexpr Text from(size_t start) const { return {data + start, size - start}; }
    constexpr Text first(size_t count) const { return {data, count}; }
};

constexpr bool operator==(Text a, Text b) {
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}
constexpr bool operator!=(Text a, Text b) { return !(a == b); }

constexpr bool starts_with(Text text, Text prefix) {
    return text.size >= prefix.size && text.first(prefix.size) == prefix;
}

// Returns the character, or '?' if it is not printable ASCII.
constexpr char printable_ascii(char c) { return c >= ' ' && c <= '~' ? c : '?'; }

// Returns <0, 0 or >0, in byte order. The function table is sorted in this order.
constexpr int compare(Text a, Text b) {
    for (size_t i = 0; i < a.size && i < b.size; ++i) {
        if (a[i] != b[i]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]) ? -1 : 1;
    }
    return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

// Matches the whole text: * matches any characters, ? matches any single character, and every other character matches
// itself.
constexpr bool glob_match(Text pattern, Text text) {
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.size) {
        if (p < pattern.size && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
            ++p, ++t;
        } else if (p < pattern.size && pattern[p] == '*') {
            star = p++, mark = t;
        } else if (star != SIZE_MAX) {
            p = star + 1, t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern[p] == '*') ++p;
    return p == pattern.size;
}

}  // namespace cudafault
