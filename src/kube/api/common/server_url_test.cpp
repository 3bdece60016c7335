// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/server_url.hpp"

#include <gtest/gtest.h>

#include "kube/api/common/error.hpp"
#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

ServerUrl parsed(const std::string& server) {
    Cluster cluster;
    cluster.server = server;
    return parse_server(cluster);
}

void expect(const ServerUrl& url, const char* scheme, const char* host, int port, const char* prefix) {
    EXPECT_EQ(url.scheme, scheme);
    EXPECT_EQ(url.host, host);
    EXPECT_EQ(url.port, port);
    EXPECT_EQ(url.prefix, prefix);
}

TEST(ParseServer, SplitsUrlAndSetsDefaultPort) {
    expect(parsed("https://api.test:6443"), "https", "api.test", 6443, "");
    expect(parsed("https://api.test"), "https", "api.test", 443, "");
    expect(parsed("http://10.0.0.1/"), "http", "10.0.0.1", 80, "");
    expect(parsed("https://[fd00::1]:6443/k8s/clusters/c-1/"), "https", "fd00::1", 6443, "/k8s/clusters/c-1");
    expect(parsed("unix:///run/proxy.sock"), "unix", "/run/proxy.sock", 0, "");
    EXPECT_EQ(parsed("https://[fd00::1]").host_and_port(), "[fd00::1]:443");
}

TEST(ParseServer, MissingSchemeDependsOnTlsSettings) {
    Cluster cluster;
    cluster.server = "api.test:6443";
    EXPECT_EQ(parse_server(cluster).scheme, "http");
    cluster.insecure_skip_tls_verify = true;
    EXPECT_EQ(parse_server(cluster).scheme, "https");
    cluster.insecure_skip_tls_verify = false;
    cluster.certificate_authority_data = "PEM";
    EXPECT_EQ(parse_server(cluster).scheme, "https");
}

TEST(ParseServer, RejectsInvalidUrls) {
    for (const char* server : {"ftp://host", "https://", "https://:6443", "https://host:port", "https://host:70000",
                               "https://host?x", "unix://relative", "https://user:secret@host"}) {
        EXPECT_THROW(parsed(server), ConfigError) << server;
    }
}

TEST(ParseServer, ErrorOmitsPassword) {
    try {
        parsed("https://user:secret@host");
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
}

TEST(ProxyFor, ProxyUrlOverridesEnvironment) {
    const Getenv getenv = environment({{"HTTPS_PROXY", "http://env:1"}, {"NO_PROXY", "*"}});
    EXPECT_EQ(proxy_for(parsed("https://127.0.0.1"), "http://own:3128", getenv), "http://own:3128");
    EXPECT_EQ(proxy_for(parsed("https://a"), "https://own:3128", getenv), "https://own:3128");
    EXPECT_EQ(proxy_for(parsed("https://a"), "socks5://own:1080", getenv), "socks5h://own:1080");
    EXPECT_THROW(proxy_for(parsed("https://a"), "ftp://own", getenv), ConfigError);
    EXPECT_EQ(proxy_for(parsed("unix:///s"), "http://own:3128", getenv), "");
}

TEST(ProxyFor, EnvironmentProxyDependsOnScheme) {
    const Getenv getenv = environment({{"HTTPS_PROXY", "http://s:1"}, {"http_proxy", "http://p:2"}});
    EXPECT_EQ(proxy_for(parsed("https://api.test"), "", getenv), "http://s:1");
    EXPECT_EQ(proxy_for(parsed("http://api.test"), "", getenv), "http://p:2");
    EXPECT_EQ(proxy_for(parsed("https://api.test"), "", environment({})), "");
}

TEST(ProxyFor, UsesNoProxyForLoopback) {
    const Getenv getenv = environment({{"HTTPS_PROXY", "http://s:1"}});
    for (const char* server :
         {"https://localhost:6443", "https://127.0.0.1:6443", "https://127.9.9.9", "https://[::1]"}) {
        EXPECT_EQ(proxy_for(parsed(server), "", getenv), "") << server;
    }
}

bool is_proxy_bypassed(const std::string& list, const std::string& server) {
    const Getenv getenv = environment({{"HTTPS_PROXY", "http://s:1"}, {"NO_PROXY", list}});
    return proxy_for(parsed(server), "", getenv).empty();
}

TEST(ProxyFor, MatchesEntriesOfNoProxy) {
    EXPECT_TRUE(is_proxy_bypassed("*", "https://api.test"));
    EXPECT_TRUE(is_proxy_bypassed("other, API.test", "https://api.test"));
    EXPECT_TRUE(is_proxy_bypassed("test", "https://api.test"));
    EXPECT_TRUE(is_proxy_bypassed(".test", "https://api.test"));
    EXPECT_TRUE(is_proxy_bypassed("*.test", "https://api.test"));
    EXPECT_TRUE(is_proxy_bypassed("api.test:6443", "https://api.test:6443"));
    EXPECT_TRUE(is_proxy_bypassed("10.0.0.0/8", "https://10.1.2.3"));
    EXPECT_TRUE(is_proxy_bypassed("10.1.2.3", "https://10.1.2.3"));
    EXPECT_TRUE(is_proxy_bypassed("fd00::/8", "https://[fd12::1]"));

    EXPECT_FALSE(is_proxy_bypassed("", "https://api.test"));
    EXPECT_FALSE(is_proxy_bypassed("api.test:1", "https://api.test:6443"));
    EXPECT_FALSE(is_proxy_bypassed("pi.test", "https://api.test"));
    EXPECT_FALSE(is_proxy_bypassed(".api.test", "https://api.test"));
    EXPECT_FALSE(is_proxy_bypassed("10.0.0.0/16", "https://10.1.2.3"));
    EXPECT_FALSE(is_proxy_bypassed("10.0.0.0/33", "https://10.0.0.0"));
    EXPECT_FALSE(is_proxy_bypassed("10.0.0.0/8", "https://[fd12::1]"));
}

TEST(WithoutPassword, RemovesOnlyUserInfo) {
    EXPECT_EQ(without_password("http://u:p@proxy:3128/x@y"), "http://proxy:3128/x@y");
    EXPECT_EQ(without_password("http://proxy:3128/x@y"), "http://proxy:3128/x@y");
    EXPECT_EQ(without_password("u:p@host"), "host");
}

}  // namespace

}  // namespace cudafault::kube
