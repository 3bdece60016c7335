// SPDX-License-Identifier: Apache-2.0
#include "os/time_namespace.hpp"

#include <gtest/gtest.h>

namespace cudafault {
namespace {

TEST(TimeOffsets, AreParsedInTheFormatOfTheKernel) {
    const TimeOffsets offsets = time_offsets_in("monotonic      100000         5\nboottime          -3 500000000\n");
    EXPECT_EQ(offsets.monotonic_ns, 100'000'000'000'005);
    EXPECT_EQ(offsets.boottime_ns, -2'500'000'000);
}

TEST(TimeOffsets, AreZeroWithoutTimeNamespaces) {
    const TimeOffsets offsets = time_offsets_in("");
    EXPECT_EQ(offsets.monotonic_ns, 0);
    EXPECT_EQ(offsets.boottime_ns, 0);
}

TEST(SharedTimes, ExcludeTheOffset) {
    const TimeOffsets offsets{1'000'000'000, -20'000'000'000};
    const uint64_t before = monotonic_ns();
    EXPECT_GE(shared_monotonic_ns(offsets) + 1'000'000'000, before);
    EXPECT_LT(shared_monotonic_ns(offsets), before);
    EXPECT_EQ(shared_start_time(5000, offsets), 7000U);
}

}  // namespace
}  // namespace cudafault
