// SPDX-License-Identifier: Apache-2.0
// Following the objects of a collection: all that are there, then every change, across dropped connections and expired
// versions.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

enum class Change { kAdded, kModified, kDeleted };

// Each gives false to end the watch.
struct WatchHandler {
    // All objects there are now; what was known before and is not among them is gone. At the start, and again whenever
    // changes were missed.
    std::function<bool(std::vector<Json> objects)> on_list;
    std::function<bool(Change change, Json object)> on_change;

    // The server has ended a request; a watch from that version on misses nothing. May be left out.
    std::function<bool(const std::string& version)> on_window = {};
};

struct WatchOptions {
    ListOptions list;
    std::string from;                                              // a resourceVersion; empty: list first
    std::chrono::seconds window{300};                              // after which the server ends each request
    std::chrono::milliseconds silence = std::chrono::seconds(90);  // bookmarks come about once a minute
};

// Returns when the handler ends it. Throws DeadlinePassed at the session's deadline, Cancelled, ApiError for what will
// not pass (403, 404, ...), and the last error once the session's number of tries in a row brought nothing.
void watch(Client& client, const Collection& collection, const WatchOptions& options, const WatchHandler& handler);

}  // namespace cudafault::kube
