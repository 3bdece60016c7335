// SPDX-License-Identifier: Apache-2.0
// Work on many objects at the same time, within what an API server should be asked for by one client.
#pragma once

#include <cstddef>
#include <functional>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"

namespace cudafault::kube {

inline constexpr size_t kWorkers = 8;
inline constexpr int kRequestsPerSecond = 200;  // of all workers together

// Calls `action` once for each index below `count`, on at most kWorkers threads. Each thread has a connection of its
// own as the user of `client`, with the same deadline and cancellation. The first exception ends the work after the
// actions that have started, and is thrown. `action` must be thread-safe.
void in_parallel(Client& client, size_t count,
                 const std::function<void(Client& client, Discovery& discovery, size_t index)>& action);

}  // namespace cudafault::kube
