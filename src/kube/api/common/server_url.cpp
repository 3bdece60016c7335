// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/server_url.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "kube/api/common/error.hpp"
#include "kube/api/common/numbers.hpp"

namespace cudafault::kube {

namespace {

[[noreturn]] void fail(const std::string& server) {
    throw ConfigError(
        fmt::format("invalid server \"{}\" in the kubeconfig: expected an address such as https://host:6443",
                    without_password(server)));
}

std::optional<int> parse_number(std::string_view text, int largest) {
    const auto value = parse_integer<int>(text);
    return value && *value >= 0 && *value <= largest ? value : std::nullopt;
}

struct HostPort {
    std::string host;
    std::string port;  // may be empty
};

HostPort split_port(const std::string& text) {
    if (text.starts_with('[')) {
        const size_t end = text.find(']');
        if (end == std::string::npos) return {text, ""};
        return {text.substr(1, end - 1), text.substr(std::min(text.size(), end + 2))};
    }
    const size_t colon = text.find(':');
    // More than one colon without brackets means an IPv6 address.
    if (colon == std::string::npos || text.find(':', colon + 1) != std::string::npos) return {text, ""};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

struct Address {
    int family;
    std::array<unsigned char, 16> bytes{};
    int bits() const { return family == AF_INET ? 32 : 128; }
};

std::optional<Address> parse_address(const std::string& text) {
    for (int family : {AF_INET, AF_INET6}) {
        Address address{family, {}};
        if (inet_pton(family, text.c_str(), address.bytes.data()) == 1) return address;
    }
    return std::nullopt;
}

bool is_in_network(const std::string& host, const std::string& network) {
    const size_t slash = network.find('/');
    const auto base = parse_address(network.substr(0, slash));
    const auto address = parse_address(host);
    if (slash == std::string::npos || !base || !address || base->family != address->family) return false;
    const auto length = parse_number(std::string_view(network).substr(slash + 1), base->bits());
    if (!length) return false;
    for (int bit = 0; bit < *length; ++bit) {
        const auto byte = static_cast<size_t>(bit / 8);
        if ((base->bytes[byte] ^ address->bytes[byte]) & (128 >> bit % 8)) return false;
    }
    return true;
}

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || is_in_network(host, "127.0.0.0/8");
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
    return text.size() >= end.size() &&
           strncasecmp(text.data() + text.size() - end.size(), end.data(), end.size()) == 0;
}

bool is_no_proxy_match(const ServerUrl& server, const std::string& item) {
    if (item == "*" || is_in_network(server.host, item)) return true;
    auto [host, port] = split_port(item);
    if (!port.empty() && port != std::to_string(server.port)) return false;
    if (strcasecmp(host.c_str(), server.host.c_str()) == 0) return true;
    if (host.starts_with('*')) host.erase(0, 1);
    return !host.empty() && ends_with_ignoring_case(server.host, host.starts_with('.') ? host : "." + host);
}

bool is_in_no_proxy(const ServerUrl& server, const std::string& list) {
    for (size_t start = 0; start < list.size();) {
        const size_t end = std::min(list.find_first_of(", ", start), list.size());
        if (end > start && is_no_proxy_match(server, list.substr(start, end - start))) return true;
        start = end + 1;
    }
    return false;
}

std::string first_set_variable(const Getenv& getenv, const char* name, const char* lower) {
    for (const char* variable : {name, lower}) {
        const char* value = getenv(variable);
        if (value && *value) return value;
    }
    return "";
}

std::string scheme_of(const std::string& url) {
    const size_t end = url.find("://");
    return end == std::string::npos ? "" : url.substr(0, end);
}

ServerUrl unix_server(const std::string& path) {
    ServerUrl server;
    server.scheme = "unix";
    server.host = path;
    return server;
}

}  // namespace

std::string bracketed(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

std::string ServerUrl::host_and_port() const { return fmt::format("{}:{}", bracketed(host), port); }

ServerUrl parse_server(const Cluster& cluster) {
    const bool mentions_tls = cluster.insecure_skip_tls_verify || !cluster.certificate_authority.empty() ||
                              !cluster.certificate_authority_data.empty() || !cluster.tls_server_name.empty();
    const std::string scheme = scheme_of(cluster.server);
    const std::string address = cluster.server.substr(scheme.empty() ? 0 : scheme.size() + 3);
    if (scheme == "unix" && address.starts_with('/')) return unix_server(address);

    ServerUrl server;
    server.scheme = !scheme.empty() ? scheme : mentions_tls ? "https" : "http";
    const size_t slash = std::min(address.find('/'), address.size());
    const auto [host, port] = split_port(address.substr(0, slash));
    const auto port_number = parse_number(port, 65535);
    const bool has_invalid_character =
        host.find_first_of("@?# []\\") != std::string::npos || address.find_first_of("?#") != std::string::npos;
    if ((server.scheme != "https" && server.scheme != "http") || host.empty() || has_invalid_character ||
        (!port.empty() && !port_number)) {
        fail(cluster.server);
    }
    server.host = host;
    server.port = port_number.value_or(server.is_secure() ? 443 : 80);
    server.prefix = address.substr(slash);
    while (server.prefix.ends_with('/')) server.prefix.pop_back();
    return server;
}

std::string proxy_for(const ServerUrl& server, const std::string& proxy_url, const Getenv& getenv) {
    if (server.scheme == "unix") return "";
    if (!proxy_url.empty()) {
        const std::string scheme = scheme_of(proxy_url);
        // With a socks5 proxy, the proxy resolves host names, as in kubectl.
        if (scheme == "socks5") return "socks5h" + proxy_url.substr(scheme.size());
        if (scheme == "http" || scheme == "https" || scheme == "socks5h") return proxy_url;
        throw ConfigError(fmt::format("invalid proxy-url \"{}\": expected a URL with scheme http, https or socks5",
                                      without_password(proxy_url)));
    }
    if (is_loopback(server.host) || is_in_no_proxy(server, first_set_variable(getenv, "NO_PROXY", "no_proxy")))
        return "";
    return server.is_secure() ? first_set_variable(getenv, "HTTPS_PROXY", "https_proxy")
                              : first_set_variable(getenv, "HTTP_PROXY", "http_proxy");
}

std::string without_password(const std::string& url) {
    const size_t scheme = url.find("://");
    const size_t start = scheme == std::string::npos ? 0 : scheme + 3;
    const size_t end = std::min(url.find('/', start), url.size());
    const size_t at = url.rfind('@', end);
    return at == std::string::npos || at < start ? url : url.substr(0, start) + url.substr(at + 1);
}

}  // namespace cudafault::kube
