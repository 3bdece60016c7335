// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/numbers.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace cudafault::kube {

namespace {

TEST(ParseInteger, ParsesTheWholeText) {
    EXPECT_EQ(parse_integer<int>("42"), 42);
    EXPECT_EQ(parse_integer<int>("-7"), -7);
    EXPECT_EQ(parse_integer<int64_t>("9223372036854775807"), INT64_MAX);
}

TEST(ParseInteger, RefusesOtherText) {
    for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x1", "1.0", "4294967296"}) {
        EXPECT_FALSE(parse_integer<int>(text)) << text;
    }
    EXPECT_FALSE(parse_integer<uint64_t>("-1"));
}

}  // namespace

}  // namespace cudafault::kube
