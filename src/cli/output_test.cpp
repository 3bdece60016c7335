// SPDX-License-Identifier: Apache-2.0
#include "cli/output.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace cudafault::cli {

namespace {

using nlohmann::json;

TEST(Table, AlignsColumnsByCharacters) {
    Table table({"name", "n", "last"});
    table.add({"é", "10", "x"});
    table.add({"long name", "2", ""});
    EXPECT_EQ(table.text("> "),
              "> name       n   last\n"
              "> é          10  x\n"
              "> long name  2\n");
}

TEST(DurationText, UsesTheLargestUnitWithAWholeNumber) {
    EXPECT_EQ(duration_text(90'000'000'000), "90 s");
    EXPECT_EQ(duration_text(7'200'000'000'000), "2 h");
    EXPECT_EQ(duration_text(120'000'000'000), "2 min");
    EXPECT_EQ(duration_text(200'000'000), "200 ms");
    EXPECT_EQ(duration_text(5'000), "5 us");
    EXPECT_EQ(duration_text(1), "1 ns");
}

TEST(CommandText, IsQuotedForAShell) {
    EXPECT_EQ(command_text(json{"sh", "-c", "echo it's $A", "", "a,b"}), "sh -c 'echo it'\\''s $A' '' a,b");
    EXPECT_EQ(command_text(json{"a\nb\033\x7f"}), "'a b  '");
}

TEST(LocalTime, IsInTheLocalTimeZone) {
    setenv("TZ", "UTC-2", 1);
    tzset();
    EXPECT_EQ(local_time("2026-11-23T23:00:00.123456789Z"), "2026-11-24 01:00:00.123");
    EXPECT_EQ(local_time("yesterday"), "yesterday");
}

TEST(Paint, AddsNoColorsInAFile) { EXPECT_EQ(paint(Paint::bad, "x"), "x"); }

}  // namespace

}  // namespace cudafault::cli
