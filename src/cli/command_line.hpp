// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cudafault::cli {

// Parses the arguments of main(), runs the verb and returns the exit code. Prints errors and does not throw. The words
// that follow `run` are removed from `argv`.
int run_command_line(int argc, char** argv, const std::string& version);

}  // namespace cudafault::cli
