// SPDX-License-Identifier: Apache-2.0
// One change of a workload at a time, whoever makes it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "kube/workload.hpp"

namespace cudafault::kube {

// Held while it lives, and renewed by a thread of its own with a connection of its own. If the program is killed it
// runs out after a minute; whoever comes later need not wait if the holder was on the same machine and is dead.
class HeldLease {
public:
    // Waits for another holder, and says so once. Throws DeadlinePassed at the session's deadline.
    HeldLease(Client& client, const Workload& workload, const std::function<void(const std::string&)>& on_progress);
    ~HeldLease();  // gives it back, quietly
    HeldLease(const HeldLease&) = delete;
    HeldLease& operator=(const HeldLease&) = delete;

    // Gives it back and says what is wrong if that fails. Throws ApiError.
    void release();

private:
    bool try_to_take(const std::function<void(const std::string&)>& on_progress);
    void renew_until_released();

    Client& client_;
    Target target_;
    Json owner_;
    std::string holder_;
    bool held_ = false;
    bool told_ = false;
    std::mutex mutex_;
    std::condition_variable released_;
    std::thread renewer_;
};

// Of this process: boot, pid namespace, pid and start time, and for people who it is.
std::string lease_holder();

// Whether that is a process of this machine that has ended. False if nobody here can tell.
bool is_dead_holder(const std::string& holder);

}  // namespace cudafault::kube
