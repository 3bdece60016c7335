// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/arm.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "kube/record/author.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Workload workload_called(const std::string& name) {
    Workload workload = plain_deployment();
    workload.ref.name = name;
    return workload;
}

std::string plan_name(const std::string& workload) { return "cudafault-plan-" + workload_called(workload).hash(); }

Json plan_of(const std::string& workload, const std::string& text = "#7\n") {
    Json object = labeled(named(plan_name(workload)), names::kWorkload, workload_called(workload).hash());
    object["metadata"]["resourceVersion"] = "5";
    object["metadata"]["annotations"] = {{"cudafault.dev/pods", ""}};
    object["data"] = {{"plan", text}};
    return object;
}

// Returns a pod of the workload whose container is in a waiting state.
Json pod_of(const std::string& workload, const std::string& name, const std::string& node = "n1",
            const std::string& reason = "ContainerCreating") {
    Json pod = named(
        name,
        {{"nodeName", node},
         {"volumes", {{{"name", "p"}, {"configMap", {{"name", plan_name(workload)}}}}}},
         {"containers",
          {{{"name", "main"}, {"env", {{{"name", names::kInjection}, {"value", "ab12.1"}}}}}, {{"name", "side"}}}}});
    pod["status"] = {{"phase", "Pending"},
                     {"containerStatuses", {{{"name", "main"}, {"state", {{"waiting", {{"reason", reason}}}}}}}}};
    return pod;
}

class ArmTest : public WorkloadTest {
protected:
    ArmTest() {
        announce({{"apps", "v1"}});
        serve("v1", {{"pods", "Pod"}});
        serve_apps();
        choice.in_namespace = "prod";
    }

    void choose(const std::string& kind, const std::string& name) {
        WorkloadChoice workload;
        workload.kind = kind;
        workload.name = name;
        workload.in_namespace = "prod";
        choice.workloads = {workload};
    }

    void serve_plan(const std::string& workload, const std::string& text = "#7\n") {
        serve_object(kConfigMapPath + "/" + plan_name(workload), plan_of(workload, text));
        responder.on("PATCH", kConfigMapPath + "/" + plan_name(workload),
                     {json_answer(plan_of(workload, "#8\nxid=79\n"))});
    }

    void serve_pods(const std::vector<Json>& pods) {
        serve_list(kPodPath, pods);
        for (const Json& pod : pods) {
            responder.on("PATCH", kPodPath + "/" + text_at(pod, {"metadata", "name"}), {json_answer(pod)});
        }
    }

    std::vector<Armed> run_arm() {
        return arm(
            client(), discovery(), choice,
            [&](const std::vector<std::string>& pods) {
                restricted_to.push_back(fmt::format("{}", fmt::join(pods, ",")));
                return spec_for(pods);
            },
            after(std::chrono::seconds(30)), [](const std::string&) {});
    }

    // Builds the spec as the command line does.
    std::string spec_for(const std::vector<std::string>& pods) const {
        const std::string targeted_spec = node.empty() ? spec : spec + " node=" + node;
        return pods.empty() ? targeted_spec
                            : fmt::format("{} pod={}", targeted_spec, fmt::join(pods, "; " + targeted_spec + " pod="));
    }

    std::vector<Armed> run_disarm(bool restart_crashed) {
        return disarm(client(), discovery(), choice, restart_crashed, after(std::chrono::seconds(30)),
                      [](const std::string&) {});
    }

    std::string refusal() {
        try {
            run_arm();
            return "armed";
        } catch (const Error& error) {
            return error.what();
        }
    }

    std::vector<std::string> seen_targets(const std::string& method) const {
        std::vector<std::string> found;
        for (const SeenRequest& request : responder.requests()) {
            if (request.method != method) continue;
            const std::string path = request.target.substr(0, request.target.find('?'));
            found.push_back(path.substr(path.rfind('/') + 1));
        }
        return found;
    }

    ArmChoice choice;
    std::string spec = "xid=79 until=2099-01-01T00:00:00Z", node;
    std::vector<std::string> restricted_to;
};

