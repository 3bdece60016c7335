// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/line_splitter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace cudafault::kube {

namespace {

std::vector<std::string> split(const std::vector<std::string>& chunks) {
    LineSplitter lines;
    std::vector<std::string> seen;
    for (const std::string& chunk : chunks) {
        lines.feed(chunk, [&](std::string_view line) {
            seen.emplace_back(line);
            return true;
        });
    }
    return seen;
}

TEST(LineSplitter, IgnoresChunkBoundaries) {
    const std::string text = "one\n\ntwo words\nthree\n";
    const std::vector<std::string> lines = {"one", "", "two words", "three"};
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        EXPECT_EQ(split({text.substr(0, cut), text.substr(cut)}), lines) << cut;
    }
    std::vector<std::string> bytes;
    for (char c : text) bytes.emplace_back(1, c);
    EXPECT_EQ(split(bytes), lines);
}

TEST(LineSplitter, KeepsIncompleteLine) {
    EXPECT_EQ(split({"a\nbc"}), std::vector<std::string>{"a"});
    EXPECT_EQ(split({"a\nbc", "d\n"}), (std::vector<std::string>{"a", "bcd"}));
}

TEST(LineSplitter, StopsImmediately) {
    LineSplitter lines;
    int seen = 0;
    EXPECT_FALSE(lines.feed("a\nb\nc\n", [&](std::string_view) { return ++seen < 2; }));
    EXPECT_EQ(seen, 2);
}

}  // namespace

}  // namespace cudafault::kube
