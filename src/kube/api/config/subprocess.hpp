// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kube/api/common/cancellation.hpp"

namespace cudafault::kube {

struct Command {
    std::vector<std::string> arguments;                    // the first argument is the program, searched in PATH
    std::vector<std::pair<std::string, std::string>> env;  // overrides variables of this process
    bool keeps_stdin = false;                              // if false, standard input is empty
};

struct CommandResult {
    int exit_code;  // 128 + the signal's number if the process was killed by a signal
    std::string output;
};

// Runs the command without a shell. The child inherits standard error. Throws std::system_error if the command cannot
// be started; throws DeadlinePassed or Cancelled after killing it.
CommandResult run_captured(const Command& command, Deadline deadline, const Cancellation& cancellation);

}  // namespace cudafault::kube
