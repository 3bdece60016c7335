// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kube/api/transport/rate_limit.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

void in_parallel(Client& client, size_t count, const std::function<void(Client&, Discovery&, size_t)>& action) {
    SessionOptions options = client.session().options();
    options.rate_limit =
        std::make_shared<RateLimit>(kRequestsPerSecond / 2, std::chrono::seconds(1) / kRequestsPerSecond);
    std::atomic<size_t> next = 0;
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&](Session& session) {
        Client thread_client(session);
        Discovery discovery(session);
        try {
            for (size_t index = next++; index < count; index = next++) action(thread_client, discovery, index);
        } catch (...) {
            next = count;
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
        }
    };
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < std::min(kWorkers, count); ++i) {
        sessions.push_back(std::make_unique<Session>(client.session(), options));
        threads.emplace_back(work, std::ref(*sessions.back()));
    }
    for (std::jthread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace cudafault::kube
