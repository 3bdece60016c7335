// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/architectures.hpp"

#include <gmock/gmock.h>

#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr Architecture kAmd64 = Architecture::kX86_64;
constexpr Architecture kArm64 = Architecture::kAarch64;

Json terms(const std::string& text) {
    return {{"affinity",
             {{"nodeAffinity",
               {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", Json::parse(text)}}}}}}}};
}

Json node(const std::string& architecture, bool gpu) {
    Json node = labeled(named("n"), "kubernetes.io/arch", architecture);
    node["status"]["capacity"] = {{"cpu", "8"}, {"nvidia.com/gpu", gpu ? "4" : "0"}};
    return node;
}

class ArchitecturesTest : public WorkloadTest {
protected:
    static Workload selecting(const std::string& architecture) {
        return deployment_of_pod({{"nodeSelector", {{"kubernetes.io/arch", architecture}}}});
    }

    void serve_nodes(const std::vector<std::string>& architectures) {
        std::vector<Json> items;
        for (const std::string& architecture : architectures)
            items.push_back(labeled(named("n"), "kubernetes.io/arch", architecture));
        serve_list(kNodePath, items);
    }

    void forbid_listing_nodes() { responder.on("GET", kNodePath, {status_answer(403, "Forbidden")}); }

    void serve_pods(const Json& pod_spec) {
        serve_list(kReplicaSetPath, {owned(named("web-1"), "apps/v1", "Deployment", "web")});
        serve_list(kPodPath, {owned(named("web-1-x", pod_spec), "apps/v1", "ReplicaSet", "web-1")});
    }

    std::vector<Architecture> architectures_of(const Workload& workload) {
        return architectures_for(client(), discovery(), workload, workload.templates, notes, built);
    }

    std::string refusal(const Workload& workload) {
        try {
            architectures_of(workload);
            return "accepted";
        } catch (const Error& error) {
            return error.what();
        }
    }

    std::vector<Architecture> built = {kAmd64, kArm64};
    std::vector<std::string> notes;
};

TEST_F(ArchitecturesTest, UsesTheNodeSelectionOfTheTemplate) {
    EXPECT_THAT(architectures_of(selecting("arm64")), ElementsAre(kArm64));
    EXPECT_THAT(architectures_of(selecting("amd64")), ElementsAre(kAmd64));
    const Workload by_affinity = deployment_of_pod(terms(
        R"([{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]},
                                  {"key": "zone", "operator": "Exists"}]}])"));
    EXPECT_THAT(architectures_of(by_affinity), ElementsAre(kArm64));
    EXPECT_EQ(requests(), 0u);
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(ArchitecturesTest, TermWithoutArchitectureAdmitsAll) {
    serve_nodes({"amd64", "arm64"});
    const Workload either = deployment_of_pod(terms(
        R"([{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]},
            {"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}]}])"));
    EXPECT_THAT(architectures_of(either), ElementsAre(kAmd64, kArm64));
    EXPECT_EQ(requests(), 1u);
}

TEST_F(ArchitecturesTest, UsesTheNodesIfTheTemplateSelectsNone) {
    serve_nodes({"arm64", "arm64", ""});
    EXPECT_THAT(architectures_of(plain_deployment()), ElementsAre(kArm64));
    serve_nodes({"arm64", "amd64", "s390x"});
    EXPECT_THAT(architectures_of(plain_deployment()), ElementsAre(kAmd64, kArm64));
    EXPECT_THAT(notes, IsEmpty());
    EXPECT_THAT(architectures_of(selecting("s390x")), ElementsAre(kAmd64, kArm64));
    EXPECT_THAT(notes, ElementsAre(HasSubstr("no node that admits the pods")));
}

TEST_F(ArchitecturesTest, IgnoresNodesThatDoNotAdmitThePods) {
    std::vector<Json> nodes = {labeled(node("arm64", true), "pool", "a"), labeled(node("amd64", true), "pool", "b")};
    serve_list(kNodePath, nodes);
    EXPECT_THAT(architectures_of(deployment_of_pod({{"nodeSelector", {{"pool", "a"}}}})), ElementsAre(kArm64));
    EXPECT_THAT(architectures_of(deployment_of_pod(
                    terms(R"([{"matchExpressions": [{"key": "pool", "operator": "NotIn", "values": ["a"]}]}])"))),
                ElementsAre(kAmd64));
}

TEST_F(ArchitecturesTest, IgnoresNodesWithoutGpusIfPodsRequestOne) {
    built = {kAmd64};
    serve_list(kNodePath, {node("amd64", true), node("arm64", false)});
    EXPECT_THAT(architectures_of(plain_deployment()), ElementsAre(kAmd64));
    EXPECT_THAT(notes, IsEmpty());
    const Workload without_gpu = deployment_of_pod({{"containers", {{{"name", "main"}}}}});
    EXPECT_THAT(refusal(without_gpu), HasSubstr("can be scheduled on arm64 nodes"));
    serve_list(kNodePath, {node("amd64", true), node("arm64", true)});
    EXPECT_THAT(refusal(plain_deployment()), AllOf(HasSubstr("arm64 nodes"), HasSubstr("--delivery source")));
}

TEST_F(ArchitecturesTest, CombinesTheSelectionsOfAllTemplates) {
    Json leader = gpu_template(), worker = gpu_template();
    leader["spec"]["nodeSelector"] = {{"kubernetes.io/arch", "arm64"}};
    worker["spec"]["nodeSelector"] = {{"kubernetes.io/arch", "amd64"}};
    const auto workload = [&] {
        return workload_with("leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet", "leaderworkersets",
                             {{"leaderWorkerTemplate", {{"leaderTemplate", leader}, {"workerTemplate", worker}}}});
    };
    EXPECT_THAT(architectures_of(workload()), ElementsAre(kAmd64, kArm64));
    EXPECT_EQ(requests(), 0u);
    worker["spec"].erase("nodeSelector");
    serve_nodes({"amd64"});
    architectures_of(workload());
    EXPECT_EQ(requests(), 1u) << "pods of the worker template can be scheduled on any node";
}

TEST_F(ArchitecturesTest, ReturnsAllArchitecturesIfNodesCannotBeListed) {
    forbid_listing_nodes();
    serve_pods(Json::object());
    EXPECT_THAT(architectures_of(plain_deployment()), ElementsAre(kAmd64, kArm64));
    EXPECT_THAT(notes, ElementsAre(AllOf(HasSubstr("no permission to list nodes"), HasSubstr("amd64 and arm64"),
                                         Not(HasSubstr("built without")))));
    responder.on("GET", kNodePath, {status_answer(500, "InternalError")});
    EXPECT_THROW(architectures_of(plain_deployment()), ApiError);
}

TEST_F(ArchitecturesTest, UsesRunningPodsIfNodesCannotBeListed) {
    forbid_listing_nodes();
    serve_pods({{"nodeSelector", {{"kubernetes.io/arch", "arm64"}}}});
    EXPECT_THAT(architectures_of(plain_deployment()), ElementsAre(kArm64));
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(ArchitecturesTest, AcceptsUnknownArchitecturesIfALibraryIsMissing) {
    built = {kAmd64};
    forbid_listing_nodes();
    responder.on("GET", kReplicaSetPath, {status_answer(403, "Forbidden")});
    EXPECT_THAT(architectures_of(plain_deployment()), ElementsAre(kAmd64));
    EXPECT_THAT(notes, ElementsAre(AllOf(HasSubstr("no permission to list nodes"), HasSubstr("delivered for amd64"),
                                         HasSubstr("built without the arm64 library"))));
    EXPECT_THAT(refusal(selecting("arm64")), HasSubstr("nodeSelector kubernetes.io/arch"));
}

}  // namespace

}  // namespace cudafault::kube
