// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/workload_status.hpp"

#include <gtest/gtest.h>

#include "kube/testing/paths_testing.hpp"
#include "kube/testing/workload_testing.hpp"

namespace cudafault::kube {

namespace {

WorkloadStatus with_plan(const std::string& spec) {
    WorkloadStatus status;
    status.plan = PlanObject{};
    status.plan->spec = spec;
    return status;
}

TEST(WorkloadStatus, AnExpiredPlanIsNotArmed) {
    const WorkloadStatus ended = with_plan("xid=79 until=2020-01-01T00:00:00Z");
    EXPECT_EQ(ended.armed(), nullptr);
    EXPECT_EQ(ended.expired(), &*ended.plan);
    const WorkloadStatus lasting = with_plan("xid=79 until=2099-01-01T00:00:00Z");
    EXPECT_EQ(lasting.armed(), &*lasting.plan);
    EXPECT_EQ(lasting.expired(), nullptr);
}

TEST(WorkloadStatus, AnEmptyPlanIsNeitherArmedNorExpired) {
    for (const WorkloadStatus& status : {WorkloadStatus(), with_plan("")}) {
        EXPECT_EQ(status.armed(), nullptr);
        EXPECT_EQ(status.expired(), nullptr);
    }
}

class StatusTest : public WorkloadTest {
protected:
    StatusTest() {
        announce({{"apps", "v1"}});
        serve_apps();
        serve_object("/apis/apps/v1/namespaces/prod/statefulsets/web",
                     named("web", {{"selector", {{"matchLabels", {{"app", "web"}}}}}, {"template", gpu_template()}}));
    }

    WorkloadStatus status(const std::string& pod) {
        serve_list(kPodPath, {owned(Json::parse(pod), "apps/v1", "StatefulSet", "web")});
        WorkloadChoice choice;
        choice.kind = "statefulset";
        choice.name = "web";
        choice.in_namespace = "prod";
        return status_of(client(), discovery(), choice);
    }
};

TEST_F(StatusTest, RestartsIncludeNativeSidecars) {
    const WorkloadStatus found = status(R"({
        "metadata": {"name": "web-0", "namespace": "prod", "uid": "u"},
        "spec": {"initContainers": [{"name": "fetch"}, {"name": "server", "restartPolicy": "Always"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "restartCount": 2, "state": {"running": {}},
                "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-11-29T10:00:00Z"}}}],
            "initContainerStatuses": [
                {"name": "fetch", "restartCount": 5, "state": {"terminated": {"exitCode": 0}}},
                {"name": "server", "restartCount": 3, "state": {"running": {}},
                 "lastState": {"terminated": {"exitCode": 139, "finishedAt": "2026-11-29T09:00:00Z"}}}]}})");
    ASSERT_EQ(found.pods.size(), 1u);
    EXPECT_EQ(found.pods[0].restarts, 5);
    EXPECT_EQ(found.pods[0].terminated.value().exit_code, 1) << "the last termination";
}

}  // namespace

}  // namespace cudafault::kube
