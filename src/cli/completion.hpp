// SPDX-License-Identifier: Apache-2.0
// Completes commands in a shell. `cudafault completion bash` prints a script that calls `cudafault __complete WORD...`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cudafault::cli {

void add_completion(CLI::App& app);

// Returns the subcommands and the workloads that complete the last of `words`, or the options if that word begins with
// '-'. The last word may be empty. `words` do not include the program's name. Names of workloads are read from the
// cluster.
std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words);

}  // namespace cudafault::cli
