// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/armed_output.hpp"

#include <gtest/gtest.h>

namespace cudafault::cli {
namespace {

kube::Armed armed_on(const std::string& node) {
    kube::Armed armed;
    armed.plan.spec = "xid=79 node=n?";
    armed.containers.resize(1);
    armed.containers[0].pod = {{"metadata", {{"name", "web-1"}}}, {"spec", {{"nodeName", node}}}};
    return armed;
}

TEST(ArmedJson, ShapeDependsOnTheCommandOnly) {
    kube::ArmChoice choice;
    for (const size_t count : {1, 2}) {
        const auto document = armed_json(choice, std::vector(count, armed_on("n1")), "");
        ASSERT_TRUE(document.contains("workloads")) << document;
        EXPECT_EQ(document["workloads"].size(), count);
    }
    choice.workload.name = "web";
    const auto document = armed_json(choice, {armed_on("n1")}, "2026-11-24T12:00:00Z");
    EXPECT_EQ(document["spec"], "xid=79 node=n?") << document;
    EXPECT_EQ(document["until"], "2026-11-24T12:00:00Z");
}

TEST(ArmedJson, NamesTheTargetedPods) {
    kube::ArmChoice choice;
    choice.workload.name = "web";
    EXPECT_EQ(armed_json(choice, {armed_on("n1")}, "")["pods"][0]["meant"], true);
    EXPECT_EQ(armed_json(choice, {armed_on("gpu-1")}, "")["pods"][0]["meant"], false);
}

}  // namespace
}  // namespace cudafault::cli
