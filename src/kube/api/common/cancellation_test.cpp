// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/cancellation.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;

TEST(Deadline, TimeLeftIsClamped) {
    EXPECT_EQ(time_left(kNoDeadline, milliseconds(7)), milliseconds(7));
    EXPECT_EQ(time_left(Clock::now() - milliseconds(5), milliseconds(7)), milliseconds(0));
    EXPECT_GT(time_left(Clock::now() + milliseconds(1000), milliseconds(5000)), milliseconds(500));
    EXPECT_LE(time_left(Clock::now() + milliseconds(1000), milliseconds(5000)), milliseconds(1000));
}

TEST(Deadline, AfterNeverOverflows) {
    EXPECT_EQ(after(milliseconds::max()), kNoDeadline);
    EXPECT_GT(after(milliseconds(1000)), Clock::now());
}

TEST(Cancellation, StaysCancelled) {
    Cancellation cancellation;
    EXPECT_FALSE(cancellation.is_cancelled());
    EXPECT_NO_THROW(cancellation.check());
    cancellation.cancel();
    cancellation.cancel();
    EXPECT_TRUE(cancellation.is_cancelled());
    EXPECT_TRUE(cancellation.is_cancelled());
    EXPECT_THROW(cancellation.check(), Cancelled);
    pollfd wait{cancellation.descriptor(), POLLIN, 0};
    EXPECT_EQ(poll(&wait, 1, 0), 1);
}

TEST(Cancellation, SleepsUntilDeadline) {
    const Cancellation cancellation;
    const Deadline end = after(milliseconds(30));
    cancellation.sleep_until(end);
    EXPECT_GE(Clock::now(), end);
}

TEST(Cancellation, InterruptsSleep) {
    Cancellation cancellation;
    std::thread canceller([&] {
        std::this_thread::sleep_for(milliseconds(30));
        cancellation.cancel();
    });
    const Deadline start = Clock::now();
    EXPECT_THROW(cancellation.sleep_until(after(std::chrono::minutes(1))), Cancelled);
    EXPECT_LT(Clock::now() - start, std::chrono::seconds(20));
    canceller.join();
}

int handled = 0;
void count(int) { ++handled; }

TEST(CancelOnSignals, CancelsOnSignalAndRestoresHandlers) {
    signal(SIGUSR1, count);
    Cancellation cancellation;
    {
        const CancelOnSignals guard(cancellation, {SIGUSR1, SIGUSR2});
        raise(SIGUSR2);
        EXPECT_TRUE(cancellation.is_cancelled());
        raise(SIGUSR1);
        EXPECT_EQ(handled, 0);
    }
    raise(SIGUSR1);
    EXPECT_EQ(handled, 1);
    signal(SIGUSR1, SIG_DFL);
}

}  // namespace

}  // namespace cudafault::kube
