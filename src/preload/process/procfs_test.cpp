// SPDX-License-Identifier: Apache-2.0
#include "preload/process/procfs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace cudafault {
namespace {

TEST(Procfs, ReadsAStartTime) {
    std::ifstream file("/proc/self/stat");
    std::string whole((std::istreambuf_iterator<char>(file)), {});
    std::istringstream rest(whole.substr(whole.rfind(')') + 1));
    std::string field;
    for (int i = 3; i <= 22; ++i) rest >> field;
    EXPECT_EQ(std::to_string(start_time_of("self")), field);
    EXPECT_EQ(start_time_of(std::to_string(getpid()).c_str()), start_time_of("self"));
    EXPECT_EQ(start_time_of("0"), 0u);
    EXPECT_EQ(start_time_of("../../etc/passwd"), 0u);
}

TEST(Procfs, TruncatesFileToCapacityAndTerminatesIt) {
    char small[5];
    EXPECT_EQ(read_small_file("/proc/self/stat", small), 4u);
    EXPECT_EQ(small[4], '\0');
    EXPECT_EQ(read_small_file("/no/such/file", small), 0u);
    EXPECT_STREQ(small, "");
}

TEST(Procfs, ReadsTheBootId) {
    char boot[40];
    EXPECT_EQ(read_boot_id(boot), 36u);
}

}  // namespace
}  // namespace cudafault
