// SPDX-License-Identifier: Apache-2.0
// How to reach one API server and as whom: what a context of a kubeconfig comes to.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cudafault::kube {

// As getenv: nullptr if it is not set.
using Getenv = std::function<const char*(const char* name)>;

struct Cluster {
    std::string server;                 // https://host:port/prefix, http://..., or unix:///socket of `kubectl proxy`
    std::string tls_server_name;        // the name asked for and verified, in place of the server's host
    std::string certificate_authority;  // a PEM file; read again for each request
    std::string certificate_authority_data;  // PEM; goes before the file. With neither, the system's authorities.
    std::string proxy_url;                   // http, https, socks5; empty: HTTPS_PROXY and its kin
    bool insecure_skip_tls_verify = false;
    bool disable_compression = false;
    std::string exec_extension;  // JSON: the cluster's extension for exec plugins; empty: it has none
};

enum class InteractiveMode { kNever, kIfAvailable, kAlways };

struct ExecPlugin {
    std::string api_version;  // client.authentication.k8s.io/v1 or v1beta1
    std::string command;      // a path, or a name to look for in PATH
    std::vector<std::string> args;
    std::vector<std::pair<std::string, std::string>> env;  // added to this process's
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
    std::string token_file;  // goes before the token; read again for each request
    std::string username;
    std::string password;
    std::string client_certificate;  // PEM files; read again for each request
    std::string client_key;
    std::string client_certificate_data;  // PEM; these go before the files
    std::string client_key_data;
    std::optional<ExecPlugin> exec;
    std::string unusable;  // the reason why nobody can ask as this user; empty if somebody can
    Impersonation impersonation;
};

struct Connection {
    std::string context;    // its name, or "in-cluster", or empty where only a server was given
    std::string user_name;  // of the kubeconfig's entry, for messages
    std::string default_namespace = "default";
    Cluster cluster;
    User user;
};

}  // namespace cudafault::kube
