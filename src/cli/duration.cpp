// SPDX-License-Identifier: Apache-2.0
#include "cli/duration.hpp"

#include <fmt/format.h>

#include "fault/values.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

// The current time plus a duration must fit into 64 bits of nanoseconds.
constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(100 * 365 * 24);

bool parse(const std::string& text, uint64_t& out_ns) {
    return parse_duration(local::text_of(text), out_ns, BareNumber::seconds) &&
           out_ns <= static_cast<uint64_t>(kLongest.count());
}

[[noreturn]] void refuse(const char* option, const std::string& text, const char* expected) {
    throw local::Error(local::kUsage, fmt::format("invalid {} \"{}\": expected {}", option, text, expected));
}

}  // namespace

std::chrono::nanoseconds duration_option(const char* option, const std::string& text) {
    uint64_t ns = 0;
    if (!parse(text, ns) || ns == 0) refuse(option, text, "a duration such as 90s, 30m or 4h");
    return std::chrono::nanoseconds(ns);
}

std::chrono::seconds seconds_option(const char* option, const std::string& text) {
    constexpr uint64_t kNsPerSecond = 1'000'000'000;
    uint64_t ns = 0;
    if (!parse(text, ns) || ns % kNsPerSecond != 0) refuse(option, text, "whole seconds such as 0, 30s or 2m");
    return std::chrono::seconds(ns / kNsPerSecond);
}

}  // namespace cudafault::cli
