// SPDX-License-Identifier: Apache-2.0
#include "os/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

namespace cudafault {
namespace {

bool is_open(int number) { return fcntl(number, F_GETFD) >= 0; }

TEST(Descriptor, ClosesAtTheEndOfItsScope) {
    int number;
    {
        const Descriptor file(dup(0));
        number = file.get();
        EXPECT_TRUE(file);
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
    EXPECT_FALSE(Descriptor());
}

TEST(Descriptor, AssignmentClosesThePreviousDescriptor) {
    Descriptor file(dup(0));
    const int first = file.get(), second = dup(0);
    file = Descriptor(second);
    EXPECT_FALSE(is_open(first));
    EXPECT_EQ(file.get(), second);
}

TEST(Descriptor, MovesAndReleases) {
    Descriptor from(dup(0));
    Descriptor to(std::move(from));
    EXPECT_TRUE(is_open(to.get()));
    const int number = to.release();
    EXPECT_FALSE(to);
    EXPECT_TRUE(is_open(number));
    Descriptor owner(number);
    owner.close();
    owner.close();
    EXPECT_FALSE(is_open(number));
}

}  // namespace
}  // namespace cudafault
