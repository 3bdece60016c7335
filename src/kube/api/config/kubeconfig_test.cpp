// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/kubeconfig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/api/common/error.hpp"
#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kFirstFile = R"(
current-context: one
contexts:
- {name: one, context: {cluster: shared, user: alice, namespace: n1}}
- {name: bare, context: {cluster: shared}}
clusters:
- {name: shared, cluster: {server: "https://first", certificate-authority: ca.crt}}
users:
- {name: alice, user: {token: t1}}
)";
const std::string kSecondFile = R"(
current-context: two
contexts:
- {name: two, context: {cluster: own, user: bob}}
- {name: lost, context: {cluster: nowhere, user: bob}}
- {name: nobody, context: {cluster: own, user: nobody}}
- {name: empty, context: {user: bob}}
clusters:
- {name: shared, cluster: {server: "https://second", tls-server-name: extra}}
- {name: own, cluster: {server: "https://own"}}
users:
- {name: alice, user: {username: x, password: y}}
- {name: bob, user: {token: t2, as: jane, as-groups: [g]}}
)";

class FindConnection : public testing::Test {
protected:
    FindConnection() {
        folder.write("a/one", kFirstFile);
        folder.write("b/two", kSecondFile);
        options.service_account = folder.path() / "no-service-account";
        set("KUBECONFIG", folder.file("a/one") + "::" + folder.file("missing") + ":" + folder.file("b/two"));
    }

    void set(const std::string& name, const std::string& value) {
        variables[name] = value;
        options.getenv = environment(variables);
    }

