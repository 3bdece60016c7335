// SPDX-License-Identifier: Apache-2.0
#include "fault/text.hpp"

#include <gtest/gtest.h>

#include "fault/words.hpp"

namespace cudafault {
namespace {

TEST(Glob, MatchesWholeTexts) {
    struct Case {
        const char *pattern, *text;
        bool matches;
    };
    const Case cases[] = {
        {"", "", true},       {"", "a", false},     {"*", "", true},         {"*", "abc", true},
        {"**", "abc", true},  {"?", "", false},     {"?", "a", true},        {"?", "ab", false},
        {"a*", "a", true},    {"a*", "ba", false},  {"*a", "ba", true},      {"*a", "ab", false},
        {"a*c", "abc", true}, {"a*c", "ac", true},  {"a*c", "acb", false},   {"*b*", "abc", true},
        {"a?c", "abc", true}, {"a?c", "ac", false}, {"*aab", "aaaab", true}, {"a*b*c", "a-b-b-c", true},
        {"*?", "", false},    {"*?", "a", true},    {"?*?", "a", false},     {"?*?", "ab", true},
        {"[a]", "a", false},  {"[a]", "[a]", true}, {"\\*", "*", false},     {"\\*", "\\abc", true},
        {"A", "a", false},    {"*", "*", true},     {"*a*b", "xaxxb", true}, {"*a*b", "xaxxbc", false},
    };
    for (const Case& c : cases) EXPECT_EQ(glob_match(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
}

TEST(Text, ComparesInByteOrder) {
    EXPECT_EQ(compare("cu", "cu"), 0);
    EXPECT_LT(compare("cu", "cuI"), 0);
    EXPECT_GT(compare("cuda", "cuI"), 0);
    EXPECT_GT(compare("cu_", "cuZ"), 0);
    EXPECT_GT(compare("\x80", "z"), 0);
}

TEST(Words, AreSplitAtSeparators) {
    Text rest = " a,,b\t\nc ";
    EXPECT_TRUE(next_word(rest) == Text("a"));
    EXPECT_TRUE(next_word(rest) == Text("b"));
    EXPECT_TRUE(next_word(rest) == Text("c"));
    EXPECT_TRUE(next_word(rest).empty());
    EXPECT_TRUE(is_blank(" ,\r\n"));
    EXPECT_FALSE(is_blank(" ;"));
}

}  // namespace
}  // namespace cudafault