TEST_F(ArmTest, RefusesAPlanWithoutAnEnd) {
    serve_plan("web");
    serve_pods({});
    choose("deployments.apps", "web");
    spec = "xid=79";
    EXPECT_THAT(refusal(), HasSubstr("fault 1 has no end"));
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty());
}

TEST_F(ArmTest, WritesThePlanAndNudgesThePods) {
    choose("deployments.apps", "web");
    serve_plan("web");
    serve_pods({pod_of("web", "a"), pod_of("other", "b")});
    const std::vector<Armed> armed = run_arm();
    ASSERT_EQ(armed.size(), 1u);
    EXPECT_EQ(armed[0].plan.revision, 8u);
    ASSERT_EQ(armed[0].containers.size(), 1u) << "the sidecar is not injected";
    EXPECT_EQ(armed[0].containers[0].container, "main");
    EXPECT_EQ(armed[0].containers[0].state, Acknowledgement::kNotRunning);
    EXPECT_THAT(seen_targets("PATCH"), ElementsAre(plan_name("web"), "a"));
    EXPECT_THAT(restricted_to, ElementsAre(""));
}

TEST_F(ArmTest, FindsADeploymentByItsNameAlone) {
    choose("", "web");
    serve_plan("web");
    serve_pods({});
    EXPECT_EQ(run_arm().size(), 1u) << "the API server does not serve DynamoGraphDeployments";
}

TEST_F(ArmTest, FindsThePlanOfTheOwner) {
    choose("replicasets.apps", "web-1");
    serve_object("/apis/apps/v1/namespaces/prod/replicasets/web-1",
                 owned(named("web-1"), "apps/v1", "Deployment", "web"));
    serve_object("/apis/apps/v1/namespaces/prod/deployments/web", plain_deployment().object);
    serve_plan("web");
    serve_pods({});
    EXPECT_EQ(run_arm().at(0).plan.name(), plan_name("web"));
}

TEST_F(ArmTest, RefusesAWorkloadWithoutInjection) {
    choose("deployments.apps", "web");
    serve_object("/apis/apps/v1/namespaces/prod/deployments/web", plain_deployment().object);
    EXPECT_THAT(refusal(), HasSubstr("web in namespace prod is not injected"));
    choice.workloads.clear();
    serve_list(kConfigMapPath, {});
    EXPECT_THAT(refusal(), HasSubstr("nothing is injected in namespace prod"));
    EXPECT_THROW(run_disarm(false), Error);
}

TEST_F(ArmTest, ReplacesASelectorByTheNamesOfMatchingPods) {
    choice.selector = "role=worker";
    serve_list(kConfigMapPath, {plan_of("web"), plan_of("api")});
    serve_plan("web");
    serve_plan("api");
    serve_pods({pod_of("web", "a"), pod_of("web", "b"), pod_of("api", "c")});
    serve_list(kPodPath + "?labelSelector=role%3Dworker&limit=500", {pod_of("web", "b")});
    ASSERT_EQ(run_arm().size(), 1u);
    EXPECT_THAT(restricted_to, ElementsAre("b"));
    EXPECT_THAT(seen_targets("PATCH"), ElementsAre(plan_name("web"), "a", "b"))
        << "all pods that mount the plan must be nudged";
    serve_list(kPodPath + "?labelSelector=role%3Dworker&limit=500", {});
    EXPECT_THAT(refusal(), HasSubstr("no injected pod in namespace prod is targeted"));
}

TEST_F(ArmTest, ArmsOnlyWorkloadsWithPodsOnTheNode) {
    node = "n2";
    serve_list(kConfigMapPath, {plan_of("web"), plan_of("api")});
    serve_plan("web");
    serve_plan("api");
    serve_pods({pod_of("web", "a", "n1"), pod_of("api", "c", "n2")});
    const std::vector<Armed> armed = run_arm();
    ASSERT_EQ(armed.size(), 1u);
    EXPECT_EQ(armed[0].plan.name(), plan_name("api"));
}

