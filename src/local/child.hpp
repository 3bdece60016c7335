// SPDX-License-Identifier: Apache-2.0
// Runs a command transparently: this process forwards signals to the command, supports job control, and ends with the
// command's exit code or signal.
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

// Runs the command and waits for its end. Calls `tick` in this thread about once a second. Throws Error (exit code 126
// or 127) if the command cannot be started.
End run_command(const std::vector<std::string>& command, Environment& environment, const std::function<void()>& tick);

// Ends this process with the command's exit code or signal, so that the parent process gets the command's status.
[[noreturn]] void end_like(End end);

}  // namespace cudafault::local
