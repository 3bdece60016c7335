// SPDX-License-Identifier: Apache-2.0
// Runs a command transparently: signals are forwarded to it, job control works, and this process ends as it does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "local/environment.hpp"

namespace cudafault::local {

struct End {
    bool by_signal;
    int value;  // exit code or signal number
    int code() const { return by_signal ? 128 + value : value; }
};

// Throws Error (exit code 126 or 127) if the command cannot be started. Calls `tick` about once a second while it runs.
End run_command(const std::vector<std::string>& command, Environment& environment, const std::function<void()>& tick);

// Ends this process in the same way, so that its parent sees the end of the command.
[[noreturn]] void end_like(End end);

}  // namespace cudafault::local
