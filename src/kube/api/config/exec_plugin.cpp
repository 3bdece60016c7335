// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/exec_plugin.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/config/files.hpp"
#include "kube/api/config/subprocess.hpp"
#include "os/timestamp.hpp"

namespace cudafault::kube {

namespace {

[[noreturn]] void fail(const ExecPlugin& plugin, const std::string& what) {
    throw ConfigError(fmt::format("exec plugin {} {}", plugin.command, what));
}

Json cluster_info(const Cluster& cluster) {
    Json info = {{"server", cluster.server}, {"config", nullptr}};
    if (!cluster.exec_extension.empty()) info["config"] = Json::parse(cluster.exec_extension);
    if (!cluster.tls_server_name.empty()) info["tls-server-name"] = cluster.tls_server_name;
    if (cluster.insecure_skip_tls_verify) info["insecure-skip-tls-verify"] = true;
    if (cluster.disable_compression) info["disable-compression"] = true;
    if (!cluster.proxy_url.empty()) info["proxy-url"] = cluster.proxy_url;
    const std::string authority =
        data_or_file(cluster.certificate_authority_data, cluster.certificate_authority, "certificate-authority");
    if (!authority.empty()) info["certificate-authority-data"] = base64_encode(authority);
    return info;
}

bool is_interactive(const ExecPlugin& plugin) {
    const bool terminal = isatty(STDIN_FILENO) == 1;
    if (plugin.interactive_mode == InteractiveMode::kAlways && !terminal) {
        fail(plugin, "must prompt the user, but standard input is not a terminal");
    }
    return terminal && plugin.interactive_mode != InteractiveMode::kNever;
}

Command command_for(const ExecPlugin& plugin, const Cluster& cluster) {
    Command command;
    command.keeps_stdin = is_interactive(plugin);
    command.arguments = plugin.args;
    command.arguments.insert(command.arguments.begin(), plugin.command);
    Json spec = {{"interactive", command.keeps_stdin}};
    if (plugin.provide_cluster_info) spec["cluster"] = cluster_info(cluster);
    const Json info = {{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}};
    command.env = plugin.env;
    command.env.emplace_back("KUBERNETES_EXEC_INFO", info.dump());
    return command;
}

CommandResult run(const ExecPlugin& plugin, const Command& command, Deadline deadline,
                  const Cancellation& cancellation) {
    try {
        return run_captured(command, deadline, cancellation);
    } catch (const std::system_error& error) {
        std::string hint = plugin.install_hint;
        if (!hint.empty()) hint = "; " + hint;
        fail(plugin, fmt::format("cannot be started: {}{}", error.code().message(), hint));
    } catch (const DeadlinePassed&) {
        throw DeadlinePassed(fmt::format("exec plugin {} returned no credentials before the timeout", plugin.command));
    }
}

std::string string_field(const ExecPlugin& plugin, const Json& status, const char* field) {
    const auto found = status.find(field);
    if (found == status.end() || found->is_null()) return "";
    if (!found->is_string()) fail(plugin, fmt::format("returned an invalid {}: expected a string", field));
    return found->get<std::string>();
}

ExecCredential credential_of(const ExecPlugin& plugin, const Json& status) {
    ExecCredential credential;
    credential.token = string_field(plugin, status, "token");
    credential.identity = {string_field(plugin, status, "clientCertificateData"),
                           string_field(plugin, status, "clientKeyData")};
    if (credential.identity.certificate.empty() != credential.identity.key.empty()) {
        fail(plugin, "returned only one of clientCertificateData and clientKeyData");
    }
    if (credential.token.empty() && credential.identity.key.empty()) {
        fail(plugin, "returned neither a token nor a client certificate");
    }
    const std::string expires = string_field(plugin, status, "expirationTimestamp");
    credential.expires = parse_timestamp(expires);
    if (!expires.empty() && !credential.expires)
        fail(plugin, "returned an invalid expirationTimestamp: expected a time such as 2026-11-24T13:00:00Z");
    return credential;
}

ExecCredential parse_output(const ExecPlugin& plugin, const std::string& output) {
    const Json credential = Json::parse(output, nullptr, false);
    if (!credential.is_object() || credential.value("kind", Json()) != "ExecCredential") {
        fail(plugin, "returned invalid output: expected an ExecCredential");
    }
    if (credential.value("apiVersion", Json()) != plugin.api_version) {
        fail(plugin, fmt::format("returned an ExecCredential of the wrong version: expected {}, as in the kubeconfig",
                                 plugin.api_version));
    }
    const Json status = credential.value("status", Json());
    if (!status.is_object()) fail(plugin, "returned an ExecCredential without a status");
    return credential_of(plugin, status);
}

}  // namespace

ExecCredential run_exec_plugin(const ExecPlugin& plugin, const Cluster& cluster, Deadline deadline,
                               const Cancellation& cancellation) {
    const CommandResult result = run(plugin, command_for(plugin, cluster), deadline, cancellation);
    if (result.exit_code != 0) {
        fail(plugin,
             fmt::format("exited with code {}; see its output on standard error, and log in again", result.exit_code));
    }
    return parse_output(plugin, result.output);
}

}  // namespace cudafault::kube
