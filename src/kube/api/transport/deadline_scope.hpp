// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

// While it lives, the session's deadline is `end`.
class OtherDeadline {
public:
    OtherDeadline(Session& session, Deadline end) : session_(session), before_(session.options().deadline) {
        session_.set_deadline(end);
    }
    ~OtherDeadline() { session_.set_deadline(before_); }
    OtherDeadline(const OtherDeadline&) = delete;
    OtherDeadline& operator=(const OtherDeadline&) = delete;

protected:
    Session& session_;
    const Deadline before_;
};

// At most `end`.
class ShorterDeadline : public OtherDeadline {
public:
    ShorterDeadline(Session& session, Deadline end)
        : OtherDeadline(session, std::min(session.options().deadline, end)) {}

    // Whether it is this one that a DeadlinePassed tells of.
    bool is_shorter() const { return session_.options().deadline < before_; }
};

}  // namespace cudafault::kube
