// SPDX-License-Identifier: Apache-2.0
#include "os/preload_list.hpp"

#include <gtest/gtest.h>

namespace cudafault {

namespace {

using Libraries = std::vector<std::string>;

TEST(Preloaded, SplitsAtColonsAndSpaces) {
    EXPECT_EQ(preloaded("/a.so:b.so /c d"), (Libraries{"/a.so", "b.so", "/c", "d"}));
    EXPECT_EQ(preloaded("::/a.so  "), Libraries{"/a.so"});
    EXPECT_EQ(preloaded(""), Libraries{});
    EXPECT_EQ(preloaded(": "), Libraries{});
}

}  // namespace

}  // namespace cudafault
