// SPDX-License-Identifier: Apache-2.0
// Implements `cudafault run`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "local/child.hpp"

namespace cudafault::local {

struct RunOptions {
    std::optional<std::string> gpus;  // the value of --gpus
    std::string name;                 // empty: run-PID
    std::string plan;
    std::vector<std::string> command;
    std::function<void(const std::string&)> note;  // shows a line to the user before the command starts
};

struct RunResult {
    std::string name;
    End end;
    bool was_armed;      // the run had a plan at some time
    bool fired;          // a fault of a plan has fired
    std::string reason;  // if no fault has fired: the most likely reason, as the end of a sentence
};

// Runs the command, waits for its end and writes the report of the run. Throws Error if the command cannot be started.
RunResult run(const RunOptions& options);

}  // namespace cudafault::local
