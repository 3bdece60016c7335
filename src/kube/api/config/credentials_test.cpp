// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/credentials.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "kube/api/common/error.hpp"
#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CredentialsTest : public testing::Test {
protected:
    Identification current(Credentials& credentials) {
        return credentials.current(after(std::chrono::seconds(20)), cancellation);
    }
    Identification first() {
        Credentials credentials(connection);
        return current(credentials);
    }

    // Uses a plugin that returns the tokens 1, 2, 3, ... in turn.
    void use_counting_plugin(const std::string& expires) {
        ExecPlugin plugin;
        plugin.api_version = "client.authentication.k8s.io/v1";
        plugin.interactive_mode = InteractiveMode::kNever;
        plugin.command = folder.program(
            "plugin", "echo >>" + folder.file("runs") + "\nn=$(wc -l <" + folder.file("runs") +
                          ")\necho '{\"apiVersion\":\"" + plugin.api_version +
                          "\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"token-'$n'\"" + expires + "}}'\n");
        connection.user.exec = plugin;
    }

    static std::string expiring_in(int offset) {
        const time_t when = std::time(nullptr) + offset;
        char text[32];
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&when));
        return std::string(",\"expirationTimestamp\":\"") + text + "\"";
    }

    TestFolder folder;
    Connection connection;
    Cancellation cancellation;
};

TEST_F(CredentialsTest, IsEmptyWithoutCredentials) { EXPECT_EQ(first(), Identification()); }

TEST_F(CredentialsTest, SendsBearerToken) {
    connection.user.token = "abc";
    EXPECT_EQ(first().authorization, "Bearer abc");
}

TEST_F(CredentialsTest, TokenFileIsReadForEachRequest) {
    connection.user.token = "older";
    connection.user.token_file = folder.write("token", "one\n");
    Credentials credentials(connection);
    EXPECT_EQ(current(credentials).authorization, "Bearer one");
    folder.write("token", " two \n");
    EXPECT_EQ(current(credentials).authorization, "Bearer two");
    folder.write("token", "");
    EXPECT_EQ(current(credentials).authorization, "Bearer two") << "an empty file must not replace the last token";
    std::filesystem::remove(folder.file("token"));
    EXPECT_EQ(current(credentials).authorization, "Bearer two");
}

TEST_F(CredentialsTest, MissingTokenFileFallsBackToToken) {
    connection.user.token_file = folder.file("absent");
    EXPECT_THROW(first(), ConfigError);
    connection.user.token = "abc";
    EXPECT_EQ(first().authorization, "Bearer abc");
}

TEST_F(CredentialsTest, EncodesBasicAuthentication) {
    connection.user.username = "Aladdin";
    connection.user.password = "open sesame";
    EXPECT_EQ(first().authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_F(CredentialsTest, RejectsLineBreakInHeader) {
    connection.user.token = "abc\r\nImpersonate-User: root";
    EXPECT_THROW(first(), ConfigError);
    EXPECT_THROW(impersonation_headers({"a\nb", "", {}, {}}), ConfigError);
}

TEST_F(CredentialsTest, CertificateDataOverridesFiles) {
    connection.user.client_certificate = folder.write("cert", "file-cert");
    connection.user.client_key = folder.write("key", "file-key");
    EXPECT_EQ(first().identity, (TlsIdentity{"file-cert", "file-key"}));
    connection.user.client_certificate_data = "data-cert";
    connection.user.client_key_data = "data-key";
    EXPECT_EQ(first().identity, (TlsIdentity{"data-cert", "data-key"}));
}

TEST_F(CredentialsTest, CertificateFilesAreReadForEachRequest) {
    connection.user.client_certificate = folder.write("cert", "c1");
    connection.user.client_key = folder.write("key", "k1");
    Credentials credentials(connection);
    EXPECT_EQ(current(credentials).identity.certificate, "c1");
    folder.write("cert", "c2");
    EXPECT_EQ(current(credentials).identity.certificate, "c2");
}

TEST_F(CredentialsTest, CertificateWithoutKeyIsAnError) {
    connection.user.client_certificate_data = "data-cert";
    EXPECT_THROW(first(), ConfigError);
    connection.user.client_certificate_data.clear();
    connection.user.client_key = folder.file("absent");
    EXPECT_THROW(first(), ConfigError);
}

TEST_F(CredentialsTest, PluginRunsOnceUntilCredentialExpires) {
    use_counting_plugin(expiring_in(3600));
    Credentials credentials(connection);
    EXPECT_EQ(current(credentials).authorization, "Bearer token-1");
    EXPECT_EQ(current(credentials).authorization, "Bearer token-1");
    credentials.discard_exec_credential();
    EXPECT_EQ(current(credentials).authorization, "Bearer token-2");
}

TEST_F(CredentialsTest, PluginWithoutExpiryRunsOnce) {
    use_counting_plugin("");
    Credentials credentials(connection);
    EXPECT_EQ(current(credentials).authorization, "Bearer token-1");
    EXPECT_EQ(current(credentials).authorization, "Bearer token-1");
}

TEST_F(CredentialsTest, ExpiredCredentialIsRenewed) {
    for (const int offset : {-5, 5}) {  // already expired, and about to expire
        use_counting_plugin(expiring_in(offset));
        Credentials credentials(connection);
        const std::string before = current(credentials).authorization;
        EXPECT_NE(current(credentials).authorization, before) << offset;
    }
}

TEST_F(CredentialsTest, PluginCertificateOverridesKubeconfig) {
    connection.user.client_certificate_data = "own-cert";
    connection.user.client_key_data = "own-key";
    ExecPlugin plugin;
    plugin.api_version = "client.authentication.k8s.io/v1";
    plugin.interactive_mode = InteractiveMode::kNever;
    plugin.command = folder.program("plugin",
                                    "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
                                    "\"ExecCredential\",\"status\":{\"clientCertificateData\":\"C\","
                                    "\"clientKeyData\":\"K\"}}'\n");
    connection.user.exec = plugin;
    EXPECT_EQ(first(), (Identification{"", {"C", "K"}}));
}

TEST_F(CredentialsTest, ReportsSecretsInUse) {
    connection.user.token_file = folder.write("token", "one");
    Credentials credentials(connection);
    EXPECT_THAT(credentials.secrets(), IsEmpty());
    current(credentials);
    folder.write("token", "two");
    current(credentials);
    current(credentials);
    EXPECT_THAT(credentials.secrets(), ElementsAre("one", "two"));

    connection.user = {};
    connection.user.username = "Aladdin";
    connection.user.password = "open sesame";
    Credentials basic(connection);
    current(basic);
    EXPECT_THAT(basic.secrets(), ElementsAre("open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
}

TEST(ImpersonationHeaders, FormatsAllHeaders) {
    EXPECT_THAT(impersonation_headers({}), IsEmpty());
    EXPECT_THAT(
        impersonation_headers({"jane", "42", {"a", "b"}, {{"acme.com/Team", {"x", "y"}}}}),
        ElementsAre("Impersonate-User: jane", "Impersonate-Uid: 42", "Impersonate-Group: a", "Impersonate-Group: b",
                    "Impersonate-Extra-acme.com%2FTeam: x", "Impersonate-Extra-acme.com%2FTeam: y"));
}

}  // namespace

}  // namespace cudafault::kube
