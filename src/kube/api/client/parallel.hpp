// SPDX-License-Identifier: Apache-2.0
// Runs work on many objects in parallel and limits the total request rate.
#pragma once

#include <cstddef>
#include <functional>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"

namespace cudafault::kube {

inline constexpr size_t kWorkers = 8;
inline constexpr int kRequestsPerSecond = 200;  // shared by all workers

// Calls `action` once for each index below `count`, on at most kWorkers threads. Each thread has its own connection,
// with the user, deadline and cancellation of `client`. After an exception no further actions are started, and the
// first exception is rethrown when the running actions have finished. `action` must be thread-safe.
void in_parallel(Client& client, size_t count,
                 const std::function<void(Client& client, Discovery& discovery, size_t index)>& action);

}  // namespace cudafault::kube
