// SPDX-License-Identifier: Apache-2.0
#include "os/one_line.hpp"

#include <gtest/gtest.h>

namespace cudafault {
namespace {

TEST(OneLine, ReplacesControlCharacters) { EXPECT_EQ(one_line("a\tb\n\033[31m\x7f"), "a b  [31m "); }

TEST(OneLine, KeepsOtherText) { EXPECT_EQ(one_line("50 % of \"é\""), "50 % of \"é\""); }

}  // namespace
}  // namespace cudafault
