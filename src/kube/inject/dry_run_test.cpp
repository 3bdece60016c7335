// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/dry_run.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DryRunTest : public WorkloadTest {
protected:
    // Returns the notes, or the refusal as "refused: REASON".
    std::vector<std::string> try_pods(const Workload& workload) {
        std::vector<std::string> notes;
        try {
            dry_run_pods(client(), workload, workload.object, workload.templates, notes);
        } catch (const Error& error) {
            return {std::string("refused: ") + error.what()};
        }
        return notes;
    }

    void answer(int code, const std::string& message) {
        responder.on("POST", kPodPath, {status_answer(code, "Forbidden", message)});
    }

    void accept() { responder.on("POST", kPodPath, {json_answer(named("x"))}); }
};

TEST_F(DryRunTest, CreatesThePodAsADryRun) {
    accept();
    EXPECT_THAT(try_pods(plain_deployment()), IsEmpty());
    EXPECT_THAT(seen(0).target, HasSubstr("dryRun=All"));
    const Json sent = Json::parse(seen(0).body);
    EXPECT_EQ(text_at(sent, {"kind"}), "Pod");
    EXPECT_EQ(text_at(sent, {"metadata", "labels", "app"}), "web");
    EXPECT_EQ(text_at(sent, {"metadata", "namespace"}), "prod");
    EXPECT_EQ(sent.at("spec"), gpu_template().at("spec"));
}

TEST_F(DryRunTest, ReportsARefusalByAdmission) {
    answer(403, R"(pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true)");
    EXPECT_THAT(try_pods(plain_deployment()),
                ElementsAre(AllOf(HasSubstr("refused: "), HasSubstr("nothing was changed"),
                                  HasSubstr(R"(violates PodSecurity "restricted:latest")"))));
    responder.on("POST", kPodPath, {status_answer(422, "Invalid", "spec.containers: Required value")});
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("refused: ")));
}

TEST_F(DryRunTest, AcceptsAFullPodQuota) {
    answer(403, R"(pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5)");
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("replaced and not added")));
    answer(403, R"(pods "x" is forbidden: failed quota: q: must specify limits.cpu for: main)");
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("refused: ")));
    answer(403,
           R"(pods "x" is forbidden: exceeded quota: q, requested: pods=1,requests.nvidia.com/gpu=1, used: pods=5,)"
           R"(requests.nvidia.com/gpu=0, limited: pods=5,requests.nvidia.com/gpu=0)");
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("refused: ")));
}

TEST_F(DryRunTest, AcceptsAFullQuotaIfExistingPodsRequestTheSame) {
    const auto exceeded = [](const std::string& requested) {
        return status_answer(403, "Forbidden",
                             R"(pods "x" is forbidden: exceeded quota: q, requested: )" + requested +
                                 ", used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4");
    };
    const Answer one_gpu = exceeded("requests.nvidia.com/gpu=1"), two_gpus = exceeded("requests.nvidia.com/gpu=2");
    responder.on("POST", kPodPath, {one_gpu, one_gpu});
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("quota for requests.nvidia.com/gpu is full")));
    responder.on("POST", kPodPath, {two_gpus, one_gpu});
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("refused: ")));
    responder.on("POST", kPodPath, {one_gpu, json_answer(Json::object())});
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("refused: ")));
}

TEST_F(DryRunTest, RefusesAFullPodQuotaIfTheOperatorSurges) {
    answer(403, R"(pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5)");
    Json component = {{"name", "Worker"}, {"type", "worker"}, {"podTemplate", gpu_template()}};
    EXPECT_THAT(try_pods(workload_with("nvidia.com", "v1beta1", "DynamoGraphDeployment", "dynamographdeployments",
                                       {{"components", {component}}})),
                ElementsAre(HasSubstr("refused: ")));
}

TEST_F(DryRunTest, AddsAVolumeForEachClaimTemplate) {
    accept();
    const Json claim = {{"metadata", {{"name", "cache"}}}};
    EXPECT_THAT(try_pods(workload_with("apps", "v1", "StatefulSet", "statefulsets",
                                       {{"template", gpu_template()}, {"volumeClaimTemplates", {claim}}})),
                IsEmpty());
    const Json sent = Json::parse(seen(0).body);
    EXPECT_TRUE(find(sent, Path{"spec", "volumes"}.item("cache") / "emptyDir"));
}

TEST_F(DryRunTest, NotesMissingPermission) {
    answer(403,
           R"(pods is forbidden: User "ada" cannot create resource "pods" in API group "" in the namespace "prod")");
    EXPECT_THAT(try_pods(plain_deployment()), ElementsAre(HasSubstr("no permission to create pods")));
}

TEST_F(DryRunTest, NotesAnImageUserThatOnlyTheNodeCanCheck) {
    accept();
    const Json non_root = {{"runAsNonRoot", true}};
    EXPECT_THAT(
        try_pods(deployment_of_pod({{"securityContext", non_root}})),
        ElementsAre(HasSubstr("container main has runAsNonRoot without runAsUser"), HasSubstr("container side has")));
    EXPECT_THAT(try_pods(deployment_of_pod({{"securityContext", {{"runAsNonRoot", true}, {"runAsUser", 1000}}}})),
                IsEmpty());
    Json containers = {{{"name", "main"}, {"securityContext", {{"runAsNonRoot", false}}}},
                       {{"name", "side"}, {"securityContext", {{"runAsUser", 1000}}}}};
    EXPECT_THAT(try_pods(deployment_of_pod({{"securityContext", non_root}, {"containers", containers}})), IsEmpty());
}

TEST_F(DryRunTest, SkipsAnIncompletePodSpec) {
    const Json spec = Json::parse(R"({"services": {"Worker": {"componentType": "worker"}}})");
    EXPECT_THAT(
        try_pods(workload_with("nvidia.com", "v1alpha1", "DynamoGraphDeployment", "dynamographdeployments", spec)),
        ElementsAre(HasSubstr("the operator composes the pods of Worker")));
    EXPECT_EQ(requests(), 0u);
}

TEST_F(DryRunTest, ChecksEachTemplate) {
    accept();
    const Json templates = {{"leaderTemplate", gpu_template("lead")}, {"workerTemplate", gpu_template("work")}};
    EXPECT_THAT(try_pods(workload_with("leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet", "leaderworkersets",
                                       {{"leaderWorkerTemplate", templates}})),
                IsEmpty());
    ASSERT_EQ(requests(), 2u);
    EXPECT_THAT(seen(1).body, HasSubstr("\"work\""));
}

}  // namespace

}  // namespace cudafault::kube
