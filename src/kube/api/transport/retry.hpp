// SPDX-License-Identifier: Apache-2.0
// Retries read-modify-write operations after conflicts.
#pragma once

#include <fmt/format.h>

#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

inline constexpr int kConflictTries = 5;

// Calls `attempt`, which must read, compute and write, and returns its result. Calls it again after a conflict
// (ApiError::is_conflict), up to five times in all; then throws the last error with the number of attempts.
template <typename Attempt>
auto retry_on_conflict(Session& session, const Attempt& attempt) {
    for (int conflicts = 1;; ++conflicts) {
        try {
            return attempt();
        } catch (const ApiError& error) {
            if (!error.is_conflict()) throw;
            if (conflicts == kConflictTries) {
                throw ApiError(fmt::format("{} (other clients changed the object during each of {} attempts)",
                                           error.what(), kConflictTries),
                               error.code, error.status);
            }
        }
        session.pause(conflicts);
    }
}

}  // namespace cudafault::kube
