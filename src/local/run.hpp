// SPDX-License-Identifier: Apache-2.0
// `cudafault run`: from the options to the report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "local/child.hpp"

namespace cudafault::local {

struct RunOptions {
    std::optional<std::string> gpus;  // as --gpus has it
    std::string name;                 // empty: one is made up
    std::string plan;
    std::vector<std::string> command;
};

// Throws Error before anything is started, or not at all.
End run(const RunOptions& options);

}  // namespace cudafault::local
