// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/retry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

namespace {

using testing::HasSubstr;

ApiError error(int code, const std::string& reason) {
    return ApiError("no", code, Json{{"reason", reason}, {"details", Json::object()}});
}

class RetryOnConflict : public testing::Test {
protected:
    RetryOnConflict() {
        Connection connection;
        connection.cluster.server = "http://127.0.0.1:1";
        SessionOptions options;
        options.first_pause = std::chrono::milliseconds(1);
        session.emplace(connection, options);
    }

    // Fails the first `times` calls, then returns the number of calls.
    int calls_after_failures(int times, int code, const std::string& reason) {
        return retry_on_conflict(*session, [&] {
            if (++calls <= times) throw error(code, reason);
            return calls;
        });
    }

    std::optional<Session> session;
    int calls = 0;
};

TEST_F(RetryOnConflict, CallsOnceWithoutConflict) { EXPECT_EQ(calls_after_failures(0, 0, ""), 1); }

TEST_F(RetryOnConflict, RetriesAfterConflict) { EXPECT_EQ(calls_after_failures(1, 409, "Conflict"), 2); }

TEST_F(RetryOnConflict, RetriesAfterFailedPatchTest) { EXPECT_EQ(calls_after_failures(4, 422, "Invalid"), 5); }

TEST_F(RetryOnConflict, GivesUpAfterFiveTries) {
    try {
        calls_after_failures(100, 422, "Invalid");
        FAIL();
    } catch (const ApiError& last) {
        EXPECT_EQ(last.code, 422);
        EXPECT_THAT(last.what(), HasSubstr("during each of 5 attempts"));
    }
    EXPECT_EQ(calls, 5);
}

TEST_F(RetryOnConflict, DoesNotRetryOtherErrors) {
    EXPECT_THROW(calls_after_failures(1, 409, "AlreadyExists"), ApiError);
    EXPECT_THROW(calls_after_failures(2, 403, "Forbidden"), ApiError);
    EXPECT_EQ(calls, 2);
}

TEST_F(RetryOnConflict, StopsAtDeadline) {
    session->set_deadline(Clock::now());
    EXPECT_THROW(calls_after_failures(1, 409, "Conflict"), DeadlinePassed);
    EXPECT_EQ(calls, 1);
}

}  // namespace

}  // namespace cudafault::kube
