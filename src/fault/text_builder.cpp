// SPDX-License-Identifier: Apache-2.0
#include "fault/text_builder.hpp"

namespace cudafault {

namespace {

constexpr size_t kLongestQuote = 48;

}  // namespace

void TextBuilder::put(char c) {
    if (size_ + 1 >= capacity_) return;
    buffer_[size_++] = c;
    buffer_[size_] = '\0';
}

void TextBuilder::add(Text text) {
    for (size_t i = 0; i < text.size; ++i) put(text[i]);
}

void TextBuilder::add(Quoted quoted) {
    const bool shortened = quoted.text.size > kLongestQuote;
    const Text shown = shortened ? quoted.text.first(kLongestQuote) : quoted.text;
    put('"');
    for (size_t i = 0; i < shown.size; ++i) put(printable_ascii(shown[i]));
    add(shortened ? "...\"" : "\"");
}

void TextBuilder::add(uint64_t number) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) put(digits[--count]);
}

}  // namespace cudafault
