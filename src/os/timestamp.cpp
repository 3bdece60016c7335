// SPDX-License-Identifier: Apache-2.0
#include "os/timestamp.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "fault/values.hpp"

namespace cudafault {

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

std::string fraction(uint64_t ns, Precision precision) {
    if (precision == Precision::seconds) return "";
    return "." + fmt::format("{:09}", ns % kNsPerSecond).substr(0, static_cast<size_t>(precision));
}

}  // namespace

std::string utc_text(uint64_t ns, Precision precision) {
    const auto seconds = static_cast<std::time_t>(ns / kNsPerSecond);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}{}Z", fmt::gmtime(seconds), fraction(ns, precision));
}

std::string utc_text(SystemTime time, Precision precision) {
    const std::chrono::nanoseconds since_epoch = time.time_since_epoch();
    return utc_text(static_cast<uint64_t>(since_epoch.count()), precision);
}

std::optional<SystemTime> parse_timestamp(const std::string& text) {
    uint64_t ns = 0;
    if (!parse_timestamp({text.data(), text.size()}, ns)) return std::nullopt;
    return SystemTime(std::chrono::nanoseconds(ns));
}

}  // namespace cudafault
