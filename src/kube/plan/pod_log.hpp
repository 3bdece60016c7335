// SPDX-License-Identifier: Apache-2.0
// Reads the log of one container. Returns a failure instead of throwing, so that the caller can read other containers.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

struct PodLog {
    std::optional<std::string> text;
    std::string why_not;  // one sentence
    int code = 0;         // HTTP status code, if the API server refused the request
};

// Reads for at most `budget`. Throws Cancelled, DeadlinePassed at the session's deadline, and ConfigError.
PodLog read_log(Client& client, const Json& pod, const LogOptions& options, std::chrono::seconds budget);

}  // namespace cudafault::kube
