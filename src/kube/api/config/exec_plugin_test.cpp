// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/exec_plugin.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <thread>

#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kV1 = "client.authentication.k8s.io/v1";

std::string credential(const std::string& status, const std::string& api_version = kV1) {
    return "echo '{\"apiVersion\":\"" + api_version + "\",\"kind\":\"ExecCredential\",\"status\":" + status + "}'\n";
}

class Plugin : public testing::Test {
protected:
    Plugin() {
        plugin.api_version = kV1;
        plugin.interactive_mode = InteractiveMode::kNever;
        cluster.server = "https://api.test:6443";
    }

    ExecCredential run(const std::string& script) {
        plugin.command = folder.program("plugin", script);
        return run_exec_plugin(plugin, cluster, deadline, cancellation);
    }

    std::string run_error(const std::string& script) {
        try {
            run(script);
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "accepted";
    }

    // Returns the KUBERNETES_EXEC_INFO that the plugin receives.
    Json info() {
        run("printf %s \"$KUBERNETES_EXEC_INFO\" >" + folder.file("info") + "\n" +
            credential(R"({"token":"t"})", plugin.api_version));
        return Json::parse(folder.read("info"));
    }

    TestFolder folder;
    ExecPlugin plugin;
    Cluster cluster;
    Deadline deadline = after(std::chrono::seconds(20));
    Cancellation cancellation;
};

TEST_F(Plugin, ReturnsToken) {
    const ExecCredential result = run(credential(R"({"token":"abc"})"));
    EXPECT_EQ(result.token, "abc");
    EXPECT_EQ(result.identity, TlsIdentity());
    EXPECT_FALSE(result.expires);
}

TEST_F(Plugin, ReturnsCertificateAndExpiry) {
    const ExecCredential result = run(credential(
        R"({"clientCertificateData":"C","clientKeyData":"K","token":null,"expirationTimestamp":"1970-01-01T00:01:00Z"})"));
    EXPECT_EQ(result.identity, (TlsIdentity{"C", "K"}));
    EXPECT_EQ(result.expires, std::chrono::system_clock::from_time_t(60));
}

TEST_F(Plugin, AcceptsV1beta1) {
    plugin.api_version = "client.authentication.k8s.io/v1beta1";
    EXPECT_EQ(run(credential(R"({"token":"b"})", plugin.api_version)).token, "b");
    EXPECT_THAT(run_error(credential(R"({"token":"b"})", kV1)), HasSubstr("wrong version"));
    EXPECT_EQ(info()["apiVersion"], plugin.api_version);
}

TEST_F(Plugin, PassesArgumentsWithoutShell) {
    plugin.args = {"two words", "$HOME", "'"};
    run("for a; do echo \"$a\"; done >" + folder.file("args") + "\n" + credential(R"({"token":"t"})"));
    EXPECT_EQ(folder.read("args"), "two words\n$HOME\n'\n");
}

TEST_F(Plugin, AddsEnvironmentVariables) {
    setenv("KUBE_TEST_KEPT", "kept", 1);
    setenv("KUBE_TEST_REPLACED", "old", 1);
    plugin.env = {{"KUBE_TEST_REPLACED", "new"}, {"KUBE_TEST_ADDED", "a=b"}};
    run("echo \"$KUBE_TEST_KEPT $KUBE_TEST_REPLACED $KUBE_TEST_ADDED\" >" + folder.file("env") + "\n" +
        credential(R"({"token":"t"})"));
    EXPECT_EQ(folder.read("env"), "kept new a=b\n");
    unsetenv("KUBE_TEST_KEPT");
    unsetenv("KUBE_TEST_REPLACED");
}

TEST_F(Plugin, InfoOmitsClusterByDefault) {
    EXPECT_EQ(info(), Json({{"apiVersion", kV1}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}}));
}

TEST_F(Plugin, InfoContainsClusterIfRequested) {
    plugin.provide_cluster_info = true;
    cluster.certificate_authority_data = "CA";
    cluster.tls_server_name = "n";
    cluster.proxy_url = "http://p";
    cluster.exec_extension = R"({"audience":"x"})";
    EXPECT_EQ(info()["spec"]["cluster"], Json({{"server", "https://api.test:6443"},
                                               {"certificate-authority-data", "Q0E="},
                                               {"tls-server-name", "n"},
                                               {"proxy-url", "http://p"},
                                               {"config", {{"audience", "x"}}}}));
}

TEST_F(Plugin, InfoReadsAuthorityFile) {
    plugin.provide_cluster_info = true;
    cluster.certificate_authority = folder.write("ca.crt", "CA");
    cluster.disable_compression = true;
    const Json cluster_info = info()["spec"]["cluster"];
    EXPECT_EQ(cluster_info["certificate-authority-data"], "Q0E=");
    EXPECT_EQ(cluster_info["disable-compression"], true);
}

