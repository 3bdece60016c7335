// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

// Replaces the session's deadline during its lifetime. The session must outlive the scope.
class DeadlineScope {
public:
    // The new deadline may be later than the session's own.
    DeadlineScope(Session& session, Deadline end) : session_(session), previous_deadline_(session.options().deadline) {
        session_.set_deadline(end);
    }
    ~DeadlineScope() { session_.set_deadline(previous_deadline_); }
    DeadlineScope(const DeadlineScope&) = delete;
    DeadlineScope& operator=(const DeadlineScope&) = delete;

    // Keeps the session's own deadline if that is earlier than `end`.
    static DeadlineScope at_most(Session& session, Deadline end) {
        return {session, std::min(session.options().deadline, end)};
    }

    // True if a DeadlinePassed refers to this scope's deadline and not to the session's own.
    bool is_shorter() const { return session_.options().deadline < previous_deadline_; }

private:
    Session& session_;
    const Deadline previous_deadline_;
};

}  // namespace cudafault::kube
