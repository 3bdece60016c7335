// SPDX-License-Identifier: Apache-2.0
// Completion in a shell: `cudafault completion bash` prints a script that calls `cudafault __complete WORD...`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cudafault::cli {

void add_completion(CLI::App& app);

// The subcommands, or else the options, that may stand for the last of `words`, which may be empty. `words` begin after
// the program's name.
std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words);

}  // namespace cudafault::cli