    std::string find_error() {
        try {
            find_connection(options);
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "accepted";
    }

    TestFolder folder;
    std::map<std::string, std::string> variables;
    ConnectionOptions options;
};

TEST_F(FindConnection, LaterDefinitionsOfSameNameAreIgnored) {
    const Connection connection = find_connection(options);
    EXPECT_EQ(connection.context, "one");
    EXPECT_EQ(connection.user_name, "alice");
    EXPECT_EQ(connection.default_namespace, "n1");
    EXPECT_EQ(connection.cluster.server, "https://first");
    EXPECT_EQ(connection.cluster.tls_server_name, "") << "the second file's entry of the same name must be ignored";
    EXPECT_EQ(connection.user.token, "t1");
    EXPECT_EQ(connection.user.username, "");
}

TEST_F(FindConnection, PathsAreRelativeToTheirFile) {
    EXPECT_EQ(find_connection(options).cluster.certificate_authority, folder.file("a/ca.crt"));
}

TEST_F(FindConnection, LaterFilesAddEntries) {
    options.context = "two";
    const Connection connection = find_connection(options);
    EXPECT_EQ(connection.cluster.server, "https://own");
    EXPECT_EQ(connection.user.token, "t2");
    EXPECT_EQ(connection.default_namespace, "default");
    EXPECT_EQ(connection.user.impersonation.user, "jane");
}

TEST_F(FindConnection, KubeconfigOptionReplacesOtherFiles) {
    options.kubeconfig = folder.file("b/two");
    EXPECT_EQ(find_connection(options).context, "two");
    options.context = "one";
    EXPECT_THAT(find_error(), HasSubstr("no context \"one\""));
    options.kubeconfig = folder.file("missing");
    EXPECT_THAT(find_error(), AllOf(HasSubstr("cannot read kubeconfig"), HasSubstr("missing")));
}

TEST_F(FindConnection, DefaultsToFileInHome) {
    folder.write("home/.kube/config", kSecondFile);
    set("HOME", folder.file("home"));
    EXPECT_EQ(find_connection(options).context, "one");
    set("KUBECONFIG", "");
    EXPECT_EQ(find_connection(options).context, "two");
}

TEST_F(FindConnection, UnreadableFileInListIsAnError) {
    set("KUBECONFIG", folder.file("a") + ":" + folder.file("b/two"));
    EXPECT_THAT(find_error(), HasSubstr("cannot read kubeconfig"));
}

TEST_F(FindConnection, OptionsOverrideFiles) {
    options.cluster = "own";
    options.user = "bob";
    options.default_namespace = "n9";
    options.server = "https://given";
    options.impersonation.user = "joe";
    const Connection connection = find_connection(options);
    EXPECT_EQ(connection.cluster.server, "https://given");
    EXPECT_EQ(connection.user.token, "t2");
    EXPECT_EQ(connection.default_namespace, "n9");
    EXPECT_EQ(connection.user.impersonation.user, "joe");
    EXPECT_TRUE(connection.user.impersonation.groups.empty()) << "the option must replace the kubeconfig's groups too";
}

TEST_F(FindConnection, ServerOptionNeedsNoKubeconfig) {
    set("KUBECONFIG", folder.file("missing"));
    options.server = "unix:///run/proxy.sock";
    const Connection connection = find_connection(options);
    EXPECT_EQ(connection.cluster.server, "unix:///run/proxy.sock");
    EXPECT_EQ(connection.user.token, "");
}

TEST_F(FindConnection, AcceptsContextWithoutUser) {
    options.context = "bare";
    EXPECT_EQ(find_connection(options).user.token, "");
}

TEST_F(FindConnection, ErrorNamesMissingEntry) {
    options.context = "nope";
    EXPECT_THAT(find_error(),
                AllOf(HasSubstr("no context \"nope\""), HasSubstr("bare, empty, lost, nobody, one, two")));
    options.context = "lost";
    EXPECT_THAT(find_error(), AllOf(HasSubstr("no cluster \"nowhere\""), HasSubstr("own, shared")));
    options.context = "nobody";
    EXPECT_THAT(find_error(), AllOf(HasSubstr("no user \"nobody\""), HasSubstr("alice, bob")));
    options.context = "empty";
    EXPECT_THAT(find_error(), HasSubstr("has no cluster"));
}

TEST_F(FindConnection, MissingCurrentContextIsAnError) {
    set("KUBECONFIG", folder.write("c", "contexts: [{name: x, context: {cluster: c}}]"));
    EXPECT_THAT(find_error(), AllOf(HasSubstr("no current-context"), HasSubstr("(contexts: x); choose")));
    set("KUBECONFIG", folder.file("missing"));
    EXPECT_THAT(find_error(), AllOf(HasSubstr("no current-context"), HasSubstr("set KUBECONFIG")));
}

TEST_F(FindConnection, UnusableUserIsAnErrorOnlyIfSelected) {
    set("KUBECONFIG", folder.write("c", R"({current-context: x, clusters: [{name: c, cluster: {server: "https://h"}}],
        contexts: [{name: x, context: {cluster: c, user: new}}, {name: y, context: {cluster: c, user: old}}],
        users: [{name: new, user: {token: t}}, {name: old, user: {auth-provider: {name: gcp}}}]})"));
    EXPECT_EQ(find_connection(options).user.token, "t");
    options.context = "y";
    EXPECT_THAT(find_error(), HasSubstr("auth-provider is not supported"));
}

class InsidePod : public FindConnection {
protected:
    InsidePod() {
        folder.write("sa/token", "t");
        options.service_account = folder.path() / "sa";
        set("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        set("KUBERNETES_SERVICE_PORT", "443");
    }
};

TEST_F(InsidePod, UsesServiceAccountOnlyWithoutKubeconfig) {
    EXPECT_EQ(find_connection(options).context, "one");
    set("KUBECONFIG", folder.file("missing"));
    options.default_namespace = "n9";
    const Connection connection = find_connection(options);
    EXPECT_EQ(connection.context, "in-cluster");
    EXPECT_EQ(connection.user.token_file, folder.file("sa/token"));
    EXPECT_EQ(connection.default_namespace, "n9");
}

TEST_F(InsidePod, OptionsDisableServiceAccount) {
    set("KUBECONFIG", folder.file("missing"));
    options.context = "one";
    EXPECT_THAT(find_error(), HasSubstr("no context \"one\""));
}

TEST_F(FindConnection, RejectsContradictoryFields) {
    set("KUBECONFIG", folder.write("c", R"({current-context: x, contexts: [{name: x, context: {cluster: c}}],
        clusters: [{name: c, cluster: {server: "https://h", certificate-authority: f, insecure-skip-tls-verify: true}}]})"));
    EXPECT_THAT(find_error(), HasSubstr("remove one of them"));
    set("KUBECONFIG", folder.write("d", R"({current-context: x, contexts: [{name: x, context: {cluster: c}}],
        clusters: [{name: c, cluster: {}}]})"));
    EXPECT_THAT(find_error(), HasSubstr("has no server"));
    options.server = "https://h";
    options.impersonation.groups = {"g"};
    EXPECT_THAT(find_error(), HasSubstr("requires a user"));
}

}  // namespace

}  // namespace cudafault::kube
