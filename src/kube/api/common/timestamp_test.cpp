// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/timestamp.hpp"

#include <gmock/gmock.h>

namespace cudafault::kube {

namespace {

TEST(ParseTimestamp, ParsesZonesAndFractions) {
    const auto at = [](const char* text) {
        const auto time = parse_timestamp(text);
        return time ? std::chrono::system_clock::to_time_t(*time) : -1;
    };
    EXPECT_EQ(at("1970-01-02T00:00:00Z"), 86400);
    EXPECT_EQ(at("1970-01-02T00:00:00.999999Z"), 86400);
    EXPECT_EQ(at("1970-01-02T01:30:00+01:30"), 86400);
    EXPECT_EQ(at("1970-01-01T22:00:00-02:00"), 86400);
    for (const char* text : {"", "1970-01-02", "1970-01-02T00:00:00", "1970-01-02T00:00:00Zx", "1970-13-02T00:00:00Z",
                             "1970-01-02T00:00:00 01:00", "1970-01-02T00:00:00+01:0"}) {
        EXPECT_EQ(at(text), -1) << text;
    }
}

TEST(UtcNow, HasSecondsAndZone) {
    EXPECT_THAT(utc_now(),
                testing::MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
}

}  // namespace

}  // namespace cudafault::kube
