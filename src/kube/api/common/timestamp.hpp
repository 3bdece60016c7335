// SPDX-License-Identifier: Apache-2.0
// RFC 3339 time stamps, as Kubernetes writes them.
#pragma once

#include <chrono>
#include <ctime>
#include <optional>
#include <string>

namespace cudafault::kube {

using SystemTime = std::chrono::system_clock::time_point;

// Accepts a fraction of a second, which is ignored, and an offset: "2026-11-24T10:00:00Z", "...00.5+01:00". Nothing if
// the text is not a time stamp.
std::optional<SystemTime> parse_timestamp(const std::string& text);

std::string utc(std::time_t time);  // "2026-11-24T13:00:00Z"
std::string utc_now();

}  // namespace cudafault::kube
