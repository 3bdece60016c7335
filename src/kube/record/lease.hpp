// SPDX-License-Identifier: Apache-2.0
// Defines a lease that allows only one client at a time to change a workload.
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

// Holds the lease for its lifetime. A separate thread with a separate connection renews it. If the program is killed,
// the lease expires after a minute. Another client takes an expired lease after it has observed no renewal for 25 s. It
// takes the lease immediately if the holder was a process on the same machine and is dead.
class HeldLease {
public:
    // Waits while another client holds the lease, and reports this once. Throws DeadlinePassed at the session's
    // deadline.
    HeldLease(Client& client, const ObjectRef& workload, const Progress& on_progress,
              std::chrono::milliseconds renewal = std::chrono::seconds(20));
    ~HeldLease();  // releases the lease and ignores errors
    HeldLease(const HeldLease&) = delete;
    HeldLease& operator=(const HeldLease&) = delete;

    // Throws Error if a renewal found that another client holds the lease. Call this function before changes that have
    // no precondition.
    void require_held() const;

    // Releases the lease. Throws ApiError.
    void release();

private:
    bool try_to_acquire(const Progress& on_progress);
    void renew_until_released();
    bool is_unrenewed(const Json& lease);

    Client& client_;
    ObjectRef lease_ref_;
    Json owner_;
    std::string holder_;
    const std::chrono::milliseconds renewal_interval_;
    std::string seen_version_;  // resourceVersion of another client's lease, and the time since which it is unchanged
    Deadline seen_since_;
    std::atomic<bool> lost_ = false;
    bool held_ = false;
    bool has_reported_wait_ = false;
    std::mutex mutex_;
    std::condition_variable released_;
    const std::shared_ptr<Cancellation> renewal_ = std::make_shared<Cancellation>();
    std::optional<Session> renewing_;  // used by the renewal thread while it runs
    std::thread renewer_;
};

// Identifies this process: boot ID, PID namespace, PID and start time, and user@host for display.
std::string lease_holder();

// Returns true if the holder is a process of this machine that has ended. Returns false if this cannot be determined.
bool is_dead_holder(const std::string& holder);

}  // namespace cudafault::kube
