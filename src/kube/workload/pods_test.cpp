// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "kube/api/transport/api_error.hpp"
#include "kube/testing/paths_testing.hpp"
#include "kube/testing/workload_testing.hpp"
#include "kube/workload/kinds.hpp"
#include "kube/workload/pods.hpp"

namespace cudafault::kube {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Workload workload(const std::string& group, const std::string& kind, const std::string& name, const Json& spec) {
    const Resource resource{group, kind_of(group, kind)->versions.front(), "things", "", kind, true, {}, {}, {}};
    return workload_of(resource, named(name, spec));
}

Json finished(Json pod, const std::string& phase) {
    pod["status"]["phase"] = phase;
    return pod;
}

class PodsOfTest : public WorkloadTest {
protected:
    std::vector<std::string> names(const Workload& workload, PodScope scope = PodScope::kUnfinished) {
        std::vector<std::string> names;
        for (const Json& pod : pods_of(client(), discovery(), workload, scope)) {
            names.push_back(text_at(pod, Path{"metadata", "name"}));
        }
        return names;
    }

    // Returns the decoded query of the request for pods.
    std::string query() const {
        for (const SeenRequest& request : responder.requests()) {
            if (request.target.starts_with(kPodPath + "?")) return request.target;
        }
        return "";
    }
};

TEST_F(PodsOfTest, FindsPodsOfDeploymentThroughReplicaSets) {
    serve_list(kReplicaSetPath, {owned(named("web-1"), "apps/v1", "Deployment", "web"),
                                 owned(named("web-2"), "apps/v1", "Deployment", "web"),
                                 owned(named("other-1"), "apps/v1", "Deployment", "other"), named("bare")});
    serve_list(kPodPath, {owned(named("a"), "apps/v1", "ReplicaSet", "web-1"),
                          owned(named("b"), "apps/v1", "ReplicaSet", "web-2"),
                          owned(named("c"), "apps/v1", "ReplicaSet", "other-1"),
                          finished(owned(named("d"), "apps/v1", "ReplicaSet", "web-1"), "Succeeded"),
                          finished(owned(named("e"), "apps/v1", "ReplicaSet", "web-1"), "Failed"),
                          finished(owned(named("f"), "apps/v1", "ReplicaSet", "web-1"), "Pending"), named("g")});
    EXPECT_THAT(names(workload("apps", "Deployment", "web", {{"selector", {{"matchLabels", {{"app", "web"}}}}}})),
                ElementsAre("a", "b", "f"));
    EXPECT_EQ(requests(), 2u);
    EXPECT_THAT(query(), AllOf(HasSubstr("labelSelector=app%3Dweb"), HasSubstr("status.phase%21%3DSucceeded")));
}

TEST_F(PodsOfTest, FindsPodsOfArgoRolloutThatRefersToDeployment) {
    serve_list(kReplicaSetPath, {owned(named("web-1"), "argoproj.io/v1alpha1", "Rollout", "live"),
                                 owned(named("web-2"), "argoproj.io/v1alpha1", "Rollout", "own-template")});
    serve_list(kPodPath, {owned(named("a"), "apps/v1", "ReplicaSet", "web-1"),
                          owned(named("b"), "apps/v1", "ReplicaSet", "web-2")});
    const std::string rollouts = "/apis/argoproj.io/v1alpha1/namespaces/prod/rollouts/";
    serve_object(rollouts + "live", named("live", {{"workloadRef", {{"kind", "Deployment"}, {"name", "web"}}}}));
    serve_object(rollouts + "own-template", named("own-template"));
    const Workload web = workload("apps", "Deployment", "web", {{"selector", {{"matchLabels", {{"app", "web"}}}}}});
    EXPECT_THAT(names(web), ElementsAre("a"));
    responder.on("GET", rollouts + "live", {status_answer(403, "Forbidden")});
    EXPECT_THAT(names(web), IsEmpty());
}

TEST_F(PodsOfTest, ConvertsSelectorExpressions) {
    serve_list(kPodPath, {owned(named("a"), "apps/v1", "StatefulSet", "db")});
    const Json selector = Json::parse(R"({"matchLabels": {"app": "db", "odd": 3}, "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["x", "y", 3]}, {"key": "env", "operator": "NotIn", "values": ["test"]},
        {"key": "is", "operator": "Exists"}, {"key": "not", "operator": "DoesNotExist"}, {"key": "bad"}, null]})");
    EXPECT_THAT(names(workload("apps", "StatefulSet", "db", {{"selector", selector}})), ElementsAre("a"));
    EXPECT_THAT(query(),
                HasSubstr("labelSelector=app%3Ddb%2Ctier%20in%20%28x%2Cy%29%2Cenv%20notin%20%28test%29%2Cis%2C%21"
                          "not&"));
}

TEST_F(PodsOfTest, ChecksOwnersWithoutSelector) {
    serve_list(kPodPath,
               {owned(named("a"), "apps/v1", "DaemonSet", "ds"), owned(named("b"), "apps/v1", "DaemonSet", "x")});
    EXPECT_THAT(names(workload("apps", "DaemonSet", "ds", nullptr)), ElementsAre("a"));
    EXPECT_THAT(query(), Not(HasSubstr("labelSelector")));
}

