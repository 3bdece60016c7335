// SPDX-License-Identifier: Apache-2.0
// Defines a client-side limit on requests per second, shared by the sessions of one command.
#pragma once

#include <algorithm>
#include <mutex>

#include "kube/api/common/cancellation.hpp"

namespace cudafault::kube {

// Limits the request rate: `burst` requests may start immediately, then one every `interval`. Thread-safe.
class RateLimit {
public:
    RateLimit(int burst, Clock::duration interval) : interval_(interval), burst_duration_(interval * burst) {}

    // Reserves the next start and returns its time, which may be in the past.
    Deadline reserve() {
        const std::lock_guard lock(mutex_);
        next_ = std::max(next_, Clock::now() - burst_duration_) + interval_;
        return next_;
    }

private:
    const Clock::duration interval_, burst_duration_;
    std::mutex mutex_;
    Deadline next_{};
};

}  // namespace cudafault::kube
