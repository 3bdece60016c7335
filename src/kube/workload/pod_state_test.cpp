// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/pod_state.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

const Json kPod = Json::parse(R"({
  "metadata": {"name": "web-1", "namespace": "prod", "uid": "u1"},
  "spec": {
    "volumes": [
      {"name": "data", "emptyDir": {}},
      {"name": "cudafault-plan", "configMap": {"name": "cudafault-plan-0123456789", "optional": true}}
    ],
    "containers": [
      {"name": "proxy"},
      {"name": "main", "env": [{"name": "CUDAFAULT_INJECTION", "value": "r1.2"}]}
    ]
  },
  "status": {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "main", "state": {"running": {}}}, {"name": "proxy", "state": {"waiting": {}}}],
    "initContainerStatuses": [{"name": "first", "state": {"terminated": {"exitCode": 0}}}]
  }
})");

TEST(PodState, IsInjectedIfPodMountsPlan) {
    EXPECT_TRUE(is_injected(kPod, "0123456789"));
    EXPECT_FALSE(is_injected(kPod, "9999999999"));
    EXPECT_FALSE(is_injected(kPod, ""));
}

TEST(PodState, IsInjectedComparesTheInjectionVariable) {
    EXPECT_TRUE(is_injected(kPod, "0123456789", "r1.2"));
    EXPECT_FALSE(is_injected(kPod, "0123456789", "r1.1"));
    EXPECT_FALSE(is_injected(kPod, "9999999999", "r1.2"));
}

TEST(PodState, ReadsStatusOfRunningAndTerminatingPods) {
    EXPECT_TRUE(is_ready(kPod));
    EXPECT_FALSE(is_terminating(kPod));
    EXPECT_FALSE(is_finished(kPod));
    EXPECT_TRUE(is_running(kPod, "main"));
    EXPECT_FALSE(is_running(kPod, "proxy"));
    EXPECT_FALSE(is_running(kPod, "first"));
    EXPECT_FALSE(is_running(kPod, "none"));
    Json ended_pod = kPod;
    ended_pod["metadata"]["deletionTimestamp"] = "2026-11-24T13:00:00Z";
    ended_pod["status"]["phase"] = "Failed";
    ended_pod["status"]["conditions"][0]["status"] = "False";
    EXPECT_FALSE(is_ready(ended_pod));
    EXPECT_TRUE(is_terminating(ended_pod));
    EXPECT_TRUE(is_finished(ended_pod));
}

TEST(PodState, NativeSidecarsCountAsContainers) {
    Json pod = kPod;
    pod["spec"]["initContainers"] = {{{"name", "first"}}, {{"name", "proxy"}, {"restartPolicy", "Always"}}};
    pod["status"]["containerStatuses"] = {{{"name", "main"}, {"state", {{"running", Json::object()}}}}};
    pod["status"]["initContainerStatuses"] = {{{"name", "first"}, {"state", {{"terminated", {{"exitCode", 0}}}}}},
                                              {{"name", "proxy"}, {"state", {{"running", Json::object()}}}}};
    ASSERT_EQ(running_container_statuses(pod).size(), 2u);
    EXPECT_EQ(text_at(*running_container_statuses(pod)[1], "name"), "proxy");
    EXPECT_FALSE(has_crashed(pod)) << "an init container that has ended has not crashed";
}

TEST(PodState, ARestartedSidecarIsNoCrash) {
    Json pod = kPod;
    pod["spec"]["initContainers"] = {{{"name", "proxy"}, {"restartPolicy", "Always"}}};
    pod["status"]["initContainerStatuses"] = {
        {{"name", "proxy"}, {"restartCount", 1}, {"state", {{"running", Json::object()}}}}};
    pod["status"]["containerStatuses"] = {{{"name", "main"}, {"state", {{"waiting", Json::object()}}}}};
    EXPECT_FALSE(has_crashed(pod)) << "its container has not started yet";
    pod["status"]["containerStatuses"][0]["restartCount"] = 1;
    EXPECT_TRUE(has_crashed(pod));
}

TEST(PodState, ToleratesInvalidPods) {
    for (const char* text : {"null", "1", "[]", R"({"spec":[],"status":"x","metadata":1})",
                             R"({"spec":{"volumes":[1,{"configMap":2}],"containers":{"a":3}},
                                 "status":{"conditions":[null,{"type":1}],"containerStatuses":"x"}})"}) {
        const Json pod = Json::parse(text);
        EXPECT_FALSE(is_injected(pod, "0123456789", "r1.2")) << text;
        EXPECT_FALSE(is_ready(pod)) << text;
        EXPECT_FALSE(is_terminating(pod)) << text;
        EXPECT_FALSE(is_finished(pod)) << text;
        EXPECT_FALSE(is_running(pod, "main")) << text;
        EXPECT_FALSE(has_crashed(pod)) << text;
        EXPECT_EQ(pod_name(pod) + pod_namespace(pod) + pod_uid(pod), "") << text;
    }
}

}  // namespace

}  // namespace cudafault::kube