TEST_F(PodsOfTest, FindsPodsOfCronJobThroughJobs) {
    serve_list("/apis/batch/v1/namespaces/prod/jobs", {owned(named("nightly-1"), "batch/v1", "CronJob", "nightly"),
                                                       owned(named("hourly-1"), "batch/v1", "CronJob", "hourly")});
    serve_list(kPodPath,
               {owned(named("a"), "batch/v1", "Job", "nightly-1"), owned(named("b"), "batch/v1", "Job", "hourly-1")});
    EXPECT_THAT(names(workload("batch", "CronJob", "nightly", Json::object())), ElementsAre("a"));
    EXPECT_THAT(query(), HasSubstr("labelSelector=job-name&"));
}

TEST_F(PodsOfTest, FinishedPodsOfBatchWorkloadsAreInTheWiderScope) {
    Json restarted = finished(owned(named("evicted"), "batch/v1", "Job", "train"), "Failed");
    Json batch = finished(owned(named("done"), "batch/v1", "Job", "train"), "Failed");
    batch["spec"]["restartPolicy"] = "Never";
    serve_list(kPodPath, {restarted, batch});
    const Workload job = workload("batch", "Job", "train", Json::object());
    EXPECT_THAT(names(job, PodScope::kWithFinished), ElementsAre("done"));
    EXPECT_THAT(names(job), IsEmpty());
}

TEST_F(PodsOfTest, ReturnsUnfinishedPodForPod) {
    const Workload pod = workload("", "Pod", "bare", Json::object());
    serve_object("/api/v1/namespaces/prod/things/bare", named("bare"));
    EXPECT_THAT(names(pod), ElementsAre("bare"));
    serve_object("/api/v1/namespaces/prod/things/bare", finished(named("bare"), "Failed"));
    EXPECT_THAT(names(pod), IsEmpty());
    EXPECT_THAT(names(workload("", "Pod", "gone", Json::object())), IsEmpty());
}

TEST_F(PodsOfTest, ExcludesFrontendOfGraph) {
    const Json spec = Json::parse(R"({"components": [{"name": "Frontend", "type": "frontend", "podTemplate": {}},
        {"name": "Decode", "type": "decode", "podTemplate": {}}, {"name": "Prefill", "type": "prefill", "podTemplate": {}}]})");
    Workload graph = workload("nvidia.com", "DynamoGraphDeployment", "llm", spec);
    const auto pod = [](const std::string& name, const std::string& component) {
        return labeled(named(name), "nvidia.com/dynamo-component", component);
    };
    serve_list(kPodPath,
               {pod("f", "Frontend"), pod("d", "Decode"), pod("p", "Prefill"), pod("old", "Removed"), named("x")});
    EXPECT_THAT(names(graph), ElementsAre("d", "p", "old", "x"));
    EXPECT_THAT(query(), HasSubstr("labelSelector=nvidia.com%2Fdynamo-graph-deployment-name%3Dllm&"));
    graph.templates.pop_back();
    EXPECT_THAT(names(graph), ElementsAre("d", "old", "x")) << "pods of a removed template must be excluded";
}

TEST_F(PodsOfTest, SelectsPodsByLabelsOfKind) {
    serve_list(kPodPath, {named("a")});
    const auto selector = [&](const std::string& group, const std::string& kind) {
        EXPECT_THAT(names(workload(group, kind, "llm", Json::object())), ElementsAre("a"));
        return responder.requests().back().target;
    };
    EXPECT_THAT(selector("leaderworkerset.x-k8s.io", "LeaderWorkerSet"),
                HasSubstr("leaderworkerset.sigs.k8s.io%2Fname%3Dllm&"));
    EXPECT_THAT(selector("ray.io", "RayCluster"), HasSubstr("ray.io%2Fcluster%3Dllm&"));
    EXPECT_THAT(selector("grove.io", "PodCliqueSet"), HasSubstr("part-of%3Dllm%2Cgrove.io%2Fpodclique&"));
}

TEST_F(PodsOfTest, FollowsOwnerReferencesForUnknownKinds) {
    serve("acme.com/v1", {{"widgets", "Widget"}});
    serve_apps();
    Workload top;
    top.ref = {Resource{"acme.com", "v1", "widgets", "widget", "Widget", true, {}, {}, {}}, "prod", "top"};
    top.update(named("top"));
    serve_list(kPodPath,
               {owned(named("a"), "apps/v1", "ReplicaSet", "web-1"),
                owned(named("b"), "apps/v1", "ReplicaSet", "web-1"), owned(named("c"), "acme.com/v1", "Widget", "top"),
                owned(named("d"), "apps/v1", "ReplicaSet", "secret"), owned(named("e"), "gone.com/v1", "X", "x"),
                owned(named("f"), "apps/v1", "ReplicaSet", "gone"), named("g"), nullptr});
    serve_object(kReplicaSetPath + "/web-1", owned(named("web-1"), "apps/v1", "Deployment", "web"));
    serve_object("/apis/apps/v1/namespaces/prod/deployments/web", owned(named("web"), "acme.com/v1", "Widget", "top"));
    responder.on("GET", kReplicaSetPath + "/secret", {status_answer(403, "Forbidden")});
    EXPECT_THAT(names(top), ElementsAre("a", "b", "c"));
    EXPECT_EQ(count_requests(kReplicaSetPath + "/web-1"), 1) << "each owner must be read only once";
}

TEST_F(PodsOfTest, ThrowsWithoutPermission) {
    responder.on("GET", kPodPath, {status_answer(403, "Forbidden")});
    EXPECT_THROW(names(workload("apps", "DaemonSet", "ds", nullptr)), ApiError);
}

}  // namespace
}  // namespace cudafault::kube
