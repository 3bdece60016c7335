// SPDX-License-Identifier: Apache-2.0
// Watches a collection: reports all existing objects, then every change. Resumes after dropped connections and expired
// resource versions.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

enum class Change { kAdded, kModified, kDeleted };

// Callbacks of a watch. A callback returns false to end the watch.
struct WatchHandler {
    // Receives all existing objects, at the start and again whenever events may have been missed. A previously
    // reported object that is not in the list was deleted.
    std::function<bool(std::vector<Json> objects)> on_list;
    std::function<bool(Change change, Json object)> on_change;

    // Optional. Called when the server has ended a request. A new watch from `version` misses no events.
    std::function<bool(const std::string& version)> on_window = {};
};

struct WatchOptions {
    ListOptions list;
    std::string from;                  // a resourceVersion; if empty, the watch lists first
    std::chrono::seconds window{300};  // the timeoutSeconds of each request
    // The longest time without data. The server sends a bookmark about every minute.
    std::chrono::milliseconds idle_timeout = std::chrono::seconds(90);
};

// Returns when a callback ends the watch. Throws DeadlinePassed at the session's deadline, Cancelled, ApiError for
// permanent errors (403, 404, ...), and the last error after SessionOptions::tries consecutive failures.
void watch(Client& client, const Collection& collection, const WatchOptions& options, const WatchHandler& handler);

}  // namespace cudafault::kube
