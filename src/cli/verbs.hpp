// SPDX-License-Identifier: Apache-2.0
// One function for each verb: adds it to the command line. Whatever a verb cannot do it throws as local::Error.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cudafault::cli {

// Cuts the command of `cudafault run` off the arguments: it is no option of ours, whatever it looks like.
std::vector<std::string> take_command(int& argc, char** argv);

void add_run(CLI::App& app, const std::vector<std::string>& command);
void add_arm(CLI::App& app);
void add_disarm(CLI::App& app);
void add_status(CLI::App& app);
void add_events(CLI::App& app);
void add_check(CLI::App& app);
void add_xids(CLI::App& app);
void add_functions(CLI::App& app);

}  // namespace cudafault::cli
