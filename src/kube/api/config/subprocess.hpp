// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kube/api/common/cancellation.hpp"

namespace cudafault::kube {

struct Command {
    std::vector<std::string> arguments;                    // the first is the program, looked for in PATH
    std::vector<std::pair<std::string, std::string>> env;  // replaces what this process has of the same names
    bool keeps_stdin = false;                              // otherwise it reads nothing
};

struct CommandResult {
    int exit_code;  // 128 + the signal's number if one ended it
    std::string output;
};

// Runs it without a shell; its standard error is this process's. Throws std::system_error if it cannot be started,
// DeadlinePassed or Cancelled after it has been killed.
CommandResult run_captured(const Command& command, Deadline deadline, const Cancellation& cancellation);

}  // namespace cudafault::kube
