// SPDX-License-Identifier: Apache-2.0
// Describes how to reach an API server and with which user: the result of resolving a kubeconfig context.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cudafault::kube {

// Like ::getenv: returns nullptr if the variable is not set.
using Getenv = std::function<const char*(const char* name)>;

struct Cluster {
    std::string server;                 // https://host:port/prefix, http://..., or unix:///socket of `kubectl proxy`
    std::string tls_server_name;        // the name for SNI and verification, instead of the server's host
    std::string certificate_authority;  // a PEM file; read again for each request
    // PEM; overrides the file. If both are empty, the system's authorities are used.
    std::string certificate_authority_data;
    std::string proxy_url;  // http, https or socks5; if empty, HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply
    bool insecure_skip_tls_verify = false;
    bool disable_compression = false;
    std::string exec_extension;  // the cluster's extension for exec plugins as JSON; may be empty
};

enum class InteractiveMode { kNever, kIfAvailable, kAlways };

struct ExecPlugin {
    std::string api_version;  // client.authentication.k8s.io/v1 or v1beta1
    std::string command;      // a path, or a name to search in PATH
    std::vector<std::string> args;
    std::vector<std::pair<std::string, std::string>> env;  // added to the environment of this process
    std::string install_hint;
    bool provide_cluster_info = false;
    InteractiveMode interactive_mode = InteractiveMode::kIfAvailable;
};

struct Impersonation {
    std::string user;
    std::string uid;
    std::vector<std::string> groups;
    std::map<std::string, std::vector<std::string>> extra;
};

struct User {
    std::string token;
    std::string token_file;  // overrides the token; read again for each request
    std::string username;
    std::string password;
    std::string client_certificate;  // PEM files; read again for each request
    std::string client_key;
    std::string client_certificate_data;  // PEM; overrides the files
    std::string client_key_data;
    std::optional<ExecPlugin> exec;
    std::string unusable_reason;  // why this user cannot authenticate; empty if the user is usable
    Impersonation impersonation;
};

struct Connection {
    std::string context;    // the context's name, "in-cluster", or empty if only a server was given
    std::string user_name;  // the name of the user entry in the kubeconfig, for messages
    std::string default_namespace = "default";
    Cluster cluster;
    User user;
};

}  // namespace cudafault::kube