TEST_F(Plugin, InfoContainsInsecureFlag) {
    plugin.provide_cluster_info = true;
    cluster.insecure_skip_tls_verify = true;
    EXPECT_EQ(info()["spec"]["cluster"]["insecure-skip-tls-verify"], true);
}

TEST_F(Plugin, StdinIsEmptyUnlessInteractive) { EXPECT_EQ(run("cat\n" + credential(R"({"token":"t"})")).token, "t"); }

// Replaces standard input during its lifetime.
class Stdin {
public:
    explicit Stdin(int descriptor) : saved_descriptor_(dup(STDIN_FILENO)) { dup2(descriptor, STDIN_FILENO); }
    ~Stdin() {
        dup2(saved_descriptor_, STDIN_FILENO);
        close(saved_descriptor_);
    }
    Stdin(const Stdin&) = delete;
    Stdin& operator=(const Stdin&) = delete;

private:
    int saved_descriptor_;
};

TEST_F(Plugin, AlwaysInteractiveRequiresTerminal) {
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const Stdin stdin_of_test(null);
    plugin.interactive_mode = InteractiveMode::kIfAvailable;
    EXPECT_EQ(info()["spec"]["interactive"], false);
    plugin.interactive_mode = InteractiveMode::kAlways;
    EXPECT_THAT(run_error(credential(R"({"token":"t"})")), HasSubstr("not a terminal"));
    close(null);
}

TEST_F(Plugin, ReadsTerminalUnlessNeverInteractive) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_EQ(grantpt(master) | unlockpt(master), 0);
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    const Stdin stdin_of_test(terminal);
    for (const InteractiveMode mode : {InteractiveMode::kIfAvailable, InteractiveMode::kAlways}) {
        plugin.interactive_mode = mode;
        ASSERT_EQ(write(master, "typed\n", 6), 6);
        run("read line; echo \"$line\" >" + folder.file("line") + "\n" + credential(R"({"token":"t"})"));
        EXPECT_EQ(folder.read("line"), "typed\n");
        EXPECT_EQ(info()["spec"]["interactive"], true);
    }
    plugin.interactive_mode = InteractiveMode::kNever;
    EXPECT_EQ(info()["spec"]["interactive"], false);
    close(terminal);
    close(master);
}

TEST_F(Plugin, MissingProgramReportsInstallHint) {
    plugin.command = folder.file("absent");
    plugin.install_hint = "get it from the vendor";
    try {
        run_exec_plugin(plugin, cluster, deadline, cancellation);
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("absent"), HasSubstr("No such file"), HasSubstr("; get it from")));
    }
}

TEST_F(Plugin, FindsProgramInPath) {
    const char* variable = getenv("PATH");
    const std::string path = variable ? variable : "";
    folder.program("kube-test-plugin", credential(R"({"token":"p"})"));
    setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1);
    plugin.command = "kube-test-plugin";
    EXPECT_EQ(run_exec_plugin(plugin, cluster, deadline, cancellation).token, "p");
    setenv("PATH", path.c_str(), 1);
}

TEST_F(Plugin, FailureReportsExitCodeWithoutOutput) {
    EXPECT_THAT(run_error("echo secret; exit 7\n"), AllOf(HasSubstr("code 7"), Not(HasSubstr("secret"))));
    EXPECT_THAT(run_error("kill -9 $$\n"), HasSubstr("code 137"));
}

TEST_F(Plugin, RejectsInvalidCredential) {
    EXPECT_THAT(run_error("echo secret\n"), AllOf(HasSubstr("expected an ExecCredential"), Not(HasSubstr("secret"))));
    EXPECT_THAT(run_error("echo '[]'\n"), HasSubstr("expected an ExecCredential"));
    EXPECT_THAT(run_error("echo '{\"kind\":\"Pod\"}'\n"), HasSubstr("expected an ExecCredential"));
    EXPECT_THAT(run_error(credential("null")), HasSubstr("without a status"));
    EXPECT_THAT(run_error(credential("{}")), HasSubstr("neither a token nor"));
    EXPECT_THAT(run_error(credential(R"({"token":7})")), HasSubstr("invalid token: expected a string"));
    EXPECT_THAT(run_error(credential(R"({"clientKeyData":"K"})")), HasSubstr("only one of"));
    EXPECT_THAT(run_error(credential(R"({"clientCertificateData":"C","token":"t"})")), HasSubstr("only one of"));
    EXPECT_THAT(run_error(credential(R"({"token":"t","expirationTimestamp":"soon"})")),
                HasSubstr("invalid expirationTimestamp"));
}

TEST_F(Plugin, IsKilledAtDeadline) {
    deadline = after(std::chrono::milliseconds(100));
    EXPECT_THROW(run("sleep 60\n"), DeadlinePassed);
    EXPECT_LT(Clock::now(), deadline + std::chrono::seconds(20));
}

TEST_F(Plugin, IsKilledOnCancellation) {
    std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        cancellation.cancel();
    });
    EXPECT_THROW(run("sleep 60\n"), Cancelled);
    canceller.join();
}

}  // namespace

}  // namespace cudafault::kube
