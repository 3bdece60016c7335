// SPDX-License-Identifier: Apache-2.0
// Builds a bounded text without heap or stdio.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

// Untrusted text. It is added in quotes and shortened, with '?' for each character that is not printable ASCII.
struct Quoted {
    Text text;
};

class TextBuilder {
public:
    template <size_t N>
    explicit TextBuilder(char (&buffer)[N]) : buffer_(buffer), capacity_(N) {
        buffer_[0] = '\0';
    }

    void add(Text text);
    void add(const char* text) { add(Text(text)); }
    void add(Quoted quoted);
    void add(uint64_t number);

private:
    void put(char c);

    char* buffer_;
    size_t capacity_;
    size_t size_ = 0;
};

}  // namespace cudafault
