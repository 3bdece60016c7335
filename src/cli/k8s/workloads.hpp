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

    bool empty() const { return words.empty() && labels.empty(); }
    // True if one workload is named. The result of such a command is one JSON object, and otherwise a list.
    bool is_single() const;

    // Throws local::Error (usage) if the arguments are invalid.
    void check() const;
};

// Adds the positional WORKLOAD... and -l.
void add_workload_arguments(CLI::App& verb, WorkloadArguments& arguments, const std::string& description,
                            bool is_required);

// Parses the words of a command line without -l: each word is KIND/NAME, or a KIND is followed by names, or the only
// word is a NAME (of a DynamoGraphDeployment, or otherwise of a Deployment). Throws local::Error (usage).
std::vector<kube::WorkloadChoice> parse_workloads(const std::vector<std::string>& words,
                                                  const std::string& in_namespace);

// Returns the workloads that the arguments name; only -l needs a request. Throws kube::Error if no object has the
// labels.
std::vector<kube::WorkloadChoice> find_workloads(kube::Client& client, kube::Discovery& discovery,
                                                 const WorkloadArguments& arguments, const std::string& in_namespace);

}  // namespace cudafault::cli
