// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/parallel.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using testing::SizeIs;

class ParallelTest : public SessionTest {
protected:
    ParallelTest() { responder.on("GET", "/x", {Answer()}); }

    static void send_request(Client& client) {
        Call call;
        call.path = "/x";
        client.session().send(call);
    }
};

TEST_F(ParallelTest, CallsEachIndexOnceOverSeveralConnections) {
    Client client(session());
    std::mutex mutex;
    std::multiset<size_t> indices;
    std::set<Session*> sessions;
    in_parallel(client, 50, [&](Client& thread_client, Discovery&, size_t index) {
        send_request(thread_client);
        const std::lock_guard lock(mutex);
        indices.insert(index);
        sessions.insert(&thread_client.session());
    });
    EXPECT_THAT(indices, SizeIs(50));
    EXPECT_THAT(std::set<size_t>(indices.begin(), indices.end()), SizeIs(50));
    EXPECT_LE(sessions.size(), kWorkers);
    EXPECT_FALSE(sessions.contains(&session()));
}

TEST_F(ParallelTest, RethrowsFirstException) {
    Client client(session());
    std::atomic<size_t> started = 0;
    EXPECT_THROW(in_parallel(client, 1000,
                             [&](Client&, Discovery&, size_t) {
                                 ++started;
                                 throw Error("no");
                             }),
                 Error);
    EXPECT_LE(started, kWorkers);
    in_parallel(client, 0, [&](Client&, Discovery&, size_t) { FAIL(); });
}

TEST(RateLimit, AllowsBurstThenSpacesRequests) {
    RateLimit limit(3, milliseconds(100));
    const auto begin = Clock::now();
    for (int i = 0; i < 3; ++i) EXPECT_LE(limit.reserve(), Clock::now());
    const auto fourth = limit.reserve(), fifth = limit.reserve();
    EXPECT_GT(fourth, begin + milliseconds(50));
    EXPECT_EQ(fifth - fourth, milliseconds(100));
}

}  // namespace

}  // namespace cudafault::kube
