// SPDX-License-Identifier: Apache-2.0
#include "os/timestamp.hpp"

#include <gtest/gtest.h>

namespace cudafault {
namespace {

TEST(UtcText, HasTheRequestedDigits) {
    constexpr uint64_t kTime = 1'795'521'600'123'456'789;
    EXPECT_EQ(utc_text(kTime), "2026-11-24T12:00:00.123456789Z");
    EXPECT_EQ(utc_text(kTime, Precision::microseconds), "2026-11-24T12:00:00.123456Z");
    EXPECT_EQ(utc_text(kTime, Precision::seconds), "2026-11-24T12:00:00Z");
    EXPECT_EQ(utc_text(1), "1970-01-01T00:00:00.000000001Z");
    EXPECT_EQ(utc_text(std::chrono::system_clock::from_time_t(60), Precision::seconds), "1970-01-01T00:01:00Z");
}

std::time_t seconds_of(const char* text) {
    const auto time = parse_timestamp(text);
    return time ? std::chrono::system_clock::to_time_t(*time) : -1;
}

TEST(ParseTimestamp, ReadsZonesAndFractions) {
    EXPECT_EQ(seconds_of("1970-01-02T00:00:00Z"), 86400);
    EXPECT_EQ(seconds_of("1970-01-02T00:00:00.999999Z"), 86400);
    EXPECT_EQ(seconds_of("1970-01-02T01:30:00+01:30"), 86400);
    EXPECT_EQ(seconds_of("1970-01-01T22:00:00-02:00"), 86400);
    EXPECT_EQ(seconds_of("2026-11-24T13:00:00.5+01:00"), 1'795'521'600);
}

TEST(ParseTimestamp, RejectsInvalidText) {
    for (const char* text :
         {"", "1970-01-02", "1970-01-02T00:00:00", "1970-01-02T00:00:00Zx", "1970-13-02T00:00:00Z",
          "1970-02-29T00:00:00Z", "1970-01-02T24:00:00Z", "1970-01-02T00:00:00 01:00", "1970-01-02T00:00:00+01:0",
          "1970-01-02T00:00:00+24:00", "1970-01-02T00:00:00+01:60", "1970-01-01T00:00:00+01:00", "yesterday"}) {
        EXPECT_EQ(seconds_of(text), -1) << text;
    }
}

TEST(ParseTimestamp, ReadsTheOutputOfUtcText) {
    EXPECT_EQ(utc_text(*parse_timestamp("2026-11-23T12:00:00.123456789Z"), Precision::nanoseconds),
              "2026-11-23T12:00:00.123456789Z");
}

}  // namespace
}  // namespace cudafault
