// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace cudafault::kube {

// Parses a decimal integer. Returns nullopt if the text contains anything else, or if the number is out of range.
template <typename Number>
std::optional<Number> parse_integer(std::string_view text) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [parsed_end, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && parsed_end == end ? std::optional(number) : std::nullopt;
}

}  // namespace cudafault::kube
