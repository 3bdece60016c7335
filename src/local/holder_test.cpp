// SPDX-License-Identifier: Apache-2.0
#include "local/holder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "os/process.hpp"

namespace cudafault::local {
namespace {

std::string permitted_capabilities(pid_t task) {
    std::ifstream file("/proc/" + std::to_string(task) + "/status");
    for (std::string word; file >> word;) {
        if (word == "CapPrm:" && file >> word) return word;
    }
    return "";
}

TEST(Holder, HasNoCapabilities) {
    const std::string before = permitted_capabilities(getpid());
    const pid_t holder = start_holder();
    EXPECT_EQ(permitted_capabilities(holder), "0000000000000000");
    EXPECT_TRUE(start_time(holder).has_value());
    EXPECT_EQ(permitted_capabilities(getpid()), before) << "the main thread keeps its capabilities";
}

}  // namespace
}  // namespace cudafault::local
