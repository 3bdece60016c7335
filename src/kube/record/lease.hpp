// SPDX-License-Identifier: Apache-2.0
// One change of a workload at a time, whoever makes it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "kube/api/client/client.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

// Held while it lives, and renewed by a thread of its own with a connection of its own. If the program is killed it
// runs out after a minute; whoever comes later watches for 25 s that it is not renewed, or takes it at once if the
// holder was on the same machine and is dead.
class HeldLease {
public:
    // Waits for another holder, and says so once. Throws DeadlinePassed at the session's deadline.
    HeldLease(Client& client, const ObjectRef& workload, const Progress& on_progress,
              std::chrono::milliseconds renewal = std::chrono::seconds(20));
    ~HeldLease();  // gives it back, quietly
    HeldLease(const HeldLease&) = delete;
    HeldLease& operator=(const HeldLease&) = delete;

    // Throws Error if a renewal has found that it is another's: for what no precondition guards.
    void require_held() const;

    // Gives it back and says what is wrong if that fails. Throws ApiError.
    void release();

private:
    bool try_to_take(const Progress& on_progress);
    void renew_until_released();
    bool is_left(const Json& lease);

    Client& client_;
    ObjectRef lease_ref_;
    Json owner_;
    std::string holder_;
    const std::chrono::milliseconds renewal_interval_;
    std::string seen_version_;  // of a lease of another, and since when it is that
    Deadline seen_since_;
    std::atomic<bool> lost_ = false;
    bool held_ = false;
    bool told_ = false;
    std::mutex mutex_;
    std::condition_variable released_;
    const std::shared_ptr<Cancellation> renewal_ = std::make_shared<Cancellation>();
    std::optional<Session> renewing_;  // the thread's, while it runs
    std::thread renewer_;
};

// Of this process: boot, pid namespace, pid and start time, and for people who it is.
std::string lease_holder();

// Whether that is a process of this machine that has ended. False if nobody here can tell.
bool is_dead_holder(const std::string& holder);

}  // namespace cudafault::kube
