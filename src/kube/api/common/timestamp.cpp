// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/timestamp.hpp"

#include <fmt/chrono.h>
#include <time.h>

namespace cudafault::kube {

namespace {

// Seconds east of UTC; nothing if `zone` is none.
std::optional<int> zone_offset(const std::string& zone) {
    if (zone == "Z" || zone == "z") return 0;
    std::string shape = zone;
    for (char& c : shape) {
        if (c >= '0' && c <= '9') c = '0';
    }
    if (shape != "+00:00" && shape != "-00:00") return std::nullopt;
    const int offset = std::stoi(zone.substr(1, 2)) * 3600 + std::stoi(zone.substr(4)) * 60;
    return zone.front() == '-' ? -offset : offset;
}

}  // namespace

std::optional<SystemTime> parse_timestamp(const std::string& text) {
    struct tm parts{};
    const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest) return std::nullopt;
    if (*rest == '.') {
        do ++rest;
        while (*rest >= '0' && *rest <= '9');
    }
    const auto offset = zone_offset(rest);
    if (!offset) return std::nullopt;
    return std::chrono::system_clock::from_time_t(timegm(&parts) - *offset);
}

std::string utc(std::time_t time) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(time)); }

std::string utc_now() { return utc(std::time(nullptr)); }

}  // namespace cudafault::kube