TEST_F(ArmTest, RefusesAPlanThatTargetsNoPodUnlessAllowed) {
    choose("deployments.apps", "web");
    node = "n2";
    serve_plan("web");
    serve_pods({pod_of("web", "a", "n1")});
    EXPECT_THAT(refusal(), AllOf(HasSubstr("targets none of the 1 injected pods"), HasSubstr("--allow-empty")));
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty()) << "no plan must be written";
    choice.allow_empty = true;
    EXPECT_EQ(run_arm().size(), 1u) << "the plan applies to pods that start on that node later";
}

TEST_F(ArmTest, RefusesATemplateWithoutTheLibrary) {
    choose("deployments.apps", "web");
    Json plan = plan_of("web");
    plan["metadata"]["ownerReferences"] = {
        {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}, {"uid", "uid-web"}}};
    serve_object(kConfigMapPath + "/" + plan_name("web"), plan);
    responder.on("PATCH", kConfigMapPath + "/" + plan_name("web"), {json_answer(plan_of("web", "#8\nxid=79\n"))});
    serve_pods({});
    serve_object(kDeploymentPath + "/web", plain_deployment().object);
    EXPECT_THAT(refusal(), AllOf(HasSubstr("has removed the library"), HasSubstr("k8s restore")));
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty()) << "no plan must be written";
    const Workload workload = plain_deployment();
    serve_object(kDeploymentPath + "/web",
                 inject_into(workload, choose_containers(workload, {}), binary_injection(), always_exists).object);
    EXPECT_EQ(run_arm().size(), 1u) << "pods that start later have the library";
    responder.on("GET", kDeploymentPath + "/web", {status_answer(403, "Forbidden")});
    EXPECT_EQ(run_arm().size(), 1u) << "an unreadable workload must not prevent arming";
}

TEST_F(ArmTest, RefusesPodsThatAreReplacedByPodsWithoutTheLibrary) {
    choose("deployments.apps", "web");
    Json plan = plan_of("web");
    plan["metadata"]["ownerReferences"] = {
        {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}, {"uid", "uid-web"}}};
    serve_object(kConfigMapPath + "/" + plan_name("web"), plan);
    responder.on("PATCH", kConfigMapPath + "/" + plan_name("web"), {json_answer(plan_of("web", "#8\nxid=79\n"))});
    serve_pods({pod_of("web", "a")});
    serve_object(kDeploymentPath + "/web", plain_deployment().object);
    EXPECT_THAT(refusal(), AllOf(HasSubstr("has removed the library"), HasSubstr("--allow-empty")));
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty()) << "nothing is armed";
    choice.allow_empty = true;
    EXPECT_EQ(run_arm().size(), 1u) << "the pod that still has the library";
}

TEST_F(ArmTest, InjectedContainersIncludeSidecars) {
    Json pod = pod_of("web", "a");
    pod["spec"]["initContainers"] = {
        {{"name", "server"}, {"env", {{{"name", names::kInjection}, {"value", "ab12.1"}}}}}, {{"name", "fetch"}}};
    EXPECT_THAT(injected_containers(pod), ElementsAre("main", "server"));
    EXPECT_TRUE(is_injected(pod, workload_called("web").hash(), "ab12.1"));
    EXPECT_FALSE(is_in_back_off(pod));
    pod["status"]["initContainerStatuses"] = {
        {{"name", "server"}, {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}}}};
    EXPECT_TRUE(is_in_back_off(pod));
}

TEST_F(ArmTest, RefusesToExceedTheLimitBeforeArmingAnyPlan) {
    serve_list(kConfigMapPath, {plan_of("web"), plan_of("api")});
    serve_plan("web");
    serve_plan("api");
    serve_pods({pod_of("web", "a", "n1"), pod_of("web", "b", "n2"), pod_of("api", "c", "n2")});
    node = "n2";
    choice.limit.pods = 1;
    EXPECT_THAT(refusal(), HasSubstr("2 of 3 injected pods fail, and --max-pods allows 1: nothing is armed"));
    choice.limit = {{}, 66};
    EXPECT_THAT(refusal(), HasSubstr("allows 1"));
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty());
    choice.limit = {2, 67};
    EXPECT_EQ(refusal(), "armed");
}

