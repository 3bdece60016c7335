// SPDX-License-Identifier: Apache-2.0
// The words of a spec: what stands between spaces and commas.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

constexpr bool is_separator(char c) { return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r'; }

// Takes the next word off `rest`; empty at the end.
constexpr Text next_word(Text& rest) {
    size_t start = 0;
    while (start < rest.size && is_separator(rest[start])) ++start;
    size_t end = start;
    while (end < rest.size && !is_separator(rest[end])) ++end;
    const Text word = rest.from(start).first(end - start);
    rest = rest.from(end);
    return word;
}

constexpr bool is_blank(Text text) { return next_word(text).empty(); }

// The position of `wanted`, or the size of the text.
constexpr size_t find(Text text, char wanted) {
    size_t at = 0;
    while (at < text.size && text[at] != wanted) ++at;
    return at;
}

}  // namespace cudafault
