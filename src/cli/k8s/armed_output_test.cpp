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

TEST(ArmedJson, HasOneObjectForEachWorkload) {
    const auto list = armed_json(std::vector(2, armed_on("n1")), "2026-11-24T12:00:00Z");
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0]["spec"], "xid=79 node=n?") << list;
    EXPECT_EQ(list[0]["until"], "2026-11-24T12:00:00Z");
}

TEST(ArmedJson, NamesTheTargetedPods) {
    EXPECT_EQ(armed_json({armed_on("n1")}, "")[0]["pods"][0]["meant"], true);
    EXPECT_EQ(armed_json({armed_on("gpu-1")}, "")[0]["pods"][0]["meant"], false);
}

}  // namespace
}  // namespace cudafault::cli