TEST_F(ArmTest, ComparesTheLimitWithTheNumberOfTargetedPods) {
    choose("deployments.apps", "web");
    serve_plan("web");
    serve_pods({pod_of("web", "a", "node1"), pod_of("web", "b", "node2")});
    choice.limit.pods = 1;
    node = "node*";
    EXPECT_THAT(refusal(), HasSubstr("2 of 2 injected pods fail")) << "node= is a glob";
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty());
    node = "";
    EXPECT_THAT(refusal(), HasSubstr("2 of 2 injected pods fail"));
    const std::string until = " until=2099-01-01T00:00:00Z";
    for (const std::string& narrow :
         {"xid=79 node=node1" + until, "xid=79 pod=a" + until, "xid=79 pod=a" + until + "; xid=43 node=*1" + until}) {
        spec = narrow;
        EXPECT_EQ(refusal(), "armed") << narrow;
    }
}

TEST_F(ArmTest, WritesAPlanForOnePodOnlyToItsWorkload) {
    node = "n*";
    spec = "xid=79 pod=c until=2099-01-01T00:00:00Z";
    serve_list(kConfigMapPath, {plan_of("web"), plan_of("api")});
    serve_plan("web");
    serve_plan("api");
    serve_pods({pod_of("web", "a"), pod_of("api", "c")});
    const std::vector<Armed> armed = run_arm();
    ASSERT_EQ(armed.size(), 1u);
    EXPECT_EQ(armed[0].plan.name(), plan_name("api"));
}

// Returns a plan of the workload "web" that `by` armed.
Json plan_armed_by(const std::string& by, const std::string& text = "#7\nxid=43\n") {
    Json plan = plan_of("web", text);
    plan["metadata"]["annotations"]["cudafault.dev/changed-by"] = by;
    plan["metadata"]["ownerReferences"] = {{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}};
    return plan;
}

TEST_F(ArmTest, DoesNotReplaceAnotherAuthorsPlanWithoutReplaceOption) {
    choose("deployments.apps", "web");
    serve_plan("web");
    serve_object(kConfigMapPath + "/" + plan_name("web"), plan_armed_by("eve@desk"));
    serve_pods({pod_of("web", "a")});
    EXPECT_THAT(
        refusal(),
        AllOf(HasSubstr("deployment.apps/web in namespace prod has an active plan of another author: \"xid=43\""),
              HasSubstr("by eve@desk"), HasSubstr("--replace")));
    EXPECT_THAT(seen_targets("PATCH"), IsEmpty());
    choice.replace = true;
    EXPECT_THAT(run_arm().at(0).notes, ElementsAre(HasSubstr("replaced the plan \"xid=43\" (revision 7, by eve@desk")));
}

TEST_F(ArmTest, NamesTheReplacedPlan) {
    choose("deployments.apps", "web");
    serve_plan("web");
    serve_object(kConfigMapPath + "/" + plan_name("web"), plan_armed_by(author(client())));
    serve_pods({pod_of("web", "a")});
    EXPECT_THAT(run_arm().at(0).notes, ElementsAre(HasSubstr("replaced the plan \"xid=43\"")));
    serve_object(kConfigMapPath + "/" + plan_name("web"),
                 plan_armed_by("eve@desk", "#7\nxid=43 until=2026-01-01T00:00:00Z\n"));
    EXPECT_THAT(run_arm().at(0).notes, IsEmpty()) << "the old plan has ended";
}

TEST_F(ArmTest, FailsIfThePlanIsReplacedDuringTheCall) {
    choose("deployments.apps", "web");
    const std::string path = kConfigMapPath + "/" + plan_name("web");
    serve_plan("web");
    responder.on("GET", path, {json_answer(plan_of("web")), json_answer(plan_armed_by("eve@desk", "#9\nxid=43\n"))});
    serve_pods({pod_of("web", "a")});
    EXPECT_THAT(refusal(), AllOf(HasSubstr("is not in force"), HasSubstr("by eve@desk")));
}

