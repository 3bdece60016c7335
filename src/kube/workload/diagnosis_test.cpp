// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/diagnosis.hpp"

#include <gmock/gmock.h>

#include "kube/api/client/client.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/testing/session_testing.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const SystemTime kNow = *parse_timestamp("2026-11-24T13:01:00Z");

Json pod(const char* status) {
    return {{"metadata", {{"name", "web-1"}, {"namespace", "prod"}, {"uid", "u1"}}},
            {"spec", {{"nodeName", "gpu-7"}}},
            {"status", Json::parse(status)}};
}

std::string diagnosis(const char* status, const std::vector<Json>& events = {}) {
    return diagnosis_text(pod(status), events, kNow);
}

TEST(PodDiagnoser, ReturnsNothingForReadyOrStartingPod) {
    EXPECT_EQ(diagnosis(R"({"phase":"Running","conditions":[{"type":"Ready","status":"True"}]})"), "");
    EXPECT_EQ(diagnosis(R"({"phase":"Pending"})"), "");
    EXPECT_EQ(diagnosis(R"({"phase":"Succeeded"})"), "");
    EXPECT_EQ(
        diagnosis(R"({"phase":"Running","conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady"}],
        "containerStatuses":[{"name":"main","ready":false,"state":{"running":{"startedAt":"2026-11-24T13:00:50Z"}}}]})"),
        "");
    EXPECT_EQ(diagnosis(R"({"phase":"Pending","conditions":[
        {"type":"PodScheduled","status":"True","lastTransitionTime":"2026-11-24T13:00:55Z"}],
        "containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ContainerCreating"}}}]})"),
              "");
}

TEST(PodDiagnoser, ReportsInsufficientGpus) {
    const std::string text = diagnosis(R"({"phase":"Pending","conditions":[
        {"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."}]})");
    EXPECT_THAT(
        text, HasSubstr("web-1 Pending: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu; all GPUs are in use"));
    EXPECT_THAT(text, Not(HasSubstr("preemption")));
}

TEST(PodDiagnoser, AdviceDependsOnSchedulingFailure) {
    const auto unscheduled = [](const std::string& message) {
        Json object = pod(R"({"phase":"Pending","conditions":[
            {"type":"PodScheduled","status":"False","reason":"Unschedulable"}]})");
        object["status"]["conditions"][0]["message"] = message;
        return diagnosis_text(object, {}, kNow);
    };
    EXPECT_THAT(unscheduled("0/2 nodes are available: 2 Insufficient memory."),
                HasSubstr("memory; free the missing resource"));
    EXPECT_THAT(unscheduled("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."),
                HasSubstr("the node that the pod is pinned to"));
    EXPECT_THAT(unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint {a: b}."), HasSubstr("taints"));
    EXPECT_THAT(unscheduled("0/2 nodes are available: 2 cannot allocate all claims."),
                HasSubstr("all GPUs are in use"));
    EXPECT_THAT(diagnosis(R"({"phase":"Pending","conditions":[
        {"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]})"),
                HasSubstr("scheduling gate"));
}

TEST(PodDiagnoser, ReportsImageErrors) {
    const std::string text = diagnosis(R"({"phase":"Pending","containerStatuses":[{"name":"main","image":"reg/x:1",
        "state":{"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image \"reg/x:1\"\n"}}}]})");
    EXPECT_THAT(text,
                HasSubstr("web-1 container main ImagePullBackOff: Back-off pulling image \"reg/x:1\" (image reg/x:1)"));
    EXPECT_THAT(text, HasSubstr("pull secret"));
    EXPECT_THAT(diagnosis(R"({"containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ErrImagePull"}}}]})"),
                HasSubstr("ErrImagePull"));
}

TEST(PodDiagnoser, ReportsConfigurationErrors) {
    EXPECT_THAT(diagnosis(R"({"containerStatuses":[{"name":"main","state":{"waiting":
        {"reason":"CreateContainerConfigError","message":"secret \"s\" not found"}}}]})"),
                AllOf(HasSubstr("CreateContainerConfigError: secret \"s\" not found"), HasSubstr("Secrets")));
    EXPECT_THAT(diagnosis(R"({"containerStatuses":[{"name":"main","state":{"waiting":
        {"reason":"RunContainerError","message":"exec: no such file"}}}]})"),
                AllOf(HasSubstr("RunContainerError: exec: no such file"), HasSubstr("gpu-7")));
}

