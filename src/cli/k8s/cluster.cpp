// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/cluster.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/workload/kinds.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

std::chrono::milliseconds parse_timeout(const std::string& text) {
    size_t used = 0;
    double number = 0;
    try {
        number = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    const std::string unit = text.substr(used);
    const double factor = unit == "ms"                  ? 1
                          : unit.empty() || unit == "s" ? 1'000
                          : unit == "m"                 ? 60'000
                          : unit == "h"                 ? 3'600'000
                                                        : 0;
    if (used == 0 || !(number > 0) || factor == 0 || number * factor > 1e12) {
        throw local::Error(local::kUsage, fmt::format("--timeout {} is no time: write it like 300s or 5m", text));
    }
    return std::chrono::milliseconds(static_cast<int64_t>(number * factor));
}

kube::SessionOptions session_options(const ClusterOptions& options, const std::shared_ptr<kube::Cancellation>& cancel) {
    kube::SessionOptions session;
    session.cancellation = cancel;
    session.deadline = kube::after(parse_timeout(options.timeout));
    session.on_warning = [](const std::string& warning) { progress("the API server warns: " + warning); };
    return session;
}

// The workload's kind as `rbac --kind` takes it: what the user named may belong to another. Where it may not be looked
// at, that is what was refused.
std::string kind_for_role(const kube::ApiError& error, const std::string& workload, ClusterAccess& access) {
    if (workload.empty()) return "";
    kube::WorkloadChoice choice = parse_workload(workload, access.in_namespace);
    choice.accept_refused = true;
    try {
        return kube::load_workload(access.client, access.discovery, choice).target.resource.qualified();
    } catch (const std::exception&) {
        const std::string plural = kube::text_at(error.status, {"details", "kind"});
        const std::string group = kube::text_at(error.status, {"details", "group"});
        return group.empty() ? "" : plural + "." + group;
    }
}

// What to ask an administrator for.
std::string with_remedy(const kube::ApiError& error, const ClusterOptions& options, ClusterAccess& access) {
    if (!error.is_no_permission()) return error.what();
    std::string command = "cudafault k8s rbac " + options.verb;
    if (options.all_namespaces) {
        command += " -A";
    } else if (!options.verb.starts_with("node ")) {
        command += " -n " + access.in_namespace;
    }
    const std::string kind = kind_for_role(error, options.workload, access);
    if (!kind.empty() && kind != "deployments.apps") command += " --kind " + kind;
    return fmt::format("{}; `{}` prints the Role to ask for", error.what(), command);
}

void act(ClusterAccess& access, const ClusterOptions& options, const std::function<void(ClusterAccess&)>& action) {
    try {
        action(access);
    } catch (const kube::ApiError& error) {
        throw local::Error(local::kEnvironment, with_remedy(error, options, access));
    }
}

void add_verbs(CLI::App& k8s) {
    add_k8s_plan(k8s);
    add_k8s_inject(k8s);
    add_k8s_arm(k8s);
    add_k8s_disarm(k8s);
    add_k8s_status(k8s);
    add_k8s_restore(k8s);
    add_k8s_scan(k8s);
    add_k8s_snapshot(k8s);
    add_k8s_verify_clean(k8s);
    add_k8s_node(k8s);
    add_k8s_rbac(k8s);
    add_k8s_library(k8s);
}

// Behind what cut a command short.
std::string how_to_go_on(const std::string& verb) {
    if (verb.starts_with("inject")) {
        return "what was done until then stays: repeat the command to go on, or `cudafault k8s restore` to take it "
               "back";
    }
    const bool changes = verb.starts_with("arm") || verb.starts_with("disarm") || verb.starts_with("restore") ||
                         verb.starts_with("node") || verb.starts_with("library");
    return changes ? "what was done until then stays: repeat the command to go on" : "repeat the command";
}

}  // namespace