TEST_F(ArmTest, ArmsSeveralWorkloadsTogether) {
    choose("deployments.apps", "web");
    choice.workloads.push_back(choice.workloads[0]);
    choice.workloads[1].name = "api";
    choice.workloads.push_back(choice.workloads[0]);
    serve_plan("web");
    serve_plan("api");
    serve_pods({pod_of("web", "a"), pod_of("api", "b")});
    EXPECT_EQ(run_arm().size(), 2u) << "a workload that is named twice must be armed once";
    choice.limit.pods = 1;
    EXPECT_THAT(refusal(), HasSubstr("2 of 2 injected pods"));
}

TEST_F(ArmTest, TheAuthorIsTheUserThatTheApiServerReports) {
    EXPECT_EQ(author(client()), this_user()) << "the API server does not report the user";
    responder.on("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                 {json_answer({{"status", {{"userInfo", {{"username", "alice"}}}}}})});
    EXPECT_EQ(author(client()), "alice (" + this_user() + ")");
}

TEST_F(ArmTest, DisarmingReportsPodsInBackOff) {
    serve_list(kConfigMapPath, {plan_of("web", "#7\nxid=79\n")});
    serve_plan("web");
    serve_pods({pod_of("web", "a"), pod_of("web", "b", "n1", "CrashLoopBackOff")});
    const std::vector<Armed> disarmed = run_disarm(false);
    EXPECT_THAT(disarmed.at(0).notes, ElementsAre(HasSubstr("ended the plan \"xid=79\""),
                                                  AllOf(HasSubstr("pod b"), HasSubstr("--restart-crashed"))));
    EXPECT_THAT(seen_targets("DELETE"), IsEmpty());
    for (const SeenRequest& request : responder.requests()) {
        if (request.method == "PATCH" && request.target.find("configmaps") != std::string::npos) {
            EXPECT_EQ(text_at(plan_of("web").patch(Json::parse(request.body)), {"data", "plan"}), "#8\n");
        }
    }
}

TEST_F(ArmTest, DisarmingDeletesPodsInBackOffWithRestartCrashed) {
    serve_list(kConfigMapPath, {plan_of("web")});
    serve_plan("web");
    serve_pods({pod_of("web", "a"), pod_of("web", "b", "n1", "CrashLoopBackOff")});
    responder.on("DELETE", kPodPath + "/b", {json_answer(Json::object())});
    EXPECT_THAT(run_disarm(true).at(0).notes, IsEmpty());
    EXPECT_THAT(seen_targets("DELETE"), ElementsAre("b"));
}

TEST(IsInBackOff, IsTrueIfAnyContainerIsInBackOff) {
    EXPECT_TRUE(is_in_back_off(pod_of("web", "a", "n1", "CrashLoopBackOff")));
    EXPECT_FALSE(is_in_back_off(pod_of("web", "a", "n1", "ImagePullBackOff")));
    EXPECT_FALSE(is_in_back_off(named("a")));
    Json second = pod_of("web", "a");
    second["status"]["containerStatuses"].push_back(
        {{"name", "side"}, {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}}});
    EXPECT_TRUE(is_in_back_off(second));
}

TEST(IsInBackOff, IsTrueIfARestartedContainerFailed) {
    const auto ended = [](int exit_code, int restarts) {
        Json pod = pod_of("web", "a");
        Json& status = pod["status"]["containerStatuses"][0];
        status["state"] = {{"terminated", {{"exitCode", exit_code}}}};
        status["restartCount"] = restarts;
        return pod;
    };
    EXPECT_TRUE(is_in_back_off(ended(1, 1)));
    EXPECT_FALSE(is_in_back_off(ended(1, 0))) << "the first restart has no back-off";
    EXPECT_FALSE(is_in_back_off(ended(0, 1)));
}

TEST(InjectedContainers, ReturnsContainersWithTheInjectionVariable) {
    EXPECT_THAT(injected_containers(pod_of("web", "a")), ElementsAre("main"));
    EXPECT_THAT(injected_containers(named("a")), IsEmpty());
}

}  // namespace

}  // namespace cudafault::kube
