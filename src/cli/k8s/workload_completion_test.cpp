// SPDX-License-Identifier: Apache-2.0

#include <gmock/gmock.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "cli/completion.hpp"
#include "cli/k8s/cluster.hpp"
#include "kube/api/testing/session_testing.hpp"

namespace cudafault::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

class WorkloadCompletionTest : public testing::Test {
protected:
    WorkloadCompletionTest() {
        const nlohmann::json config = {
            {"current-context", "x"},
            {"clusters", {{{"name", "c"}, {"cluster", {{"server", responder.url()}}}}}},
            {"users", {{{"name", "u"}, {"user", nlohmann::json::object()}}}},
            {"contexts", {{{"name", "x"}, {"context", {{"cluster", "c"}, {"user", "u"}, {"namespace", "prod"}}}}}}};
        std::ofstream(kubeconfig) << config;
        answer("/api", {{"kind", "APIVersions"}, {"versions", {"v1"}}});
        answer(
            "/apis",
            {{"kind", "APIGroupList"},
             {"groups",
              {{{"name", "apps"}, {"preferredVersion", {{"version", "v1"}}}, {"versions", {{{"version", "v1"}}}}}}}});
        answer("/apis/apps/v1",
               {{"kind", "APIResourceList"},
                {"resources",
                 {{{"name", "deployments"}, {"kind", "Deployment"}, {"namespaced", true}, {"verbs", {"list"}}}}}});
        answer("/apis/apps/v1/namespaces/prod/deployments", list({"web", "worker"}));
        answer("/apis/apps/v1/namespaces/dev/deployments", list({"trial"}));
    }
    ~WorkloadCompletionTest() override { std::remove(kubeconfig.c_str()); }

    static nlohmann::json list(const std::vector<std::string>& names) {
        nlohmann::json items = nlohmann::json::array();
        for (const std::string& name : names) items.push_back({{"metadata", {{"name", name}}}});
        return {{"kind", "List"}, {"metadata", {{"resourceVersion", "9"}}}, {"items", items}};
    }

    void answer(const std::string& path, const nlohmann::json& body) {
        responder.on("GET", path, {kube::json_answer(body)});
    }

    // Completes the last word of `cudafault k8s VERB --kubeconfig FILE`.
    std::vector<std::string> complete(const std::string& verb, const std::vector<std::string>& words) {
        CLI::App app("about", "cudafault");
        add_k8s(app);
        std::vector<std::string> all = {"k8s", verb, "--kubeconfig", kubeconfig};
        all.insert(all.end(), words.begin(), words.end());
        return completions(app, all);
    }

    kube::ScriptedResponder responder;
    const std::string kubeconfig = testing::TempDir() + "completion-" + std::to_string(getpid());
};

TEST_F(WorkloadCompletionTest, OffersKindsWithoutARequest) {
    EXPECT_THAT(complete("arm", {"dep"}), ElementsAre("deployment/"));
    EXPECT_THAT(complete("arm", {""}), AllOf(Contains("statefulset/"), Each(EndsWith("/"))));
    EXPECT_THAT(responder.requests(), IsEmpty());
}

TEST_F(WorkloadCompletionTest, OffersNamesInTheCluster) {
    EXPECT_THAT(complete("restore", {"deployment/"}), ElementsAre("deployment/web", "deployment/worker"));
    EXPECT_THAT(complete("restore", {"deploy/we"}), IsEmpty()) << "the scripted server lists no short names";
    EXPECT_THAT(complete("restore", {"deployments.apps/we"}), ElementsAre("deployments.apps/web"));
    EXPECT_THAT(complete("inject", {"deployment", "wo"}), ElementsAre("worker"));
    EXPECT_THAT(complete("status", {"deployment/web", "deployment/wo"}), ElementsAre("deployment/worker"));
}

TEST_F(WorkloadCompletionTest, UsesTheConnectionOptions) {
    for (const std::vector<std::string>& words : {std::vector<std::string>{"-n", "dev", "deployment/"},
                                                  {"--namespace=dev", "deployment/"},
                                                  {"--node", "n1", "--namespace", "dev", "--itself", "deployment/"}}) {
        EXPECT_THAT(complete("inject", words), ElementsAre("deployment/trial")) << words[0];
    }
}

TEST_F(WorkloadCompletionTest, OffersNoWorkloadsForOptionValuesAndVerbsWithoutWorkloads) {
    EXPECT_THAT(complete("inject", {"--node", "dep"}), IsEmpty());
    EXPECT_THAT(complete("scan", {"dep"}), IsEmpty());
}

TEST_F(WorkloadCompletionTest, OffersNothingOnErrors) {
    EXPECT_THAT(complete("arm", {"gizmo/"}), IsEmpty());
    EXPECT_THAT(complete("arm", {"--context", "none", "deployment/"}), IsEmpty());
    responder.on("GET", "/apis/apps/v1/namespaces/prod/deployments", {kube::status_answer(403, "Forbidden")});
    EXPECT_THAT(complete("arm", {"deployment/"}), IsEmpty());
}

TEST_F(WorkloadCompletionTest, DoesNotWaitForASilentServer) {
    kube::Answer silent = kube::json_answer(list({"web"}));
    silent.before_head = std::chrono::seconds(6);
    responder.on("GET", "/apis/apps/v1/namespaces/prod/deployments", {silent});
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THAT(complete("arm", {"deployment/"}), IsEmpty());
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
}

}  // namespace
}  // namespace cudafault::cli
