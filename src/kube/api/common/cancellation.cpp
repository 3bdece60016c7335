// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/cancellation.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {

namespace {

std::atomic<Cancellation*> on_signal{nullptr};
static_assert(std::atomic<Cancellation*>::is_always_lock_free, "the signal handler requires a lock-free pointer");

void handle(int) {
    const int saved = errno;
    if (Cancellation* cancellation = on_signal.load()) cancellation->cancel();
    errno = saved;
}

bool is_readable(int descriptor, std::chrono::milliseconds timeout) {
    pollfd poll_for{descriptor, POLLIN, 0};
    return poll(&poll_for, 1, static_cast<int>(timeout.count())) > 0;
}

}  // namespace

std::chrono::milliseconds time_left(Deadline deadline, std::chrono::milliseconds cap) {
    const Deadline now = Clock::now();
    if (deadline <= now) return std::chrono::milliseconds(0);
    return std::min(cap, std::chrono::ceil<std::chrono::milliseconds>(deadline - now));
}

Deadline after(std::chrono::milliseconds duration) {
    const Deadline now = Clock::now();
    return duration < std::chrono::floor<std::chrono::milliseconds>(kNoDeadline - now) ? now + duration : kNoDeadline;
}

Cancellation::Cancellation() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Cancellation::~Cancellation() { close(descriptor_); }

void Cancellation::cancel() noexcept {
    const uint64_t one = 1;
    // write fails only if the counter is full, and the descriptor is then already readable.
    [[maybe_unused]] const ssize_t written = write(descriptor_, &one, sizeof one);
}

bool Cancellation::is_cancelled() const noexcept { return is_readable(descriptor_, std::chrono::milliseconds(0)); }

void Cancellation::check() const {
    if (is_cancelled()) throw Cancelled("interrupted");
}

void Cancellation::sleep_until(Deadline end) const {
    check();
    while (Clock::now() < end) {
        is_readable(descriptor_, time_left(end, std::chrono::minutes(1)));
        check();
    }
}

CancelOnSignals::CancelOnSignals(Cancellation& cancellation, std::initializer_list<int> signals) {
    on_signal = &cancellation;
    struct sigaction action{};
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    for (int signal : signals) {
        struct sigaction before{};
        sigaction(signal, &action, &before);
        previous_handlers_.emplace_back(signal, before);
    }
}

CancelOnSignals::~CancelOnSignals() {
    for (const auto& [signal, action] : previous_handlers_) sigaction(signal, &action, nullptr);
    on_signal = nullptr;
}

}  // namespace cudafault::kube
