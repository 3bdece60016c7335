// SPDX-License-Identifier: Apache-2.0
// Declares one function per verb, which adds the verb to the command line. A verb that fails throws local::Error.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cudafault::cli {

// Removes the command of `cudafault run` from the arguments and returns it, so that its words are not parsed as options
// of cudafault. Returns an empty command for other verbs.
std::vector<std::string> take_command(int& argc, char** argv);

void add_run(CLI::App& app, const std::vector<std::string>& command);
void add_arm(CLI::App& app);
void add_disarm(CLI::App& app);
void add_status(CLI::App& app);
void add_events(CLI::App& app);
void add_check(CLI::App& app);
void add_xids(CLI::App& app);
void add_explain(CLI::App& app);
void add_functions(CLI::App& app);
void add_kernel_log(CLI::App& app);

}  // namespace cudafault::cli
