// SPDX-License-Identifier: Apache-2.0
// Waiting until the processes of pods say that they have taken a plan up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/common/cancellation.hpp"

namespace cudafault::kube {

enum class Acknowledgement {
    kYes,
    kNo,          // it runs and its log does not say so
    kNotRunning,  // it reads the plan as it starts
    kUnknown,     // its log cannot be had
};

struct AcknowledgingContainer {
    Json pod;
    std::string container;
    Acknowledgement state = Acknowledgement::kNo;
    size_t processes = 0;  // that have taken it up
    std::string why = {};  // if unknown or not running: a sentence
};

struct AcknowledgementOptions {
    Deadline since = Clock::now();  // lines from before this are not looked for
    Deadline deadline = kNoDeadline;
    std::chrono::milliseconds interval{300};
    std::function<void(const std::vector<AcknowledgingContainer>&)> on_progress;  // whenever a state has changed
};

// Until no container that runs is without an acknowledgement of `revision` or a later one by at least one of its
// processes, or the deadline. Reads the log of each such container once an interval, and its pod every 1.5 s. What it
// gives can be given to it again, for a longer wait.
std::vector<AcknowledgingContainer> wait_for_acknowledgement(Client& client,
                                                             std::vector<AcknowledgingContainer> containers,
                                                             uint64_t revision, const AcknowledgementOptions& options);

}  // namespace cudafault::kube
