// SPDX-License-Identifier: Apache-2.0
// Changes computed from what was just read, made again when somebody else was faster.
#pragma once

#include <fmt/format.h>

#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

inline constexpr int kConflictTries = 5;

// `attempt` reads, computes and writes, and its result is given back. It is called again, from the reading on, after a
// lost race (ApiError::is_conflict), five times in all; then the last error is thrown and says so.
template <typename Attempt>
auto retry_on_conflict(Session& session, const Attempt& attempt) {
    for (int lost = 1;; ++lost) {
        try {
            return attempt();
        } catch (const ApiError& error) {
            if (!error.is_conflict()) throw;
            if (lost == kConflictTries) {
                throw ApiError(
                    fmt::format("{} (it was changed by others {} times in a row)", error.what(), kConflictTries),
                    error.code, error.status);
            }
        }
        session.pause(lost);
    }
}

}  // namespace cudafault::kube
