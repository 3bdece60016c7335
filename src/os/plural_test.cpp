// SPDX-License-Identifier: Apache-2.0
#include "os/plural.hpp"

#include <gtest/gtest.h>

namespace cudafault {

namespace {

TEST(Plural, AddsSOrEs) {
    EXPECT_EQ(plural(1, "event"), "1 event");
    EXPECT_EQ(plural(0, "event"), "0 events");
    EXPECT_EQ(plural(2, "process"), "2 processes");
}

}  // namespace

}  // namespace cudafault
