// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/expiring_plan.hpp"

#include <gtest/gtest.h>

#include "local/spec.hpp"

namespace cudafault::cli {
namespace {

const auto kEnd = std::chrono::system_clock::from_time_t(4004596800);  // 2096-11-24T12:00:00Z

TEST(ExpiringPlan, AddsUntilToEachFaultWithoutUntil) {
    const kube::Expiring expiring = expiring_plan("xid=79; xid=48 until=2096-11-24T10:00:00Z", kEnd, "", {});
    EXPECT_EQ(expiring.spec, "xid=79 until=2096-11-24T12:00:00Z; xid=48 until=2096-11-24T10:00:00Z");
    EXPECT_EQ(expiring.until, "2096-11-24T12:00:00Z");
}

TEST(ExpiringPlan, KeepsALaterExplicitEnd) {
    EXPECT_EQ(expiring_plan("xid=79 until=2097-01-01T00:00:00Z", kEnd, "", {}).until, "2097-01-01T00:00:00Z");
}

TEST(ExpiringPlan, AddsNodeAndPods) {
    EXPECT_EQ(expiring_plan("xid=79", kEnd, "n1", {"a", "b"}).spec,
              "xid=79 node=n1 pod=a until=2096-11-24T12:00:00Z; xid=79 node=n1 pod=b until=2096-11-24T12:00:00Z");
}

TEST(ExpiringPlan, RefusesAPlanThatWouldEndBeforeItFires) {
    EXPECT_THROW(expiring_plan("xid=79 until=2020-01-01T00:00:00Z", kEnd, "", {}), local::SpecRefused);
    EXPECT_THROW(expiring_plan("xid=79 after=2h", std::chrono::system_clock::now() + std::chrono::hours(1), "", {}),
                 local::SpecRefused);
}

TEST(ExpiringPlan, IgnoresASemicolonInAComment) {
    EXPECT_EQ(expiring_plan("xid=79 # of the first rack; not of the second\n", kEnd, "", {}).spec,
              "xid=79 until=2096-11-24T12:00:00Z");
}

TEST(ExpiringPlan, RefusesConflictingTargets) {
    EXPECT_THROW(expiring_plan("xid=79 node=n2", kEnd, "n1", {}), local::Error);
    EXPECT_THROW(expiring_plan("xid=79 pod=x", kEnd, "", {"a"}), local::Error);
    EXPECT_THROW(expiring_plan("", kEnd, "", {}), local::Error);
    EXPECT_THROW(expiring_plan("xid=nonsense", kEnd, "", {}), local::SpecRefused);
    EXPECT_THROW(expiring_plan("xid=79", kEnd, "", std::vector<std::string>(17, "pod")), local::Error);
}

}  // namespace
}  // namespace cudafault::cli
