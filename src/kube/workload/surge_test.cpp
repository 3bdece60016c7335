// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/surge.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

Json with_surge_forbidden(const std::string& group, const std::string& kind, const Json& spec) {
    Json object = {{"spec", spec}};
    Editor editor(object);
    Resource resource;
    resource.group = group;
    resource.kind = kind;
    forbid_surge(editor, resource, false);
    return object["spec"];
}

TEST(ForbidSurge, SetsLimitsOfArgoAndKruiseKinds) {
    const Json canary = with_surge_forbidden(
        "argoproj.io", "Rollout", {{"replicas", 4}, {"strategy", {{"canary", {{"maxUnavailable", "50%"}}}}}});
    EXPECT_EQ(canary["strategy"]["canary"], Json::parse(R"({"maxSurge": 0, "maxUnavailable": 2})"));
    const Json blue_green = {{"strategy", {{"blueGreen", {{"activeService", "web"}}}}}};
    EXPECT_EQ(with_surge_forbidden("argoproj.io", "Rollout", blue_green), blue_green);
    const Json clones = with_surge_forbidden("apps.kruise.io", "CloneSet", {{"updateStrategy", {{"maxSurge", 1}}}});
    EXPECT_EQ(clones["updateStrategy"], Json::parse(R"({"maxSurge": 0, "maxUnavailable": 1})"));
    const Json in_order = {{"updateStrategy", {{"type", "InPlaceIfPossible"}}}};
    EXPECT_EQ(with_surge_forbidden("apps.kruise.io", "CloneSet", in_order), in_order)
        << "a CloneSet does not surge by default";
    EXPECT_EQ(with_surge_forbidden("acme.com", "Widget", in_order), in_order);
}

TEST(MaxUnavailableCount, ReturnsConfiguredValueButAtLeastOne) {
    EXPECT_EQ(max_unavailable_count(3, 8), 3);
    EXPECT_EQ(max_unavailable_count(0, 8), 1);
    EXPECT_EQ(max_unavailable_count("25%", 8), 2);
    EXPECT_EQ(max_unavailable_count("25%", 7), 1);
    EXPECT_EQ(max_unavailable_count("25%", 0), 1);
    EXPECT_EQ(max_unavailable_count("100%", 8), 8);
    EXPECT_EQ(max_unavailable_count("2", 8), 2);
    EXPECT_EQ(max_unavailable_count("many", 8), 1);
    EXPECT_EQ(max_unavailable_count(nullptr, 8), 1);
}

}  // namespace

}  // namespace cudafault::kube
