// SPDX-License-Identifier: Apache-2.0
// Defines a failure of cudafault, with a one-line message and an exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace cudafault::local {

enum ExitCode {
    kDone = 0,
    kUsage = 2,
    kEnvironment = 3,
    kLeftBehind = 4,    // objects or changes of cudafault remain in the cluster
    kOwnFailure = 125,  // 125 to 127 mean the same as for `env`
    kNotExecutable = 126,
    kNotFound = 127,
};

class Error : public std::runtime_error {
public:
    Error(ExitCode code, const std::string& message) : std::runtime_error(message), exit_code(code) {}

    ExitCode exit_code;
};

}  // namespace cudafault::local
