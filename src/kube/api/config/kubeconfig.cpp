// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/kubeconfig.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kube/api/common/error.hpp"
#include "kube/api/config/files.hpp"
#include "kube/api/config/in_cluster.hpp"
#include "kube/api/config/kubeconfig_file.hpp"

namespace cudafault::kube {

namespace {

std::string variable(const ConnectionOptions& options, const char* name) {
    const char* value = options.getenv(name);
    return value ? value : "";
}

std::vector<std::filesystem::path> kubeconfig_list(const ConnectionOptions& options) {
    std::vector<std::filesystem::path> files;
    const std::string list = variable(options, "KUBECONFIG");
    for (size_t start = 0; start < list.size();) {
        const size_t end = std::min(list.find(':', start), list.size());
        if (end > start) files.push_back(list.substr(start, end - start));
        start = end + 1;
    }
    const std::string home = variable(options, "HOME");
    if (list.empty() && !home.empty()) files.push_back(std::filesystem::path(home) / ".kube" / "config");
    return files;
}

void merge(KubeconfigFile& config, KubeconfigFile&& later) {
    if (config.current_context.empty()) config.current_context = later.current_context;
    config.clusters.merge(later.clusters);
    config.contexts.merge(later.contexts);
    config.users.merge(later.users);
}

KubeconfigFile read_kubeconfig(const ConnectionOptions& options) {
    const char* what = "kubeconfig";
    if (!options.kubeconfig.empty()) {
        return parse_kubeconfig(read_file(options.kubeconfig, what), std::filesystem::absolute(options.kubeconfig));
    }
    KubeconfigFile config;
    for (const std::filesystem::path& file : kubeconfig_list(options)) {
        const auto text = read_if_exists(file, what);
        if (text) merge(config, parse_kubeconfig(*text, std::filesystem::absolute(file)));
    }
    return config;
}

template <typename Entry>
std::string joined_names(const std::map<std::string, Entry>& entries) {
    if (entries.empty()) return "none";
    std::vector<std::string> list;
    for (const auto& [name, entry] : entries) list.push_back(name);
    return fmt::format("{}", fmt::join(list, ", "));
}

template <typename Entry>
const Entry& entry(const std::map<std::string, Entry>& entries, const std::string& name, const char* kind) {
    const auto found = entries.find(name);
    if (found != entries.end()) return found->second;
    throw ConfigError(fmt::format("no {0} \"{1}\" in the kubeconfig ({0}s: {2})", kind, name, joined_names(entries)));
}

std::string first_nonempty(const std::string& first, const std::string& second) {
    return first.empty() ? second : first;
}

std::string files_text(const ConnectionOptions& options) {
    if (!options.kubeconfig.empty()) return options.kubeconfig;
    std::vector<std::string> files;
    for (const std::filesystem::path& file : kubeconfig_list(options)) files.push_back(file.string());
    return fmt::format("{}", fmt::join(files, ":"));
}

Context choose_context(const KubeconfigFile& config, const ConnectionOptions& options, const std::string& name) {
    Context context;
    if (!name.empty()) {
        context = entry(config.contexts, name, "context");
    } else if (options.server.empty() && options.cluster.empty()) {
        const std::string advice =
            config.contexts.empty() ? "set KUBECONFIG to a file with a context" : "choose a context with --context";
        throw ConfigError(fmt::format("no current-context in the kubeconfig {} (contexts: {}); {}", files_text(options),
                                      joined_names(config.contexts), advice));
    }
    return {first_nonempty(options.cluster, context.cluster), first_nonempty(options.user, context.user),
            context.default_namespace};
}

Connection connection_of(const KubeconfigFile& config, const ConnectionOptions& options) {
    Connection connection;
    connection.context = first_nonempty(options.context, config.current_context);
    const Context context = choose_context(config, options, connection.context);
    if (!context.cluster.empty()) {
        connection.cluster = entry(config.clusters, context.cluster, "cluster");
    } else if (options.server.empty()) {
        throw ConfigError(fmt::format("context \"{}\" of the kubeconfig has no cluster", connection.context));
    }
    if (!context.user.empty()) connection.user = entry(config.users, context.user, "user");
    connection.user_name = context.user;
    if (!context.default_namespace.empty()) connection.default_namespace = context.default_namespace;
    return connection;
}

bool is_impersonating(const Impersonation& impersonation) {
    return !impersonation.user.empty() || !impersonation.uid.empty() || !impersonation.groups.empty() ||
           !impersonation.extra.empty();
}

void override(Connection& connection, const ConnectionOptions& options) {
    if (!options.server.empty()) connection.cluster.server = options.server;
    if (!options.default_namespace.empty()) connection.default_namespace = options.default_namespace;
    if (is_impersonating(options.impersonation)) connection.user.impersonation = options.impersonation;
}

bool has_no_connection_option(const ConnectionOptions& options) {
    return options.kubeconfig.empty() && options.context.empty() && options.cluster.empty() && options.user.empty() &&
           options.server.empty();
}

void check(const Connection& connection) {
    const Cluster& cluster = connection.cluster;
    const Impersonation& impersonation = connection.user.impersonation;
    if (!connection.user.unusable_reason.empty()) throw ConfigError(connection.user.unusable_reason);
    if (cluster.server.empty()) {
        throw ConfigError(fmt::format("the cluster of context \"{}\" has no server", connection.context));
    }
    const bool authority = !cluster.certificate_authority.empty() || !cluster.certificate_authority_data.empty();
    if (cluster.insecure_skip_tls_verify && authority) {
        throw ConfigError(fmt::format("context \"{}\" has a certificate-authority and insecure-skip-tls-verify; {}",
                                      connection.context, "remove one of them"));
    }
    if (impersonation.user.empty() && is_impersonating(impersonation)) {
        throw ConfigError("impersonation of a uid, groups or extra fields requires a user to impersonate (as)");
    }
}

}  // namespace

Connection find_connection(const ConnectionOptions& options) {
    const KubeconfigFile config = read_kubeconfig(options);
    const bool use_service_account = config.current_context.empty() && has_no_connection_option(options);
    std::optional<Connection> connection;
    if (use_service_account) connection = in_cluster_connection(options.getenv, options.service_account);
    if (!connection) connection = connection_of(config, options);
    override(*connection, options);
    check(*connection);
    return *connection;
}

}  // namespace cudafault::kube
