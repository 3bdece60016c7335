// SPDX-License-Identifier: Apache-2.0
// What all verbs of `cudafault k8s` share: which cluster, as whom, for how long; progress; how errors end the program.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "kube/api/client.hpp"
#include "kube/api/config/kubeconfig.hpp"
#include "kube/api/discovery.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::cli {

struct ClusterOptions {
    kube::ConnectionOptions connection;
    std::string timeout = "300s";  // of the whole command
    bool json = false;
    std::string workload;  // KIND/NAME, of verbs that are about one
    bool all_namespaces = false;
    std::string verb;  // for messages
};

// --kubeconfig, --context, --cluster, --user, --server, --as, --as-group, --as-uid, --namespace, --timeout, --json.
void add_cluster_options(CLI::App& verb, ClusterOptions& options);

// A connection, for the time of one command. SIGINT, SIGTERM and SIGHUP cancel its waits.
class ClusterAccess {
    std::shared_ptr<kube::Cancellation> cancellation_;

public:
    explicit ClusterAccess(const ClusterOptions& options);

    kube::Session session;
    kube::Client client{session};
    kube::Discovery discovery{session};
    std::string in_namespace;  // the given one, or the context's
    kube::Deadline deadline;

private:
    kube::CancelOnSignals cancel_on_signals_;
};

// KIND/NAME, or NAME alone (a graph, else a deployment). Throws local::Error (usage).
kube::WorkloadChoice parse_workload(const std::string& text, const std::string& in_namespace);

// Runs a verb's action; what src/kube throws becomes a local::Error with its exit code: 3, or 2 for usage.
void in_cluster(const ClusterOptions& options, const std::function<void(ClusterAccess&)>& action);

// A line on standard error, at once.
void progress(const std::string& line);

// Adds `cudafault k8s` with its verbs.
void add_k8s(CLI::App& app);

// One for each verb, in a file of its own in this folder; each adds itself to `k8s`.
void add_k8s_plan(CLI::App& k8s);
void add_k8s_inject(CLI::App& k8s);
void add_k8s_arm(CLI::App& k8s);
void add_k8s_disarm(CLI::App& k8s);
void add_k8s_status(CLI::App& k8s);
void add_k8s_restore(CLI::App& k8s);
void add_k8s_scan(CLI::App& k8s);
void add_k8s_snapshot(CLI::App& k8s);
void add_k8s_verify_clean(CLI::App& k8s);
void add_k8s_node(CLI::App& k8s);
void add_k8s_rbac(CLI::App& k8s);
void add_k8s_library(CLI::App& k8s);

}  // namespace cudafault::cli
