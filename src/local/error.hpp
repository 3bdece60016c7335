// SPDX-License-Identifier: Apache-2.0
// A failure: one line for the user and the exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace cudafault::local {

enum ExitCode {
    kDone = 0,
    kUsage = 2,
    kEnvironment = 3,
    kLeftBehind = 4,
    kOwnFailure = 125,  // these three as `env` has them
    kNotExecutable = 126,
    kNotFound = 127,
};

class Error : public std::runtime_error {
public:
    Error(ExitCode code, const std::string& message) : std::runtime_error(message), exit_code(code) {}

    ExitCode exit_code;
};

}  // namespace cudafault::local
