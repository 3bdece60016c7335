// SPDX-License-Identifier: Apache-2.0
// The log of one container of many: what goes wrong with it is said and does not end the work on the others.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

struct PodLog {
    std::optional<std::string> text;
    std::string why_not;  // a sentence
    int code = 0;         // of HTTP, if it was the API server that said no
};

// Takes `budget` at most. Throws Cancelled, DeadlinePassed at the session's deadline, and ConfigError.
PodLog read_log(Client& client, const Json& pod, const LogOptions& options, std::chrono::seconds budget);

}  // namespace cudafault::kube
