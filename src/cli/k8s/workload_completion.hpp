// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cudafault::cli {

// Returns the workloads that complete the last word of a verb of `cudafault k8s`: kinds ("deployment/") before a slash,
// and after the slash the names of the workloads in the cluster that the command line selects. `words` follow the verb;
// the last one may be empty. Returns nothing if the verb takes no workloads, if the last word is the value of an
// option, or if the cluster does not respond within two seconds.
std::vector<std::string> complete_workloads(const CLI::App& verb, const std::vector<std::string>& words);

}  // namespace cudafault::cli
