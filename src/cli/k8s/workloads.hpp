// SPDX-License-Identifier: Apache-2.0
// The workloads a command line names, in the forms that kubectl takes: KIND/NAME..., KIND NAME..., KIND -l LABELS.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kube/workload/workload.hpp"

namespace cudafault::cli {

struct WorkloadArguments {
    std::vector<std::string> words;
    std::string labels;  // of -l

    bool empty() const { return words.empty() && labels.empty(); }
    // One workload was named. Its result is one JSON document; several results are a list, however many are found.
    bool is_single() const;

    // Throws local::Error (usage) if they cannot name workloads of any cluster.
    void check() const;
};

// Adds the positional WORKLOAD... and -l.
void add_workload_arguments(CLI::App& verb, WorkloadArguments& arguments, const std::string& description,
                            bool is_required);

// Without -l, whose words must be one KIND: each word KIND/NAME, a KIND followed by names, or a single NAME (a
// DynamoGraphDeployment, else a Deployment). Throws local::Error (usage).
std::vector<kube::WorkloadChoice> parse_workloads(const std::vector<std::string>& words,
                                                  const std::string& in_namespace);

// Those of the arguments, for -l one request. Throws kube::Error if no object has the labels.
std::vector<kube::WorkloadChoice> find_workloads(kube::Client& client, kube::Discovery& discovery,
                                                 const WorkloadArguments& arguments, const std::string& in_namespace);

}  // namespace cudafault::cli
