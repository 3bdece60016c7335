// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "cli/duration.hpp"
#include "cli/output.hpp"
#include "cli/yaml.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/plan/plan_object.hpp"
#include "kube/workload/kinds.hpp"
#include "local/error.hpp"

namespace cudafault::cli {

namespace {

kube::SessionOptions session_options(const ClusterOptions& options, const std::shared_ptr<kube::Cancellation>& cancel) {
    kube::SessionOptions session;
    session.cancellation = cancel;
    session.deadline = kube::after(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration_option("--timeout", options.timeout)));
    session.on_warning = [](const std::string& warning) { progress("warning from the API server: " + warning); };
    return session;
}

void add_unless_present(std::vector<std::string>& kinds, const std::string& kind) {
    if (!kind.empty() && std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
}

// Returns the kind of the object that the API server's error names, in the form of `rbac --kind`, or an empty text.
std::string kind_in(const kube::ApiError& error) {
    const std::string plural = kube::text_at(error.status, {"details", "kind"});
    const std::string group = kube::text_at(error.status, {"details", "group"});
    return group.empty() ? "" : plural + "." + group;
}

// Returns the kind of the workload that the command changes: the named object or its owner. If that cannot be read,
// returns the kind of the object that cannot.
std::string kind_of_choice(const kube::WorkloadChoice& choice, ClusterAccess& access) {
    try {
        kube::WorkloadChoice readable = choice;
        readable.accept_refused = true;
        return kube::load_workload(access.client, access.discovery, readable).ref.resource.qualified();
    } catch (const kube::ApiError& error) {
        return kind_in(error);
    } catch (const kube::Error&) {
        return "";
    }
}

std::vector<std::string> kinds_of_injected(const std::string& in_namespace, ClusterAccess& access) {
    std::vector<std::string> kinds;
    try {
        for (const kube::PlanObject& plan : kube::all_plans(access.client, in_namespace)) {
            const auto workload = plan.workload();
            if (workload) add_unless_present(kinds, access.discovery.resolve(workload->kind).qualified());
        }
    } catch (const kube::Error&) {  // the Role then has the default kind
    }
    return kinds;
}

// Returns the kinds of all workloads of the command in the form of `rbac --kind`, because one Role must suffice for
// them.
std::vector<std::string> kinds_for_role(const kube::ApiError& error, const ClusterOptions& options,
                                        ClusterAccess& access) {
    std::vector<std::string> kinds;
    if (options.workloads.empty()) {
        if (options.use.all_workloads)
            kinds = kinds_of_injected(options.use.all_namespaces ? "" : access.in_namespace, access);
        return kinds;
    }
    try {
        if (!options.workloads.labels.empty())
            return {access.discovery.resolve(options.workloads.words.at(0)).qualified()};
        for (const kube::WorkloadChoice& choice : parse_workloads(options.workloads.words, access.in_namespace))
            add_unless_present(kinds, kind_of_choice(choice, access));
    } catch (const std::exception&) {
        add_unless_present(kinds, kind_in(error));
    }
    return kinds;
}

void run_action(ClusterAccess& access, const ClusterOptions& options,
                const std::function<void(ClusterAccess&)>& action) {
    try {
        action(access);
    } catch (const kube::ApiError& error) {
        throw local::Error(local::kEnvironment, error.what() + role_remedy(permission_error(error), options, access));
    }
}

std::string how_to_continue(const kube::CommandUse& use) {
    return use.command == "inject" ? "run the command again to continue, or `cudafault k8s restore` to undo it"
                                   : "run the command again to continue";
}

}  // namespace

void add_cluster_options(CLI::App& verb, ClusterOptions& options) {
    const std::string parent = verb.get_parent()->get_name();
    options.use.command = (parent == "k8s" ? "" : parent + " ") + verb.get_name();
    const auto add = [&](const char* names, auto& value, const char* value_name, const char* description) {
        return verb.add_option(names, value, description)
            ->type_name(value_name)
            ->group("Cluster options")
            ->allow_extra_args(false);
    };
    kube::ConnectionOptions& connection = options.connection;
    add("-n,--namespace", connection.default_namespace, "NAMESPACE",
        "Namespace of the workload; by default the namespace of the kubeconfig context");
    add("--kubeconfig", connection.kubeconfig, "FILE",
        "Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config");
    add("--context", connection.context, "NAME", "Kubeconfig context to use");
    add("--cluster", connection.cluster, "NAME", "Kubeconfig cluster to use");
    add("--user", connection.user, "NAME", "Kubeconfig user to use");
    add("--server", connection.server, "URL", "API server: https://HOST:PORT, or unix:///SOCKET of `kubectl proxy`");
    add("--as", connection.impersonation.user, "USER", "User to impersonate");
    add("--as-group", connection.impersonation.groups, "GROUP", "Group to impersonate; repeatable");
    add("--as-uid", connection.impersonation.uid, "UID", "UID to impersonate");
    add("--timeout", options.timeout, "DURATION", "Time limit of the whole command, such as 90s or 5m")
        ->capture_default_str();
}

void add_json_flag(CLI::App& verb, ClusterOptions& options) {
    verb.add_flag_callback("--json", [&options] { options.output = "json"; }, "Print the result as JSON");
}

void add_output_option(CLI::App& verb, ClusterOptions& options) {
    verb.add_option("-o,--output", options.output, "Format of the result: json, yaml or wide")
        ->check(CLI::IsMember({"json", "yaml", "wide"}))
        ->type_name("FORMAT");
    add_json_flag(verb, options);
}

void print_document(const ClusterOptions& options, const nlohmann::json& document) {
    if (options.output == "json") return print_json(document);
    fmt::print("{}", yaml_text(document));
}

std::string rbac_command(const kube::CommandUse& use) {
    std::string command = "cudafault k8s rbac " + use.command;
    const auto add_flag = [&](bool is_set, const char* flag) {
        if (is_set) command += fmt::format(" {}", flag);
    };
    add_flag(use.all_workloads, "--all");
    add_flag(use.by_labels, "--by-labels");
    add_flag(use.delete_pods, "--delete-pods");
    add_flag(use.create_objects, "--create-objects");
    add_flag(use.exact, "--exact");
    add_flag(use.restart_crashed, "--restart-crashed");
    add_flag(use.delete_unhealthy, "--delete-unhealthy");
    if (use.all_namespaces) {
        command += " -A";
    } else if (!use.is_node_command()) {
        command += " -n " + use.in_namespace;
    }
    for (const std::string& kind : use.kinds) command += " --kind " + kind;
    return command;
}

const kube::ApiError* permission_error(const kube::Error& error) {
    const auto* answer = dynamic_cast<const kube::ApiError*>(&error);
    return answer && answer->is_permission_denied() ? answer : nullptr;
}

std::string role_remedy(const kube::ApiError* denied, const ClusterOptions& options, ClusterAccess& access) {
    if (!denied) return "";
    kube::CommandUse use = options.use;
    use.in_namespace = access.in_namespace;
    use.by_labels = !options.workloads.labels.empty();
    use.kinds = kinds_for_role(*denied, options, access);
    if (use.kinds == std::vector<std::string>{"deployments.apps"}) use.kinds.clear();
    return fmt::format("; `{}` prints the Role to ask for", rbac_command(use));
}

void print_results(const ClusterOptions& options, const nlohmann::json& list) {
    print_document(options, options.workloads.is_single() ? list.front() : nlohmann::json{{"workloads", list}});
}

ClusterAccess::ClusterAccess(const ClusterOptions& options)
    : cancellation_(std::make_shared<kube::Cancellation>()),
      session(kube::find_connection(options.connection), session_options(options, cancellation_)),
      in_namespace(session.connection().default_namespace),
      deadline(session.options().deadline),
      cancel_on_signals_(*cancellation_, {SIGINT, SIGTERM, SIGHUP}) {}

std::vector<kube::WorkloadChoice> chosen_workloads(const ClusterOptions& options, ClusterAccess& access) {
    return find_workloads(access.client, access.discovery, options.workloads, access.in_namespace);
}

void in_cluster(const ClusterOptions& options, const std::function<void(ClusterAccess&)>& action) {
    options.workloads.check();
    try {
        ClusterAccess access(options);
        run_action(access, options, action);
    } catch (const kube::Cancelled&) {
        throw local::Error(local::kEnvironment, "interrupted; " + how_to_continue(options.use));
    } catch (const kube::DeadlinePassed& error) {
        throw local::Error(local::kEnvironment, fmt::format("{}; {}", error.what(), how_to_continue(options.use)));
    } catch (const kube::Error& error) {
        throw local::Error(local::kEnvironment, error.what());
    } catch (const nlohmann::json::exception& error) {
        throw local::Error(local::kEnvironment,
                           fmt::format("unexpected form of an object in the cluster ({}): if cudafault created it, "
                                       "delete it; `cudafault k8s scan` lists its objects",
                                       error.what()));
    }
}

void progress(const std::string& line) {
    std::fflush(stdout);
    fmt::print(stderr, "  {}\n", line);
}

void add_k8s_verbs(CLI::App& k8s) {
    add_k8s_plan(k8s);
    add_k8s_inject(k8s);
    add_k8s_manifest(k8s);
    add_k8s_arm(k8s);
    add_k8s_disarm(k8s);
    add_k8s_status(k8s);
    add_k8s_restore(k8s);
    add_k8s_scan(k8s);
    add_k8s_snapshot(k8s);
    add_k8s_verify_clean(k8s);
    add_k8s_node(k8s);
    add_k8s_kernel_log(k8s);
    add_k8s_rbac(k8s);
    add_k8s_library(k8s);
}

void add_k8s(CLI::App& app) {
    CLI::App* k8s = app.add_subcommand("k8s", "Inject faults into Kubernetes workloads");
    k8s->require_subcommand(1);
    k8s->footer(R"(Examples:
  cudafault k8s inject deployment/web -n prod           add the library to the pods, without arming a fault
  cudafault k8s arm deployment/web 'xid=79' -n prod     every pod fails at its next CUDA call
  cudafault k8s status deployment/web -n prod           show what is armed and what fired
  cudafault k8s restore deployment/web -n prod          disarm and undo the injection
  cudafault k8s verify-clean -n prod                    verify that nothing created by cudafault remains

Exit codes: 0 done, 2 usage error, 3 cluster error (unreachable, no permission, timeout), 4 something created by
cudafault remains. See docs/kubernetes.md.)");
    // Adds the verbs only if the command line uses `k8s`, because adding them doubles the time to start, and `cudafault
    // arm` must start fast.
    k8s->preparse_callback([k8s](size_t) { add_k8s_verbs(*k8s); });
}

}  // namespace cudafault::cli
