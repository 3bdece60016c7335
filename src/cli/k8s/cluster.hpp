// SPDX-License-Identifier: Apache-2.0
// Functions shared by all verbs of `cudafault k8s`: connection options, workload names, progress output and error
// handling.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/k8s/workloads.hpp"
#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/config/kubeconfig.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/cluster/permissions.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::cli {

struct ClusterOptions {
    kube::ConnectionOptions connection;
    std::string timeout = "300s";  // of the whole command
    std::string output;            // the value of -o: json, yaml, wide, or empty
    WorkloadArguments workloads;
    kube::CommandUse use;  // determines the Role that a "no permission" message names

    bool is_document() const { return output == "json" || output == "yaml"; }
};

// Adds -o, with --json as its short form. `snapshot`, whose -o is a file, has only --json.
void add_output_option(CLI::App& verb, ClusterOptions& options);
void add_json_flag(CLI::App& verb, ClusterOptions& options);
void print_document(const ClusterOptions& options, const nlohmann::json& document);  // as JSON or YAML
// Prints the only result if the command names one workload. Otherwise prints {"workloads": [...]}.
void print_results(const ClusterOptions& options, const nlohmann::json& list);

// Adds --namespace, --kubeconfig, --context, --cluster, --user, --server, --as, --as-group, --as-uid, and
// --timeout, and sets `options.use.command` to the verb's name.
void add_cluster_options(CLI::App& verb, ClusterOptions& options);

// Returns the `cudafault k8s rbac` command that prints the Role for this use.
std::string rbac_command(const kube::CommandUse& use);

// Returns the error if a Role could allow the request, or nullptr.
const kube::ApiError* permission_error(const kube::Error& error);

class ClusterAccess;

// Returns "; `cudafault k8s rbac ...` prints the Role to ask for", with a Role that suffices for all workloads of the
// command, or an empty text without an error.
std::string role_remedy(const kube::ApiError* denied, const ClusterOptions& options, ClusterAccess& access);

// A connection for the duration of one command. SIGINT, SIGTERM and SIGHUP cancel its waits.
class ClusterAccess {
    std::shared_ptr<kube::Cancellation> cancellation_;

public:
    explicit ClusterAccess(const ClusterOptions& options);

    kube::Session session;
    kube::Client client{session};
    kube::Discovery discovery{session};
    std::string in_namespace;  // from --namespace, or else from the kubeconfig context
    kube::Deadline deadline;

private:
    kube::CancelOnSignals cancel_on_signals_;
};

// Returns the workloads that the command names, or that -l selects.
std::vector<kube::WorkloadChoice> chosen_workloads(const ClusterOptions& options, ClusterAccess& access);

// Runs a verb's action and turns errors of the Kubernetes library into a local::Error with exit code 3.
void in_cluster(const ClusterOptions& options, const std::function<void(ClusterAccess&)>& action);

// Prints one line on standard error immediately.
void progress(const std::string& line);

// Adds `cudafault k8s`. Its verbs are added only if the command line uses `k8s`.
void add_k8s(CLI::App& app);
void add_k8s_verbs(CLI::App& k8s);

// Each function adds one verb to `k8s`, and is defined in the file with the name of the verb.
void add_k8s_plan(CLI::App& k8s);
void add_k8s_inject(CLI::App& k8s);
void add_k8s_manifest(CLI::App& k8s);
void add_k8s_arm(CLI::App& k8s);
void add_k8s_disarm(CLI::App& k8s);
void add_k8s_status(CLI::App& k8s);
void add_k8s_restore(CLI::App& k8s);
void add_k8s_scan(CLI::App& k8s);
void add_k8s_snapshot(CLI::App& k8s);
void add_k8s_verify_clean(CLI::App& k8s);
void add_k8s_node(CLI::App& k8s);
void add_k8s_kernel_log(CLI::App& k8s);
void add_k8s_rbac(CLI::App& k8s);
void add_k8s_library(CLI::App& k8s);

}  // namespace cudafault::cli
