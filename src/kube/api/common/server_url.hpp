// SPDX-License-Identifier: Apache-2.0
// The parts of a server's address that decide how it is reached.
#pragma once

#include <string>

#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

struct ServerUrl {
    std::string scheme;  // https, http or unix
    std::string host;    // without brackets; of unix, the socket's path
    int port = 0;
    std::string prefix;  // path before /api, without a slash at its end

    bool is_secure() const { return scheme == "https"; }
    std::string host_and_port() const;
};

// As it stands in an address: an IPv6 address needs brackets there.
std::string bracketed(const std::string& host);

// Without a scheme it is https if the cluster says anything about TLS, else http, as for kubectl. Throws ConfigError.
ServerUrl parse_server(const Cluster& cluster);

// The proxy to go through, or "": proxy-url, else HTTPS_PROXY or HTTP_PROXY but for what NO_PROXY names (names, .names,
// addresses, networks, each with or without a port) and this machine itself. Throws ConfigError.
std::string proxy_for(const ServerUrl& server, const std::string& proxy_url, const Getenv& getenv);

// The address as it may be shown: without user name and password.
std::string without_password(const std::string& url);

}  // namespace cudafault::kube