void add_cluster_options(CLI::App& verb, ClusterOptions& options) {
    const std::string parent = verb.get_parent()->get_name();
    options.verb = (parent == "k8s" ? "" : parent + " ") + verb.get_name();
    kube::ConnectionOptions& connection = options.connection;
    constexpr const char* kGroup = "Cluster";
    verb.add_option("-n,--namespace", connection.default_namespace, "The namespace; else the context's")->group(kGroup);
    verb.add_option("--kubeconfig", connection.kubeconfig, "Instead of KUBECONFIG and ~/.kube/config")->group(kGroup);
    verb.add_option("--context", connection.context, "Of the kubeconfig")->group(kGroup);
    verb.add_option("--cluster", connection.cluster, "Of the kubeconfig")->group(kGroup);
    verb.add_option("--user", connection.user, "Of the kubeconfig")->group(kGroup);
    verb.add_option("--server", connection.server, "https://HOST:PORT, or unix:///SOCKET of `kubectl proxy`")
        ->group(kGroup);
    verb.add_option("--as", connection.impersonation.user, "Impersonates a user")->group(kGroup);
    verb.add_option("--as-group", connection.impersonation.groups, "Impersonates a group")->group(kGroup);
    verb.add_option("--as-uid", connection.impersonation.uid, "Impersonates a uid")->group(kGroup);
    verb.add_option("--timeout", options.timeout, "For the whole command, such as 90s or 5m")
        ->group(kGroup)
        ->capture_default_str();
    verb.add_flag("--json", options.json, "The result as JSON")->group(kGroup);
}

ClusterAccess::ClusterAccess(const ClusterOptions& options)
    : cancellation_(std::make_shared<kube::Cancellation>()),
      session(kube::find_connection(options.connection), session_options(options, cancellation_)),
      in_namespace(session.connection().default_namespace),
      deadline(session.options().deadline),
      cancel_on_signals_(*cancellation_, {SIGINT, SIGTERM, SIGHUP}) {}

kube::WorkloadChoice parse_workload(const std::string& text, const std::string& in_namespace) {
    kube::WorkloadChoice choice;
    const size_t slash = text.find('/');
    if (slash != std::string::npos) choice.kind = text.substr(0, slash);
    choice.name = slash == std::string::npos ? text : text.substr(slash + 1);
    choice.in_namespace = in_namespace;
    if (choice.name.empty() || (slash != std::string::npos && choice.kind.empty()) ||
        choice.name.find('/') != std::string::npos) {
        throw local::Error(local::kUsage, fmt::format("{} names no workload: write it like deployment/web", text));
    }
    return choice;
}

void in_cluster(const ClusterOptions& options, const std::function<void(ClusterAccess&)>& action) {
    try {
        ClusterAccess access(options);
        act(access, options, action);
    } catch (const kube::Cancelled&) {
        throw local::Error(local::kEnvironment, "interrupted; " + how_to_go_on(options.verb));
    } catch (const kube::DeadlinePassed& error) {
        throw local::Error(local::kEnvironment, fmt::format("{}; {}", error.what(), how_to_go_on(options.verb)));
    } catch (const kube::Error& error) {
        throw local::Error(local::kEnvironment, error.what());
    } catch (const nlohmann::json::exception& error) {
        throw local::Error(local::kEnvironment,
                           fmt::format("an object of the cluster has not the form it should have ({}): if it is one of "
                                       "cudafault's, delete it; `cudafault k8s scan` lists those",
                                       error.what()));
    }
}

void progress(const std::string& line) {
    std::fflush(stdout);
    fmt::print(stderr, "  {}\n", line);
}

void add_k8s(CLI::App& app) {
    CLI::App* k8s = app.add_subcommand("k8s", "The same in Kubernetes workloads");
    k8s->require_subcommand(1);
    k8s->footer(R"(Examples:
  cudafault k8s inject deployment/web -n prod           puts the library in, with nothing armed
  cudafault k8s arm deployment/web 'xid=79' -n prod     every pod fails at its next CUDA call
  cudafault k8s status deployment/web -n prod
  cudafault k8s restore deployment/web -n prod          takes everything back
  cudafault k8s verify-clean -n prod                    proves it

docs/kubernetes.md has all of it. Exit codes: 0 done, 2 usage, 3 the cluster refused or something is missing, 4 something
of ours was left behind.)");
    // To make them takes as long as the rest of the program's start, which `cudafault arm` has to be quick with.
    k8s->preparse_callback([k8s](size_t) { add_verbs(*k8s); });
}

}  // namespace cudafault::cli
