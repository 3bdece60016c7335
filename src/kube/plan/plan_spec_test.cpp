// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/plan_spec.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

Json pod_on(const std::string& node) { return {{"metadata", {{"name", "web-1"}}}, {"spec", {{"nodeName", node}}}}; }

TEST(IsPodTargeted, MatchesPodsAsTheLibraryDoes) {
    EXPECT_TRUE(is_pod_targeted("xid=79", pod_on("n1")));
    EXPECT_TRUE(is_pod_targeted("xid=79 node=n?", pod_on("n1")));
    EXPECT_FALSE(is_pod_targeted("xid=79 node=n?", pod_on("gpu-1")));
    EXPECT_TRUE(is_pod_targeted("xid=79 pod=web-* node=n1", pod_on("n1")));
    EXPECT_FALSE(is_pod_targeted("xid=79 pod=web-* node=n2", pod_on("n1")));
    EXPECT_TRUE(is_pod_targeted("xid=79 node=n2; xid=43 pod=web-1", pod_on("n1"))) << "one matching fault is enough";
}

TEST(IsPodTargeted, AnInvalidSpecTargetsNoPod) {
    EXPECT_FALSE(is_pod_targeted("", pod_on("n1")));
    EXPECT_FALSE(is_pod_targeted("xid=nonsense", pod_on("n1")));
}

TEST(EndOfPlan, IsTheEndOfTheLastFault) {
    EXPECT_EQ(end_of_plan("xid=79,until=2026-11-25T01:00:00Z;xid=43 until=2026-11-25T02:00:00Z"),
              "2026-11-25T02:00:00Z");
    EXPECT_EQ(end_of_plan("xid=79,until=2026-11-25T01:00:00Z;xid=43"), "") << "the second fault has no end";
    EXPECT_EQ(end_of_plan("xid=79"), "");
    EXPECT_EQ(end_of_plan("until=nonsense"), "");
    EXPECT_EQ(end_of_plan(""), "");
}

TEST(IsArmed, IsFalseAfterAllFaultsHaveEnded) {
    EXPECT_TRUE(is_armed("xid=79"));
    EXPECT_TRUE(is_armed("xid=79 until=2099-01-01T00:00:00Z"));
    EXPECT_FALSE(is_armed("xid=79 until=2020-01-01T00:00:00Z"));
    EXPECT_FALSE(is_armed("xid=79 until=2020-01-01T00:00:00Z; xid=43 until=2021-01-01T00:00:00Z"));
    EXPECT_TRUE(is_armed("xid=79 until=2020-01-01T00:00:00Z; xid=43 until=2099-01-01T00:00:00Z"));
    EXPECT_FALSE(is_armed(""));
    EXPECT_TRUE(is_armed("of a newer version until=2020-01-01T00:00:00Z"));
}

}  // namespace

}  // namespace cudafault::kube