std::string crash_loop(int restarts, const std::string& message, const char* finished = "2026-11-24T13:00:50Z") {
    Json object = pod(R"({"containerStatuses":[{"name":"main","state":{"waiting":{"reason":"CrashLoopBackOff"}},
        "lastState":{"terminated":{"exitCode":1,"reason":"Error"}}}]})");
    Json& status = object["status"]["containerStatuses"][0];
    status["restartCount"] = restarts;
    status["state"]["waiting"]["message"] = message;
    status["lastState"]["terminated"]["finishedAt"] = finished;
    return diagnosis_text(object, {}, kNow);
}

TEST(PodDiagnoser, ReportsRemainingBackOffOfCrashLoop) {
    EXPECT_THAT(crash_loop(1, ""),
                HasSubstr("CrashLoopBackOff: 1 restart, the last with exit code 1, next start in 0 s"));
    EXPECT_THAT(crash_loop(2, ""), HasSubstr("2 restarts, the last with exit code 1, next start in 10 s"));
    EXPECT_THAT(crash_loop(3, ""), HasSubstr("next start in 30 s"));
    EXPECT_THAT(crash_loop(6, ""), HasSubstr("next start in 290 s"));
    EXPECT_THAT(crash_loop(1'000'000, ""), HasSubstr("next start in 290 s"));
    EXPECT_THAT(crash_loop(9, "back-off 20s restarting failed container=main pod=web-1"), HasSubstr("start in 10 s"));
    EXPECT_THAT(crash_loop(9, "back-off 2m40s restarting failed container=main"), HasSubstr("start in 150 s"));
    EXPECT_THAT(crash_loop(9, "back-off 5m0s restarting"), HasSubstr("start in 290 s"));
    EXPECT_THAT(crash_loop(2, "back-off soon"), HasSubstr("start in 10 s"));
    EXPECT_THAT(crash_loop(2, "back-off 20s", "when?"), Not(HasSubstr("next start")));
    EXPECT_THAT(crash_loop(2, ""), HasSubstr("kubectl logs --previous web-1 -n prod"));
}

TEST(PodDiagnoser, ReportsLastOutputOfInitContainers) {
    EXPECT_THAT(
        diagnosis(R"({"initContainerStatuses":[{"name":"compile-cuda-fault-lib","restartCount":2,
        "state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":127,"reason":"Error",
        "finishedAt":"2026-11-24T13:00:50Z","message":"starting\ng++: not found\n"}}}],
        "containerStatuses":[{"name":"main","state":{"waiting":{"reason":"PodInitializing"}}}]})"),
        HasSubstr("web-1 init container compile-cuda-fault-lib CrashLoopBackOff: 2 restarts, the last with exit "
                  "code 127, last output \"g++: not found\", next start in 10 s"));
    EXPECT_THAT(diagnosis(R"({"initContainerStatuses":[{"name":"first",
        "state":{"terminated":{"exitCode":1,"message":"no disk"}}}]})"),
                HasSubstr("init container first ended with exit code 1, last output \"no disk\""));
    EXPECT_EQ(diagnosis(R"({"initContainerStatuses":[{"name":"first","state":{"terminated":{"exitCode":0}}},
        {"name":"sidecar","ready":false,"state":{"running":{}}}]})"),
              "");
}

TEST(PodDiagnoser, ReportsExitOfEndedContainers) {
    EXPECT_THAT(diagnosis(R"({"containerStatuses":[{"name":"main","state":{"terminated":
        {"exitCode":137,"reason":"OOMKilled"}}}]})"),
                HasSubstr("container main ended with exit code 137 (OOMKilled)"));
    EXPECT_THAT(diagnosis(R"({"containerStatuses":[{"name":"main","state":{"terminated":
        {"exitCode":139,"signal":11,"reason":"Error"}}}]})"),
                HasSubstr("ended with signal 11"));
}

constexpr const char* kCreating = R"({"phase":"Pending","conditions":[
    {"type":"PodScheduled","status":"True","lastTransitionTime":"2026-11-24T13:00:00Z"}],
    "containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ContainerCreating"}}}]})";

TEST(PodDiagnoser, ReportsContainersThatAreNotCreated) {
    EXPECT_THAT(diagnosis(kCreating), HasSubstr("web-1 container main has not been created after 60 s"));
    EXPECT_THAT(
        diagnosis(kCreating, {{{"reason", "Pulling"}},
                              {{"reason", "FailedMount"}, {"message", "configmap \"old\" not found"}},
                              {{"reason", "FailedMount"}, {"message", "configmap \"x\" not found"}}}),
        HasSubstr(
            "container main cannot be created: FailedMount: configmap \"x\" not found; create the missing object"));
}

