// SPDX-License-Identifier: Apache-2.0
// Defines deadlines, and a flag that ends every wait in this library immediately.
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

// Returns the time until the deadline, rounded up and clamped to [0, cap]. `cap` must not be negative.
std::chrono::milliseconds time_left(Deadline deadline, std::chrono::milliseconds cap);

// Returns the time point `duration` from now; never overflows.
Deadline after(std::chrono::milliseconds duration);

class Cancellation {
public:
    Cancellation();  // throws std::system_error if the process has too many open files
    ~Cancellation();
    Cancellation(const Cancellation&) = delete;
    Cancellation& operator=(const Cancellation&) = delete;

    void cancel() noexcept;  // may be called from any thread and from signal handlers
    bool is_cancelled() const noexcept;
    int descriptor() const noexcept { return descriptor_; }  // becomes and stays readable when cancelled

    void check() const;                    // throws Cancelled
    void sleep_until(Deadline end) const;  // throws Cancelled

private:
    int descriptor_;
};

// During its lifetime, the given signals cancel `cancellation` and do not run their previous handlers. At most one
// instance may exist in a process.
class CancelOnSignals {
public:
    CancelOnSignals(Cancellation& cancellation, std::initializer_list<int> signals);
    ~CancelOnSignals();
    CancelOnSignals(const CancelOnSignals&) = delete;
    CancelOnSignals& operator=(const CancelOnSignals&) = delete;

private:
    std::vector<std::pair<int, struct sigaction>> previous_handlers_;
};

}  // namespace cudafault::kube
