// SPDX-License-Identifier: Apache-2.0
// Deadlines, and a flag that ends every wait of this library at once.
#pragma once

#include <chrono>
#include <csignal>
#include <initializer_list>
#include <utility>
#include <vector>

namespace cudafault::kube {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

// The time until the deadline, at least 0 and at most `cap`, which must not be negative; rounded up.
std::chrono::milliseconds time_left(Deadline deadline, std::chrono::milliseconds cap);

// `duration` from now; never overflows.
Deadline after(std::chrono::milliseconds duration);

class Cancellation {
public:
    Cancellation();  // throws std::system_error if the process has no file descriptor left
    ~Cancellation();
    Cancellation(const Cancellation&) = delete;
    Cancellation& operator=(const Cancellation&) = delete;

    void cancel() noexcept;  // from any thread, and from signal handlers
    bool cancelled() const noexcept;
    int descriptor() const noexcept { return descriptor_; }  // becomes readable, and stays it, when cancelled

    void check() const;                    // throws Cancelled
    void sleep_until(Deadline end) const;  // throws Cancelled

private:
    int descriptor_;
};

// While it lives, the signals cancel instead of doing what they did. One at a time in a process.
class CancelOnSignals {
public:
    CancelOnSignals(Cancellation& cancellation, std::initializer_list<int> signals);
    ~CancelOnSignals();
    CancelOnSignals(const CancelOnSignals&) = delete;
    CancelOnSignals& operator=(const CancelOnSignals&) = delete;

private:
    std::vector<std::pair<int, struct sigaction>> before_;
};

}  // namespace cudafault::kube
