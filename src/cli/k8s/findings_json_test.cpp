// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/findings_json.hpp"

#include <gtest/gtest.h>

namespace cudafault::cli {
namespace {

TEST(FindingsJson, ExpiredPlanIsNotArmed) {
    kube::ScanReport report;
    report.injections.resize(1);
    report.injections[0].expired = "xid=79 until=2020-11-25T01:00:00Z";
    const auto injection = scan_json(report)["injections"].at(0);
    EXPECT_TRUE(injection["armed"].is_null());
    EXPECT_EQ(injection["expired"], "xid=79 until=2020-11-25T01:00:00Z");
    EXPECT_EQ(injection["state"], "unfinished");
}

TEST(FindingsJson, SkippedKindIsNotClean) {
    kube::CleanReport report;
    EXPECT_EQ(clean_json(report)["clean"], true);
    report.skipped.push_back({"nodes", "no permission"});
    EXPECT_EQ(clean_json(report)["clean"], false);
    EXPECT_EQ(clean_json(report)["unseen"][0]["resource"], "nodes");
}

TEST(FindingsJson, MissingValueIsNull) {
    kube::CleanReport report;
    report.differences.push_back({"deployment.apps/web", "spec.replicas", "2", {}});
    const auto difference = clean_json(report)["differences"][0];
    EXPECT_EQ(difference["before"], "2");
    EXPECT_TRUE(difference["after"].is_null());
}

}  // namespace
}  // namespace cudafault::cli
