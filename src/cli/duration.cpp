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

}  // namespace

std::chrono::nanoseconds duration_option(const char* option, const std::string& text) {
    uint64_t ns = 0;
    if (!parse_duration(local::text_of(text), ns, BareNumber::seconds) || ns == 0 ||
        ns > static_cast<uint64_t>(kLongest.count())) {
        throw local::Error(local::kUsage,
                           fmt::format("invalid {} \"{}\": expected a duration such as 90s, 30m or 4h", option, text));
    }
    return std::chrono::nanoseconds(ns);
}

}  // namespace cudafault::cli
