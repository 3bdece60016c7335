// SPDX-License-Identifier: Apache-2.0
// Waits until the processes in pods acknowledge a plan.
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
    kNo,          // the container runs, but its log has no acknowledgement
    kNotRunning,  // the library reads the plan when the container starts
    kUnknown,     // the log cannot be read
};

struct AcknowledgingContainer {
    Json pod;
    std::string container;
    Acknowledgement state = Acknowledgement::kNo;
    size_t processes = 0;  // number of processes that acknowledged the plan
    std::string why = {};  // one sentence, if the state is kUnknown or kNotRunning
};

struct AcknowledgementOptions {
    Deadline since = Clock::now();  // older log lines are ignored
    Deadline deadline = kNoDeadline;
    std::chrono::milliseconds interval{300};
    std::function<void(const std::vector<AcknowledgingContainer>&)> on_progress;  // called when a state changes
};

// Waits until at least one process of each running container acknowledges `revision` or a later one, or until the
// deadline. Reads the log of each pending container once per interval, and its pod every 1.5 s. The result can be
// passed to another call to continue the wait.
std::vector<AcknowledgingContainer> wait_for_acknowledgement(Client& client,
                                                             std::vector<AcknowledgingContainer> containers,
                                                             uint64_t revision, const AcknowledgementOptions& options);

}  // namespace cudafault::kube
