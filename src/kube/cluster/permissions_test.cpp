// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/permissions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <set>

#include "kube/api/common/error.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::kube {

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

CommandUse use_of(const std::string& command, const std::vector<std::string>& kinds = {}) {
    CommandUse use;
    use.command = command;
    use.kinds = kinds;
    use.in_namespace = "prod";
    return use;
}

// Returns each permission as "verb resource".
std::set<std::string> needed(const CommandUse& use) {
    std::set<std::string> pairs;
    for (const Permission& permission : permissions_of(use)) {
        for (const std::string& verb : permission.verbs) pairs.insert(verb + " " + permission.qualified());
    }
    return pairs;
}

std::string refusal(const CommandUse& use) {
    try {
        permissions_of(use);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(Permissions, ListEachResourceOnceWithAReason) {
    for (const std::string& command : commands()) {
        std::set<std::string> seen;
        for (const Permission& permission : permissions_of(use_of(command))) {
            EXPECT_TRUE(seen.insert(permission.qualified()).second) << command << " " << permission.qualified();
            EXPECT_FALSE(permission.why.empty()) << command;
            EXPECT_FALSE(permission.verbs.empty()) << command;
        }
        EXPECT_FALSE(seen.empty()) << command;
    }
}

TEST(Permissions, DependOnTheKind) {
    EXPECT_THAT(needed(use_of("inject")), Contains("patch deployments.apps"));
    const auto stateful = needed(use_of("restore", {"statefulset"}));
    EXPECT_THAT(stateful, Contains("patch statefulsets.apps"));
    EXPECT_THAT(stateful, Contains("delete controllerrevisions.apps"));
    EXPECT_THAT(stateful, Not(Contains("delete replicasets.apps")));
    EXPECT_THAT(needed(use_of("status")), Contains("list replicasets.apps"));
    EXPECT_THAT(needed(use_of("status", {"CronJob"})), Contains("list jobs.batch"));
    EXPECT_THAT(needed(use_of("restore", {"ReplicaSet"})), Not(Contains("list controllerrevisions.apps")));
    EXPECT_THAT(needed(use_of("restore", {"RayCluster"})), Contains("list controllerrevisions.apps"));
    EXPECT_THAT(needed(use_of("status", {"Rollout"})), Contains("list replicasets.apps"));
    EXPECT_THAT(needed(use_of("restore", {"CloneSet"})), Contains("delete controllerrevisions.apps"));
    EXPECT_THAT(needed(use_of("restore", {"CloneSet"})), Not(Contains("delete replicasets.apps")));
    EXPECT_THAT(needed(use_of("arm")), Not(Contains("create leases.coordination.k8s.io")));
    EXPECT_THAT(needed(use_of("inject", {"widgets.acme.com"})), Contains("patch widgets.acme.com"));
    EXPECT_THAT(refusal(use_of("inject", {"widget"})), HasSubstr("plural.group"));
    EXPECT_THAT(refusal(use_of("inject", {"widget"})), HasSubstr(", jobs.batch.volcano.sh"))
        << "two kinds are named Job, so the message must list the second kind by its resource";
    EXPECT_THAT(refusal(use_of("fly")), HasSubstr("verify-clean"));
}

TEST(Permissions, DependOnOptions) {
    CommandUse restore = use_of("restore", {"StatefulSet"});
    EXPECT_THAT(needed(restore), Not(Contains("patch controllerrevisions.apps")));
    restore.exact = true;
    EXPECT_THAT(needed(restore), Contains("patch controllerrevisions.apps"));
    restore.kinds = {"RayCluster"};
    EXPECT_THAT(needed(restore), Not(Contains("patch controllerrevisions.apps")))
        << "restore does not reset revision numbers of a RayCluster";
    EXPECT_THAT(refusal(use_of("inject", {"pod"})), HasSubstr("unknown kind"));
    CommandUse drain = use_of("node drain");
    EXPECT_THAT(needed(drain), Not(Contains("delete pods")));
    drain.delete_unhealthy = true;
    EXPECT_THAT(needed(drain), Contains("delete pods"));
}

TEST(Permissions, ManifestWritesOnlyToCreateObjects) {
    CommandUse manifest = use_of("manifest", {"pod"});
    EXPECT_THAT(needed(manifest), testing::IsSupersetOf({"get pods", "create pods"}));
    EXPECT_THAT(needed(manifest), Not(Contains("patch pods")));
    EXPECT_THAT(needed(manifest), Not(Contains("create configmaps")));
    manifest.create_objects = true;
    EXPECT_THAT(needed(manifest), Contains("create configmaps"));
}

TEST(Permissions, KernelLogNeedsOnlyItsPod) {
    EXPECT_THAT(needed(use_of("kernel-log")),
                testing::UnorderedElementsAre("create pods", "get pods", "delete pods", "list events"));
    EXPECT_EQ(role_of(use_of("kernel-log")).at("kind"), "Role");
    EXPECT_THAT(needed(use_of("all")), Not(Contains("delete pods"))) << "a drill needs no privileged pod";
}

TEST(Permissions, ScanListsOnlyTheRequestedKinds) {
    EXPECT_THAT(needed(use_of("scan")), Contains("list rayclusters.ray.io"));
    EXPECT_THAT(needed(use_of("scan", {"Deployment"})), Not(Contains("list rayclusters.ray.io")));
}

TEST(Permissions, MatchTheTableOfKinds) {
    std::set<std::string> expected = {"list configmaps", "get configmaps", "list leases.coordination.k8s.io",
                                      "list controllerrevisions.apps"};
    for (const Kind& kind : kinds()) {
        if (!kind.is_cluster_scoped) expected.insert("list " + resource_of(kind));
    }
    EXPECT_EQ(needed(use_of("scan")), expected);
    for (const Kind& kind : kinds()) {
        if (kind.support == Support::kImpossible || kind.support == Support::kImmutable) continue;
        EXPECT_THAT(needed(use_of("inject", {resource_of(kind)})), Contains("patch " + resource_of(kind)));
    }
}

TEST(Permissions, SnapshotListsAllWorkloadKinds) {
    const auto needed_by_snapshot = needed(use_of("snapshot"));
    EXPECT_THAT(needed_by_snapshot, Contains("list dynamographdeployments.nvidia.com"));
    EXPECT_THAT(needed_by_snapshot, Contains("list jobs.batch.volcano.sh"));
    EXPECT_THAT(needed_by_snapshot, Not(Contains("list pods")));
}

TEST(Permissions, NeverIncludeSecrets) {
    for (const std::string& command : commands()) {
        for (const std::string& pair : needed(use_of(command))) EXPECT_THAT(pair, Not(HasSubstr("secrets")));
    }
}

TEST(Permissions, RequireAClusterRoleForNodesAndAllNamespaces) {
    EXPECT_EQ(role_of(use_of("inject")).at("kind"), "Role");
    EXPECT_EQ(role_of(use_of("inject")).at("metadata").at("namespace"), "prod");
    EXPECT_EQ(role_of(use_of("node cordon")).at("kind"), "ClusterRole");
    CommandUse everywhere = use_of("scan");
    everywhere.all_namespaces = true;
    EXPECT_EQ(role_of(everywhere).at("kind"), "ClusterRole");
    EXPECT_FALSE(role_of(everywhere).at("metadata").contains("namespace"));
}

TEST(Permissions, YamlMatchesTheRole) {
    for (const std::string& command : commands()) {
        const YAML::Node yaml = YAML::Load(role_yaml(use_of(command)));
        const Json role = role_of(use_of(command));
        EXPECT_EQ(yaml["metadata"]["name"].as<std::string>(), role["metadata"]["name"].get<std::string>());
        ASSERT_EQ(yaml["rules"].size(), role["rules"].size());
        for (size_t i = 0; i < yaml["rules"].size(); ++i) {
            for (const char* list : {"apiGroups", "resources", "verbs"}) {
                EXPECT_EQ(yaml["rules"][i][list].as<std::vector<std::string>>(),
                          role["rules"][i][list].get<std::vector<std::string>>());
            }
        }
    }
}

}  // namespace

}  // namespace cudafault::kube
