// SPDX-License-Identifier: Apache-2.0
#include "os/clock.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace {

timespec fake_time;
bool is_faked = false;

}  // namespace

// Replaces libc's function, as libfaketime does: the program's definition precedes libc's.
extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
    if (is_faked) {
        *out = fake_time;
        return 0;
    }
    return static_cast<int>(cudafault::system_call(SYS_clock_gettime, clock, cudafault::address_of(out)));
}

namespace cudafault {
namespace {

TEST(Clock, IgnoresAReplacedLibcFunction) {
    const uint64_t before = monotonic_ns();
    fake_time = {1, 0};
    is_faked = true;
    const uint64_t wall = wall_clock_ns(), monotonic = monotonic_ns();
    is_faked = false;
    EXPECT_GT(wall, 1'700'000'000'000'000'000U);
    EXPECT_GE(monotonic, before);
    EXPECT_LT(monotonic - before, 10'000'000'000U);
}

TEST(Clock, PreservesErrno) {
    errno = 42;
    clock_ns(-1000);
    EXPECT_EQ(errno, 42);
}

}  // namespace
}  // namespace cudafault
