// SPDX-License-Identifier: Apache-2.0
// Parses the workloads of a command line, in kubectl's forms: KIND/NAME..., KIND NAME..., KIND -l LABELS.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::cli {

struct WorkloadArguments {
    std::vector<std::string> words;
    std::string labels;  // from -l
    bool is_required = false;

    bool empty() const { return words.empty() && labels.empty(); }
    // Returns true if the arguments name exactly one workload. The command then prints one JSON object. Otherwise it
    // prints {"workloads": [...]}.
    bool is_single() const;

    // Throws local::Error (kUsage) if the arguments are invalid.
    void check() const;
};

// Adds the positional WORKLOAD... and -l.
void add_workload_arguments(CLI::App& verb, WorkloadArguments& arguments, const std::string& description,
                            bool is_required);

// Parses the words of a command line without -l. The words are KIND/NAME pairs, a KIND followed by names, or a single
// NAME. The choice for a single NAME has no kind: see possible_refs(). Throws local::Error (kUsage).
std::vector<kube::WorkloadChoice> parse_workloads(const std::vector<std::string>& words,
                                                  const std::string& in_namespace);

// Returns the workloads that the arguments name; only -l needs a request. Throws kube::Error if no object has the
// labels.
std::vector<kube::WorkloadChoice> find_workloads(kube::Client& client, kube::Discovery& discovery,
                                                 const WorkloadArguments& arguments, const std::string& in_namespace);

}  // namespace cudafault::cli
