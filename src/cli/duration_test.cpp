// SPDX-License-Identifier: Apache-2.0
#include "cli/duration.hpp"

#include <gtest/gtest.h>

#include "local/error.hpp"

namespace cudafault::cli {
namespace {

using namespace std::chrono_literals;

TEST(DurationOption, AcceptsTheDurationsOfAPlanAndSeconds) {
    EXPECT_EQ(duration_option("--timeout", "90"), 90s);
    EXPECT_EQ(duration_option("--timeout", "1.5"), 1500ms);
    EXPECT_EQ(duration_option("--timeout", "500ms"), 500ms);
    EXPECT_EQ(duration_option("--timeout", "1.5h"), 90min);
    EXPECT_EQ(duration_option("--timeout", "2d"), 48h);
    EXPECT_EQ(duration_option("--timeout", "36500d"), 36500 * 24h);
}

TEST(DurationOption, TheErrorNamesTheOptionAndTheValue) {
    for (const char* bad : {"", "0", "0s", "-1", "nan", "inf", "1e3", "0x10", "5 parsecs", "m", "36501d", "1m30"}) {
        try {
            duration_option("--expires", bad);
            ADD_FAILURE() << bad << " was accepted";
        } catch (const local::Error& error) {
            EXPECT_EQ(error.exit_code, local::kUsage);
            EXPECT_EQ(error.what(),
                      std::string("invalid --expires \"") + bad + "\": expected a duration such as 90s, 30m or 4h");
        }
    }
}

TEST(SecondsOption, AcceptsTheSameFormsInWholeSeconds) {
    EXPECT_EQ(seconds_option("--grace", "0"), 0s);
    EXPECT_EQ(seconds_option("--grace", "30"), 30s);
    EXPECT_EQ(seconds_option("--grace", "30s"), 30s);
    EXPECT_EQ(seconds_option("--grace", "1.5m"), 90s);
    for (const char* bad : {"", "-1", "1.5", "500ms", "36501d"}) {
        EXPECT_THROW(seconds_option("--grace", bad), local::Error) << bad;
    }
}

}  // namespace
}  // namespace cudafault::cli