constexpr const char* kRunning = R"({"phase":"Running","containerStatuses":[{"name":"main","ready":false,
    "state":{"running":{"startedAt":"2026-11-24T13:00:00Z"}}}]})";

TEST(PodDiagnoser, ReportsUnreadyContainers) {
    EXPECT_THAT(diagnosis(kRunning),
                HasSubstr("web-1 container main has been running for 60 s and is not ready; see its log"));
    EXPECT_THAT(diagnosis(kRunning, {{{"reason", "Unhealthy"}, {"message", "Readiness probe failed: HTTP 503"}}}),
                HasSubstr("is not ready: Readiness probe failed: HTTP 503"));
    EXPECT_THAT(diagnosis(R"({"conditions":[{"type":"Ready","status":"False","reason":"ReadinessGatesNotReady",
        "message":"the status of pod readiness gate \"g\" is not \"True\""}]})"),
                HasSubstr("web-1 is not ready: the status of pod readiness gate \"g\""));
}

TEST(PodDiagnoser, ReportsLostNodes) {
    EXPECT_THAT(diagnosis(R"({"phase":"Running","conditions":[{"type":"Ready","status":"False"},
        {"type":"ContainersReady","status":"True"}],"containerStatuses":[{"name":"main","ready":true,
        "state":{"running":{}}}]})"),
                HasSubstr("web-1 is on node gpu-7, whose kubelet has stopped reporting"));
    EXPECT_THAT(diagnosis(R"({"phase":"Running","reason":"NodeLost"})"), HasSubstr("gpu-7"));
}

TEST(PodDiagnoser, ReportsFailedPodsAndOverdueDeletions) {
    EXPECT_THAT(diagnosis(R"({"phase":"Failed","reason":"UnexpectedAdmissionError",
        "message":"Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu"})"),
                HasSubstr("web-1 Failed: UnexpectedAdmissionError: Allocate failed"));
    EXPECT_THAT(diagnosis(R"({"phase":"Failed","containerStatuses":[
        {"name":"log","state":{"terminated":{"exitCode":0}}},{"name":"main","state":{"terminated":{"exitCode":3}}}]})"),
                HasSubstr("web-1 container main ended with exit code 3"));
    Json object = pod("{}");
    object["metadata"]["deletionTimestamp"] = "2026-11-24T13:00:55Z";
    EXPECT_EQ(diagnosis_text(object, {}, kNow), "");
    object["metadata"]["deletionTimestamp"] = "2026-11-24T13:00:00Z";
    EXPECT_THAT(diagnosis_text(object, {}, kNow), HasSubstr("web-1 still exists 60 s after its grace period"));
}

