// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/expiry.hpp"

#include <gtest/gtest.h>

#include "local/spec.hpp"

namespace cudafault::cli {
namespace {

const auto kEnd = std::chrono::system_clock::from_time_t(4004596800);  // 2096-11-24T12:00:00Z

TEST(Expiry, AddsUntilToEachFaultWithoutUntil) {
    const Expiring expiring = with_expiry("xid=79; xid=48 until=2096-11-24T10:00:00Z", kEnd, "", {});
    EXPECT_EQ(expiring.spec, "xid=79 until=2096-11-24T12:00:00Z; xid=48 until=2096-11-24T10:00:00Z");
    EXPECT_EQ(expiring.until, "2096-11-24T12:00:00Z");
}

TEST(Expiry, KeepsALaterExplicitEnd) {
    EXPECT_EQ(with_expiry("xid=79 until=2097-01-01T00:00:00Z", kEnd, "", {}).until, "2097-01-01T00:00:00Z");
}

TEST(Expiry, AddsNodeAndPods) {
    EXPECT_EQ(with_expiry("xid=79", kEnd, "n1", {"a", "b"}).spec,
              "xid=79 node=n1 pod=a until=2096-11-24T12:00:00Z; xid=79 node=n1 pod=b until=2096-11-24T12:00:00Z");
}

TEST(Expiry, RefusesAPlanThatWouldEndBeforeItFires) {
    EXPECT_THROW(with_expiry("xid=79 until=2020-01-01T00:00:00Z", kEnd, "", {}), local::SpecRefused);
    EXPECT_THROW(with_expiry("xid=79 after=2h", std::chrono::system_clock::now() + std::chrono::hours(1), "", {}),
                 local::SpecRefused);
}

TEST(Expiry, KeepsTheEndOfAFaultWithAComment) {
    EXPECT_EQ(with_expiry("xid=79 # of the first rack; not of the second\n", kEnd, "", {}).spec,
              "xid=79 until=2096-11-24T12:00:00Z");
}

TEST(Expiry, RefusesConflictingTargets) {
    EXPECT_THROW(with_expiry("xid=79 node=n2", kEnd, "n1", {}), local::Error);
    EXPECT_THROW(with_expiry("xid=79 pod=x", kEnd, "", {"a"}), local::Error);
    EXPECT_THROW(with_expiry("", kEnd, "", {}), local::Error);
    EXPECT_THROW(with_expiry("xid=nonsense", kEnd, "", {}), local::SpecRefused);
    EXPECT_THROW(with_expiry("xid=79", kEnd, "", std::vector<std::string>(17, "pod")), local::Error);
}

}  // namespace
}  // namespace cudafault::cli
