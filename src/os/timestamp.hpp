// SPDX-License-Identifier: Apache-2.0
// Formats and parses RFC 3339 timestamps.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace cudafault {

using SystemTime = std::chrono::system_clock::time_point;

enum class Precision { seconds = 0, microseconds = 6, nanoseconds = 9 };

// Formats a time in UTC, such as 2026-11-23T12:00:00Z. `ns` is nanoseconds since the epoch. Truncates digits beyond the
// precision.
std::string utc_text(uint64_t ns, Precision precision = Precision::nanoseconds);
std::string utc_text(SystemTime time, Precision precision);

// Parses a time in any zone, with up to nine fractional digits. Returns nullopt for any other text and for times before
// 1970.
std::optional<SystemTime> parse_timestamp(const std::string& text);

}  // namespace cudafault