TEST(PodDiagnoser, ShortensMessagesToOneLine) {
    Json object = pod(R"({"containerStatuses":[{"name":"main","state":{"waiting":{"reason":"X"}}}]})");
    object["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = "a\nb\x1b[31m" + std::string(5000, 'x');
    const std::string text = diagnosis_text(object, {}, kNow);
    EXPECT_EQ(text.find_first_of("\n\x1b"), std::string::npos);
    EXPECT_LT(text.size(), 600u);
}

TEST(PodDiagnoser, ReturnsNothingForInvalidPod) {
    for (const char* status :
         {"null", "1", R"({"conditions":"x","containerStatuses":1})", R"({"conditions":[null,{"type":"Ready"}]})",
          R"({"containerStatuses":[null,1,{"state":"x"},{"state":{"waiting":[]}}]})",
          R"({"initContainerStatuses":{"a":{"state":{"waiting":1,"running":"x"}}}})"}) {
        EXPECT_EQ(diagnosis(status), "") << status;
    }
    EXPECT_EQ(diagnosis_text(Json::parse(R"({"metadata":[],"spec":1})"), {1, nullptr}, kNow), "");
}

class WorkloadDiagnosisTest : public SessionTest {
protected:
    std::vector<std::string> diagnoses_of(const Json& status, const Resource& resource) {
        Workload workload;
        workload.ref = {resource, "prod", "web"};
        workload.update({{"metadata", {{"uid", "w1"}}}, {"status", status}});
        Client client(session());
        return diagnose_workload(client, workload);
    }

    void serve_events(const std::string& uid, const std::vector<Json>& items) {
        responder.on(
            "GET",
            "/api/v1/namespaces/prod/events?fieldSelector=involvedObject.uid%3D" + uid + "%2Ctype%3DWarning&limit=500",
            {json_answer({{"kind", "EventList"}, {"items", items}})});
    }

    static Json failed_create(const std::string& message, seconds ago) {
        return {{"reason", "FailedCreate"},
                {"message", message},
                {"lastTimestamp", utc_text(std::chrono::system_clock::now() - ago, Precision::seconds)}};
    }

    static Json replica_set(const std::string& uid, const std::string& owner, const std::string& revision) {
        return {{"metadata",
                 {{"uid", uid},
                  {"ownerReferences", {{{"uid", owner}, {"controller", true}}}},
                  {"annotations", {{"deployment.kubernetes.io/revision", revision}}}}}};
    }

    const Resource deployments{"apps", "v1", "deployments", "deployment", "Deployment", true, {}, {}, {}};
    const Resource daemon_sets{"apps", "v1", "daemonsets", "daemonset", "DaemonSet", true, {}, {}, {}};
};

TEST_F(WorkloadDiagnosisTest, ReportsConditionsWithoutReadingEvents) {
    const auto found = diagnoses_of(
        {{"conditions",
          {{{"type", "ReplicaFailure"},
            {"status", "True"},
            {"reason", "FailedCreate"},
            {"message", "pods \"web-5d-x\" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1"}},
           {{"type", "Progressing"},
            {"status", "False"},
            {"reason", "ProgressDeadlineExceeded"},
            {"message", "ReplicaSet \"web-5d\" has timed out progressing."}}}}},
        deployments);
    EXPECT_THAT(
        found,
        ElementsAre(AllOf(HasSubstr("controller of deployment.apps/web in namespace prod cannot create pods: pods "
                                    "\"web-5d-x\" is forbidden: exceeded quota: gpus"),
                          HasSubstr("raise the quota")),
                    HasSubstr("ReplicaSet \"web-5d\" has timed out progressing; see its pods")));
    EXPECT_EQ(requests(), 0u);
}

TEST_F(WorkloadDiagnosisTest, ReadsEventsOfNewestReplicaSet) {
    serve_events("w1", {});
    serve_events("rs3", {failed_create("Error creating: pods \"web-\" is forbidden: violates PodSecurity "
                                       "\"restricted:latest\": unrestricted capabilities",
                                       seconds(5))});
    responder.on("GET", "/apis/apps/v1/namespaces/prod/replicasets",
                 {json_answer({{"items",
                                {replica_set("rs3", "w1", "10"), replica_set("rs2", "w1", "9"),
                                 replica_set("other", "w2", "99")}}})});
    EXPECT_THAT(diagnoses_of({}, deployments),
                ElementsAre(AllOf(HasSubstr("cannot create pods: pods \"web-\" is forbidden: violates PodSecurity"),
                                  HasSubstr("pod security level"))));
}

TEST_F(WorkloadDiagnosisTest, ReportsLatestEventOfWorkload) {
    serve_events("w1", {failed_create("Error creating: admission webhook \"p\" denied the request: no", seconds(1)),
                        failed_create("Error creating: something before", seconds(60))});
    EXPECT_THAT(diagnoses_of({}, daemon_sets),
                ElementsAre(AllOf(HasSubstr("denied the request: no"), HasSubstr("policy"))));
    EXPECT_EQ(requests(), 1u);
}

TEST_F(WorkloadDiagnosisTest, IgnoresOldEventsAndOtherReasons) {
    Json other = failed_create("x", seconds(1));
    other["reason"] = "FailedToUpdateEndpoint";
    serve_events("w1", {failed_create("Error creating: long ago", seconds(7200)), other, nullptr, 5});
    EXPECT_THAT(diagnoses_of({}, daemon_sets), IsEmpty());
}

TEST_F(WorkloadDiagnosisTest, ReturnsNothingWithoutPermissionToReadEvents) {
    responder.on("GET", "/api/v1/namespaces/prod/events", {status_answer(403, "Forbidden")});
    responder.on("GET", "/apis/apps/v1/namespaces/prod/replicasets", {status_answer(403, "Forbidden")});
    EXPECT_THAT(diagnoses_of({{"conditions", "odd"}}, deployments), IsEmpty());
}

}  // namespace

}  // namespace cudafault::kube
