// SPDX-License-Identifier: Apache-2.0
#include "os/file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

namespace cudafault {

namespace {

TEST(ReadWholeFile, ReturnsAllBytes) {
    const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "cudafault-file-test";
    const std::string content = std::string(10'000, 'x') + '\0' + "\nend";
    std::ofstream(path, std::ios::binary) << content;
    EXPECT_EQ(read_whole_file(path), content);
    std::filesystem::remove(path);
}

TEST(ReadWholeFile, ReadsFilesWithoutASize) { EXPECT_NE(read_whole_file("/proc/self/stat"), ""); }

TEST(ReadWholeFile, SetsErrno) {
    EXPECT_FALSE(read_whole_file("/nowhere/file"));
    EXPECT_EQ(errno, ENOENT);
    EXPECT_FALSE(read_whole_file("/")) << "a folder can be opened, but not read";
    EXPECT_EQ(errno, EISDIR);
}

}  // namespace

}  // namespace cudafault
