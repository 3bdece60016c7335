// SPDX-License-Identifier: Apache-2.0
// Defines the tokenizer of the spec grammar (docs/plans.md), which splits a spec into faults, and a fault into words.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

constexpr bool is_separator(char c) { return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r'; }

// Returns the position of `wanted`, or the size of the text if it is not found.
constexpr size_t find(Text text, char wanted) {
    size_t at = 0;
    while (at < text.size && text[at] != wanted) ++at;
    return at;
}

// Returns true if a comment starts at this position. A comment starts with a # at the start of a word and ends with its
// line.
constexpr bool is_comment_start(Text text, size_t at) {
    return at < text.size && text[at] == '#' && (at == 0 || is_separator(text[at - 1]));
}

// Returns the first position at or after `at` that is not in a comment.
constexpr size_t skip_comment(Text text, size_t at) {
    if (!is_comment_start(text, at)) return at;
    return at + find(text.from(at), '\n');
}

// Removes the next word from `rest` and returns it. Returns an empty text at the end.
constexpr Text next_word(Text& rest) {
    size_t start = skip_comment(rest, 0);
    while (start < rest.size && is_separator(rest[start])) start = skip_comment(rest, start + 1);
    size_t end = start;
    while (end < rest.size && !is_separator(rest[end])) ++end;
    const Text word = rest.from(start).first(end - start);
    rest = rest.from(end);
    return word;
}

constexpr bool is_blank(Text text) { return next_word(text).empty(); }

// Returns the end of the first fault of a spec: the first semicolon outside comments, or the end of the text.
constexpr size_t fault_end(Text spec) {
    size_t at = skip_comment(spec, 0);
    while (at < spec.size && spec[at] != ';') at = skip_comment(spec, at + 1);
    return at;
}

// Removes the next non-blank fault from `rest` and returns it without its semicolon. Returns an empty text at the end.
constexpr Text next_fault(Text& rest) {
    while (!rest.empty()) {
        const Text fault = rest.first(fault_end(rest));
        rest = rest.from(fault.size < rest.size ? fault.size + 1 : fault.size);
        if (!is_blank(fault)) return fault;
    }
    return {};
}

// A word of a fault: key=value, or only a value, which continues the list that a preceding word starts.
struct SpecWord {
    Text text;
    Text key;
    Text value;
    bool has_key = false;
};

// Removes the next word from `fault`. Returns false at the end.
constexpr bool next_spec_word(Text& fault, SpecWord& out) {
    out.text = next_word(fault);
    const size_t equals = find(out.text, '=');
    out.has_key = equals < out.text.size;
    out.key = out.has_key ? out.text.first(equals) : Text();
    out.value = out.has_key ? out.text.from(equals + 1) : out.text;
    return !out.text.empty();
}

}  // namespace cudafault
