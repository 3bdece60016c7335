// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/kubeconfig_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

KubeconfigFile parse(const std::string& text) { return parse_kubeconfig(text, "/etc/kube/config"); }

Cluster cluster(const std::string& fields) {
    return parse("clusters: [{name: c, cluster: {" + fields + "}}]").clusters.at("c");
}

User user(const std::string& fields) { return parse("users: [{name: u, user: {" + fields + "}}]").users.at("u"); }

ExecPlugin exec(const std::string& fields) {
    return *user("exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: tool, " +
                 fields + "}")
                .exec;
}

std::string parse_error(const std::string& text) {
    try {
        parse(text);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

std::string user_error(const std::string& fields) { return user(fields).unusable_reason; }

TEST(KubeconfigFile, EmptyFileHasNoEntries) {
    for (const char* text : {"", "\n", "# nothing\n", "null", "{}"}) {
        const KubeconfigFile config = parse(text);
        EXPECT_TRUE(config.current_context.empty() && config.clusters.empty() && config.users.empty()) << text;
    }
}

TEST(KubeconfigFile, IgnoresUnknownFields) {
    const KubeconfigFile config = parse(R"(
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: prod
contexts:
- name: prod
  context: {cluster: c, user: u, namespace: n, extensions: []}
- name: bare
)");
    EXPECT_EQ(config.current_context, "prod");
    EXPECT_EQ(config.contexts.at("prod").cluster, "c");
    EXPECT_EQ(config.contexts.at("prod").user, "u");
    EXPECT_EQ(config.contexts.at("prod").default_namespace, "n");
    EXPECT_EQ(config.contexts.at("bare").cluster, "");
}

TEST(KubeconfigFile, ParsesJson) {
    const KubeconfigFile config =
        parse(R"({"current-context":"x","clusters":[{"name":"c","cluster":{"server":"https://h"}}]})");
    EXPECT_EQ(config.current_context, "x");
    EXPECT_EQ(config.clusters.at("c").server, "https://h");
}

TEST(KubeconfigFile, ParsesClusterFields) {
    const Cluster parsed_cluster = cluster(
        "server: 'https://h:1', tls-server-name: n, certificate-authority-data: Q0E=, proxy-url: 'http://p:2', "
        "insecure-skip-tls-verify: true, disable-compression: true");
    EXPECT_EQ(parsed_cluster.server, "https://h:1");
    EXPECT_EQ(parsed_cluster.tls_server_name, "n");
    EXPECT_EQ(parsed_cluster.certificate_authority_data, "CA");
    EXPECT_EQ(parsed_cluster.proxy_url, "http://p:2");
    EXPECT_TRUE(parsed_cluster.insecure_skip_tls_verify);
    EXPECT_TRUE(parsed_cluster.disable_compression);
    EXPECT_FALSE(cluster("server: h").insecure_skip_tls_verify);
    EXPECT_FALSE(cluster("server: h").disable_compression);
}

TEST(KubeconfigFile, PathsAreRelativeToFile) {
    EXPECT_EQ(cluster("certificate-authority: ../ca.crt").certificate_authority, "/etc/ca.crt");
    EXPECT_EQ(cluster("certificate-authority: /abs/ca.crt").certificate_authority, "/abs/ca.crt");
    EXPECT_EQ(user("client-certificate: c.pem, client-key: k.pem").client_certificate, "/etc/kube/c.pem");
    EXPECT_EQ(user("client-certificate: c.pem, client-key: k.pem").client_key, "/etc/kube/k.pem");
    EXPECT_EQ(user("tokenFile: sub/t").token_file, "/etc/kube/sub/t");
    EXPECT_EQ(user("token: t").token_file, "");
}

TEST(KubeconfigFile, ParsesExecExtensionOfCluster) {
    const Cluster parsed_cluster = cluster(
        "extensions: [{name: other, extension: 1}, {name: client.authentication.k8s.io/exec, "
        "extension: {a: 1, b: '1', c: [true, 1.5, text], d: {e: null}}}]");
    EXPECT_EQ(Json::parse(parsed_cluster.exec_extension),
              Json::parse(R"({"a":1,"b":"1","c":[true,1.5,"text"],"d":{"e":null}})"));
    EXPECT_EQ(cluster("server: h").exec_extension, "");
}

TEST(KubeconfigFile, ParsesUserFields) {
    EXPECT_EQ(user("token: abc").token, "abc");
    EXPECT_EQ(user("username: 007, password: pw").username, "007");
    EXPECT_EQ(user("username: a, password: pw").password, "pw");
    EXPECT_EQ(user("client-certificate-data: Q0VSVA==, client-key-data: S0VZ").client_certificate_data, "CERT");
    EXPECT_EQ(user("client-certificate-data: Q0VSVA==, client-key-data: S0VZ").client_key_data, "KEY");
    EXPECT_FALSE(user("token: abc").exec);
}

TEST(KubeconfigFile, ParsesImpersonationFields) {
    const Impersonation impersonation =
        user("as: jane, as-uid: '42', as-groups: [a, b], as-user-extra: {scopes: [x, y], team: [z]}").impersonation;
    EXPECT_EQ(impersonation.user, "jane");
    EXPECT_EQ(impersonation.uid, "42");
    EXPECT_THAT(impersonation.groups, ElementsAre("a", "b"));
    EXPECT_THAT(impersonation.extra,
                ElementsAre(Pair("scopes", ElementsAre("x", "y")), Pair("team", ElementsAre("z"))));
}

TEST(KubeconfigFile, ParsesExecFields) {
    const ExecPlugin plugin = exec(
        "args: [get, '-o=1'], env: [{name: A, value: '1'}, {name: B, value: ''}], installHint: 'install it', "
        "provideClusterInfo: true");
    EXPECT_EQ(plugin.api_version, "client.authentication.k8s.io/v1");
    EXPECT_EQ(plugin.command, "tool");
    EXPECT_THAT(plugin.args, ElementsAre("get", "-o=1"));
    EXPECT_THAT(plugin.env, ElementsAre(Pair("A", "1"), Pair("B", "")));
    EXPECT_EQ(plugin.install_hint, "install it");
    EXPECT_TRUE(plugin.provide_cluster_info);
    EXPECT_EQ(plugin.interactive_mode, InteractiveMode::kNever);
    EXPECT_FALSE(exec("args: []").provide_cluster_info);
}

TEST(KubeconfigFile, ExecCommandWithSlashIsPath) {
    const std::string v1beta1 = "apiVersion: client.authentication.k8s.io/v1beta1, command: ";
    EXPECT_EQ(user("exec: {" + v1beta1 + "bin/tool}").exec->command, "/etc/kube/bin/tool");
    EXPECT_EQ(user("exec: {" + v1beta1 + "/bin/tool}").exec->command, "/bin/tool");
    EXPECT_EQ(user("exec: {" + v1beta1 + "tool}").exec->command, "tool");
}

TEST(KubeconfigFile, ParsesInteractiveModeOfExec) {
    const auto mode = [](const std::string& version, const std::string& field) {
        return user("exec: {command: x, apiVersion: client.authentication.k8s.io/" + version + field + "}")
            .exec->interactive_mode;
    };
    EXPECT_EQ(mode("v1beta1", ""), InteractiveMode::kIfAvailable);
    EXPECT_EQ(mode("v1", ", interactiveMode: IfAvailable"), InteractiveMode::kIfAvailable);
    EXPECT_EQ(mode("v1", ", interactiveMode: Always"), InteractiveMode::kAlways);
    EXPECT_EQ(mode("v1beta1", ", interactiveMode: Never"), InteractiveMode::kNever);
    const std::string v1 = "exec: {command: x, apiVersion: client.authentication.k8s.io/v1";
    EXPECT_THAT(user_error(v1 + "}"), HasSubstr("requires interactiveMode"));
    EXPECT_THAT(user_error(v1 + ", interactiveMode: Sometimes}"), HasSubstr("Never, IfAvailable or Always"));
}

TEST(KubeconfigFile, ErrorsNameFileAndLine) {
    EXPECT_THAT(parse_error("a: [\n"), AllOf(HasSubstr("/etc/kube/config, line"), HasSubstr("invalid YAML or JSON")));
    EXPECT_THAT(parse_error("- a\n"), HasSubstr("line 1: expected fields"));
    EXPECT_THAT(parse_error("\nclusters: {}\n"), HasSubstr("line 2: invalid clusters: expected a list"));
    EXPECT_THAT(parse_error("clusters:\n- cluster: {}\n"), HasSubstr("line 2: an entry of clusters has no name"));
    EXPECT_THAT(parse_error("users:\n- name: a\n- name: a\n"), HasSubstr("line 3: users has two entries named \"a\""));
    EXPECT_THAT(parse_error("current-context: [a]"), HasSubstr("wrong type"));
    EXPECT_THAT(parse_error("clusters: [{name: c, cluster: {insecure-skip-tls-verify: maybe}}]"),
                HasSubstr("wrong type"));
    EXPECT_THAT(parse_error("clusters: [{name: c, cluster: {certificate-authority-data: '*'}}]"),
                HasSubstr("expected base64"));
}

TEST(KubeconfigFile, ContradictoryUserIsUnusable) {
    EXPECT_THAT(user_error("token: secret-t, username: u"), HasSubstr("both a token and a username"));
    EXPECT_THAT(user_error("tokenFile: f, username: u"), HasSubstr("both a token and a username"));
    EXPECT_THAT(user_error("password: secret-p"), HasSubstr("a password without a username"));
    EXPECT_THAT(user_error("auth-provider: {name: gcp}"), HasSubstr("exec plugin instead"));
    EXPECT_THAT(user_error("exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}"),
                HasSubstr("v1 or v1beta1"));
    EXPECT_THAT(user_error("exec: {apiVersion: client.authentication.k8s.io/v1beta1}"), HasSubstr("no command"));
    EXPECT_THAT(user_error("client-key-data: '*'"), HasSubstr("expected base64"));
    EXPECT_EQ(user_error("token: t"), "");
    EXPECT_EQ(user_error("token: secret-t, username: u").find("secret"), std::string::npos);
}

}  // namespace

}  // namespace cudafault::kube
