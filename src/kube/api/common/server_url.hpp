// SPDX-License-Identifier: Apache-2.0
// Parses server URLs and selects the proxy.
#pragma once

#include <string>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

struct ServerUrl {
    std::string scheme;  // https, http or unix
    std::string host;    // without brackets; for unix, the path of the socket
    int port = 0;
    std::string prefix;  // path before /api, without a trailing slash

    bool is_secure() const { return scheme == "https"; }
    std::string host_and_port() const;
};

// Returns the host as written in a URL, where an IPv6 address needs brackets.
std::string bracketed(const std::string& host);

// Parses the cluster's server URL. As in kubectl, a missing scheme means https if the cluster has TLS settings, and
// http otherwise. Throws ConfigError.
ServerUrl parse_server(const Cluster& cluster);

// Returns the proxy to use, or "" for none: `proxy_url`, or else HTTPS_PROXY or HTTP_PROXY. The environment's proxy is
// not used for loopback addresses and for entries of NO_PROXY (names, .names, addresses and networks, each optionally
// with a port). Throws ConfigError.
std::string proxy_for(const ServerUrl& server, const std::string& proxy_url, const Getenv& getenv);

// Returns the URL without user name and password, for messages.
std::string without_password(const std::string& url);

}  // namespace cudafault::kube
