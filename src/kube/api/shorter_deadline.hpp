// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "kube/api/session.hpp"

namespace cudafault::kube {

// While it lives, the session's deadline is at most `end`.
class ShorterDeadline {
public:
    ShorterDeadline(Session& session, Deadline end) : session_(session), before_(session.options().deadline) {
        session_.set_deadline(std::min(before_, end));
    }
    ~ShorterDeadline() { session_.set_deadline(before_); }
    ShorterDeadline(const ShorterDeadline&) = delete;
    ShorterDeadline& operator=(const ShorterDeadline&) = delete;

    // Whether it is this one that a DeadlinePassed tells of.
    bool is_shorter() const { return session_.options().deadline < before_; }

private:
    Session& session_;
    Deadline before_;
};

}  // namespace cudafault::kube
