// SPDX-License-Identifier: Apache-2.0
// Parses lists and numbers in texts.
#pragma once

#include <charconv>
#include <string_view>

namespace cudafault::sim {

// Removes the part before the first separator from the list, together with the separator, and returns that part.
inline std::string_view next_item(std::string_view& list, char separator) {
    const size_t end = list.find(separator);
    const std::string_view item = list.substr(0, end);
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
    return item;
}

// Parses the whole text as a number. Returns false if the text is invalid.
template <typename Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace cudafault::sim
