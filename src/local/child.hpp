// SPDX-License-Identifier: Apache-2.0
// Runs a command as if it stood there alone: its signals, its job control and its end are those of this process.
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

// Throws Error (126 or 127) if it cannot be started. `tick` is called about once a second while it runs.
End run_command(const std::vector<std::string>& command, Environment& environment, const std::function<void()>& tick);

// Ends this process in the same way, so that whoever waits for it sees what he would have seen without us.
[[noreturn]] void end_like(End end);

}  // namespace cudafault::local
