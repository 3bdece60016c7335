// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/encoding.hpp"

#include <cstdint>

namespace cudafault::kube {

namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kWhiteSpace = " \t\r\n";

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~").find(c) != std::string_view::npos;
}

// Returns the sextets without white space and padding, or nullopt if the padding is invalid.
std::optional<std::string> without_padding(std::string_view text) {
    std::string packed;
    for (char c : text) {
        if (kWhiteSpace.find(c) == std::string_view::npos) packed += c;
    }
    if (packed.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && packed.ends_with('='); ++i) packed.pop_back();
    return packed;
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text;
    uint32_t bits = 0;
    int count = 0;
    for (unsigned char byte : bytes) {
        bits = bits << 8 | byte;
        for (count += 8; count >= 6; count -= 6) text += kBase64[bits >> (count - 6) & 63];
    }
    if (count > 0) text += kBase64[bits << (6 - count) & 63];
    while (text.size() % 4 != 0) text += '=';
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    const auto packed = without_padding(text);
    if (!packed) return std::nullopt;
    std::string bytes;
    uint32_t bits = 0;
    int count = 0;
    for (char c : *packed) {
        const size_t sextet = kBase64.find(c);
        if (sextet == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<uint32_t>(sextet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>(bits >> count & 255);
        }
    }
    return bytes;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (char c : text) {
        if (is_unreserved(c)) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', digits[byte >> 4], digits[byte & 15]};
        }
    }
    return encoded;
}

std::string lower_case(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

std::string query_string(const Query& query) {
    std::string text;
    for (const auto& [name, value] : query) {
        text += (text.empty() ? "?" : "&") + percent_encode(name) + "=" + percent_encode(value);
    }
    return text;
}

}  // namespace cudafault::kube
