// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/snapshot.hpp"

#include <gmock/gmock.h>

#include "kube/testing/survey_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

Json manager(const std::string& name, const Json& fields, const std::string& subresource = "") {
    Json entry = {{"manager", name}, {"operation", "Update"}, {"time", "2026-11-25T00:00:00Z"}, {"fieldsV1", fields}};
    if (!subresource.empty()) entry["subresource"] = subresource;
    return entry;
}

const Json kEmptyField = Json::object();

class SnapshotTest : public SurveyTest {
protected:
    Snapshot snapshot(const std::vector<WorkloadChoice>& only = {}) {
        return take_snapshot(client(), discovery(), "prod", only);
    }

    CleanReport verify(const Snapshot* against = nullptr, bool exact = false) {
        CleanOptions clean;
        clean.in_namespace = "prod";
        clean.against = against;
        clean.exact = exact;
        return verify_clean(client(), discovery(), clean);
    }

    // Returns the paths at which `after` differs from `before`.
    std::vector<std::string> changes(const Json& before, const Json& after, bool exact = false,
                                     const std::string& path = kApps + "deployments") {
        fill(path, {before});
        const Snapshot taken = snapshot();
        fill(path, {after});
        std::vector<std::string> paths;
        for (const Difference& difference : verify(&taken, exact).differences) paths.push_back(difference.path);
        return paths;
    }

    static Json web(const Json& fields = Json::object()) { return object("Deployment", "web", fields); }

    static Json with_managers(const Json& managers) { return web({{"metadata", {{"managedFields", managers}}}}); }
};

TEST_F(SnapshotTest, HasWorkloadsAndTheirHistory) {
    fill(kApps + "deployments", {web({{"status", {{"replicas", 2}}}})});
    fill(kApps + "replicasets", {object("ReplicaSet", "web-1")});
    fill(kApps + "controllerrevisions", {object("ControllerRevision", "db-1")});
    fill(kConfigMapPath, {object("ConfigMap", "settings"), object("ConfigMap", "cuda-fault-injection-lib")});
    fill(kNodePath, {object("Node", "n1", {{"spec", {{"unschedulable", true}}}})});
    const Snapshot taken = snapshot();
    EXPECT_THAT(taken.objects, UnorderedElementsAre(Key("deployments.apps web in namespace prod"),
                                                    Key("replicasets.apps web-1 in namespace prod"),
                                                    Key("controllerrevisions.apps db-1 in namespace prod")));
    EXPECT_FALSE(taken.objects.begin()->second.contains("status"));
    EXPECT_THAT(taken.own_objects, ElementsAre("configmap/cuda-fault-injection-lib in namespace prod"));
    EXPECT_EQ(taken.nodes.at("n1").at("cordoned"), true);
    EXPECT_EQ(taken.in_namespace, "prod");
    EXPECT_TRUE(taken.is_whole);
    for (const SeenRequest& request : responder.requests()) EXPECT_THAT(request.target, Not(HasSubstr("secrets")));
}

TEST_F(SnapshotTest, RoundTripsThroughJson) {
    fill(kApps + "deployments", {web()});
    responder.on("GET", kNodePath, {status_answer(403, "Forbidden")});
    const Snapshot taken = snapshot();
    const Snapshot reread = Snapshot::from_json(Json::parse(taken.json().dump()));
    EXPECT_EQ(reread.json(), taken.json());
    EXPECT_TRUE(verify(&reread).is_clean());
    EXPECT_THROW(Snapshot::from_json({{"kind", "List"}}), Error);
    EXPECT_THROW(Snapshot::from_json(nullptr), Error);
    EXPECT_THROW(Snapshot::from_json({{"cudafault_snapshot", 2}}), Error);
}

TEST_F(SnapshotTest, SnapshotOfAWorkloadHasTheObjectsItOwns) {
    Json owned = object("ReplicaSet", "web-1");
    owned["metadata"]["ownerReferences"] = Json::array({{{"uid", "uid-web"}, {"controller", true}}});
    fill(kApps + "deployments", {web(), object("Deployment", "other")});
    fill(kApps + "replicasets", {owned, object("ReplicaSet", "other-1")});
    responder.on("GET", "/api", {json_answer({{"kind", "APIVersions"}, {"versions", {"v1"}}})});
    responder.on(
        "GET", "/apis",
        {json_answer(
            {{"kind", "APIGroupList"},
             {"groups",
              {{{"name", "apps"}, {"preferredVersion", {{"version", "v1"}}}, {"versions", {{{"version", "v1"}}}}}}}})});
    responder.on("GET", kApps + "deployments/web", {json_answer(web())});
    WorkloadChoice choice;
    choice.kind = "deployment";
    choice.name = "web";
    choice.in_namespace = "prod";
    const Snapshot taken = snapshot({choice});
    EXPECT_THAT(taken.objects, UnorderedElementsAre(Key("deployments.apps web in namespace prod"),
                                                    Key("replicasets.apps web-1 in namespace prod")));
    Json another = owned;
    another["metadata"]["name"] = "web-2";
    fill(kApps + "replicasets", {owned, another, object("ReplicaSet", "other-2")});
    const CleanReport report = verify(&taken);
    ASSERT_EQ(report.differences.size(), 1u) << "objects of other workloads are ignored";
    EXPECT_EQ(report.differences[0].object, "replicaset.apps/web-2 in namespace prod");
}

TEST_F(SnapshotTest, NotesUnlistableNodesInANamespace) {
    fill(kNodePath, {object("Node", "n1")});
    const Snapshot taken = snapshot();
    responder.on("GET", kNodePath, {status_answer(403, "Forbidden")});
    const CleanReport report = verify(&taken);
    EXPECT_TRUE(report.is_clean());
    EXPECT_THAT(report.skipped, IsEmpty());
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr("rbac verify-clean -A")));
}

TEST_F(SnapshotTest, IsCleanWithoutTraces) {
    fill(kApps + "deployments", {web()});
    const CleanReport report = verify();
    EXPECT_TRUE(report.is_clean());
    EXPECT_EQ(report.objects, 1u);
}

TEST_F(SnapshotTest, FindsEachPlantedLeftover) {
    const std::string hash = hash_of("web");
    const Json env = {{"spec", {{"env", Json::array({{{"name", "CUDAFAULT_NODE"}}})}}}};
    const std::vector<std::pair<std::string, Json>> planted = {
        {kApps + "deployments", injected("Deployment", "web", hash)},
        {kApps + "deployments", web({{"metadata", {{"labels", {{"cudafault.dev/x", "y"}}}}}})},
        {kApps + "statefulsets", object("StatefulSet", "db", env)},
        {kApps + "replicasets", object("ReplicaSet", "web-1", env)},
        {kApps + "controllerrevisions", object("ControllerRevision", "db-1", {{"data", env}})},
        {kConfigMapPath, object("ConfigMap", names::kPlanPrefix + hash)},
        {kLeasePath, object("Lease", names::kLeasePrefix + hash)},
        {kPodPath, object("Pod", "p", {{"metadata", {{"annotations", {{names::kNudge, "1"}}}}}})},
        {kNodePath, object("Node", "n", {{"metadata", {{"annotations", {{names::kCordon, "{}"}}}}}})}};
    for (const auto& [path, object] : planted) {
        fill(path, {object});
        EXPECT_FALSE(verify().is_clean()) << object;
        fill(path, {});
        EXPECT_TRUE(verify().is_clean()) << path;
    }
}

TEST_F(SnapshotTest, AcceptsCudafaultNamesThatExistedBefore) {
    const auto object_with_variable = [](const char* kind, const char* name, const char* variable) {
        const Json env = {{"spec", {{"env", Json::array({{{"name", variable}, {"value", "1"}}})}}}};
        return object(kind, name, env);
    };
    fill(kApps + "deployments", {object_with_variable("Deployment", "web", "CUDAFAULT_SIM_MEMORY")});
    const Snapshot taken = snapshot();
    EXPECT_FALSE(verify().is_clean()) << "cudafault or the workload author may have set the variable";
    EXPECT_TRUE(verify().traces.at(0).is_ambiguous);
    fill(kPodPath, {object_with_variable("Pod", "web-1", "CUDAFAULT_SIM_MEMORY")});
    EXPECT_TRUE(verify(&taken).is_clean());
    fill(kPodPath, {object_with_variable("Pod", "web-1", "CUDAFAULT_NODE")});
    EXPECT_FALSE(verify(&taken).is_clean());
    fill(kPodPath, {});
    fill(kApps + "deployments", {object_with_variable("Deployment", "web", "CUDAFAULT_NODE")});
    EXPECT_FALSE(verify(&taken).is_clean());
    fill(kApps + "deployments", {object_with_variable("Deployment", "web", "CUDAFAULT_INJECTION")});
    EXPECT_FALSE(verify(&taken).traces.at(0).is_ambiguous);
}

TEST_F(SnapshotTest, ReportsMissingAndNewObjects) {
    fill(kApps + "deployments", {web()});
    const Snapshot taken = snapshot();
    fill(kApps + "deployments", {object("Deployment", "new")});
    const CleanReport report = verify(&taken);
    ASSERT_EQ(report.differences.size(), 2u);
    EXPECT_EQ(report.differences[0].object, "deployment.apps/new in namespace prod");
    EXPECT_FALSE(report.differences[0].before);
    EXPECT_EQ(report.differences[1].object, "deployment.apps/web in namespace prod");
    EXPECT_FALSE(report.differences[1].after);
}

TEST_F(SnapshotTest, UnlistableKindIsADifference) {
    fill(kApps + "deployments", {web()});
    const Snapshot taken = snapshot();
    responder.on("GET", kApps + "deployments", {status_answer(403, "Forbidden")});
    const CleanReport report = verify(&taken);
    ASSERT_EQ(report.differences.size(), 1u);
    EXPECT_THAT(report.differences[0].after.value(), HasSubstr("could not be listed"));
}

TEST_F(SnapshotTest, ChangeIsADifference) {
    EXPECT_THAT(changes(web(), web({{"spec", {{"replicas", 3}}}})), ElementsAre("spec.replicas"));
    EXPECT_THAT(changes(web(), web({{"metadata", {{"annotations", {{"a", "b"}}}}}})),
                ElementsAre("metadata.annotations"));
}

TEST_F(SnapshotTest, ComparesTheContentOfRecreatedObjects) {
    const auto web_with_owner = [](const std::string& uid, int replicas, bool controller) {
        const Json owner = {{"kind", "Graph"}, {"name", "g"}, {"uid", "of-" + uid}, {"controller", controller}};
        return web({{"metadata", {{"uid", uid}, {"ownerReferences", {owner}}}}, {"spec", {{"replicas", replicas}}}});
    };
    EXPECT_THAT(changes(web_with_owner("1", 1, true), web_with_owner("2", 1, true)), IsEmpty());
    EXPECT_THAT(changes(web_with_owner("1", 1, true), web_with_owner("2", 2, true)), ElementsAre("spec.replicas"));
    EXPECT_THAT(changes(web_with_owner("1", 1, false), web_with_owner("2", 1, false)), Not(IsEmpty()));
}

TEST_F(SnapshotTest, ObjectOwnedByANodeIsNotTreatedAsRecreated) {
    const auto web_of_node = [](const std::string& uid) {
        const Json node = {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "n1"}, {"uid", "n"}, {"controller", true}};
        return web({{"metadata", {{"uid", uid}, {"ownerReferences", {node}}}}});
    };
    EXPECT_THAT(changes(web_of_node("1"), web_of_node("2")), ElementsAre("metadata.uid"));
}

TEST_F(SnapshotTest, IgnoresCountersOfTheServer) {
    const Json before =
        web({{"metadata",
              {{"resourceVersion", "1"}, {"annotations", {{"deprecated.daemonset.template.generation", "1"}}}}}});
    const Json after = web({{"metadata",
                             {{"resourceVersion", "9"},
                              {"generation", 3},
                              {"annotations", {{"deprecated.daemonset.template.generation", "3"}}}}},
                            {"status", {{"replicas", 1}}}});
    EXPECT_THAT(changes(before, after, true), IsEmpty());
}

TEST_F(SnapshotTest, ComparesRevisionCountersOnlyIfExact) {
    for (const std::string name : {"deployment.kubernetes.io/revision", "deployment.kubernetes.io/max-replicas"}) {
        const auto counter = [&](const char* number) {
            return web({{"metadata", {{"annotations", {{name, number}}}}}});
        };
        EXPECT_THAT(changes(counter("1"), counter("3")), IsEmpty());
        EXPECT_THAT(changes(counter("1"), counter("3"), true), ElementsAre("metadata.annotations[" + name + "]"));
    }
    const auto history = [](int number) { return object("ControllerRevision", "db-1", {{"revision", number}}); };
    const std::string list = kApps + "controllerrevisions";
    fill(kApps + "deployments", {});
    EXPECT_THAT(changes(history(1), history(3), false, list), IsEmpty());
    EXPECT_THAT(changes(history(1), history(3), true, list), ElementsAre("revision"));
}

TEST_F(SnapshotTest, IgnoresTimesAndStatusInManagedFields) {
    Json later = manager("kcm", {{"f:status", {{"f:replicas", kEmptyField}}}}, "status");
    later["time"] = "2026-11-25T09:00:00Z";
    const Json user = manager("kubectl", {{"f:spec", {{"f:replicas", kEmptyField}}}});
    EXPECT_THAT(changes(with_managers(Json::array({user})), with_managers({user, later}), true), IsEmpty());
}

TEST_F(SnapshotTest, IgnoresTheOrderOfManagers) {
    const Json first_manager = manager("one", {{"f:spec", {{"f:a", kEmptyField}}}}),
               second_manager = manager("two", {{"f:spec", {{"f:b", kEmptyField}}}});
    EXPECT_THAT(
        changes(with_managers({first_manager, second_manager}), with_managers({second_manager, first_manager}), true),
        IsEmpty());
}

TEST_F(SnapshotTest, CudafaultAsAManagerIsATrace) {
    const Json before = with_managers(Json::array({manager(
        "kubectl", {{"f:spec", {{"f:strategy", {{"f:maxSurge", kEmptyField}}}, {"f:replicas", kEmptyField}}}})}));
    const Json after = with_managers(
        Json::array({manager("kubectl", {{"f:spec", {{"f:replicas", kEmptyField}}}}),
                     manager("cudafault", {{"f:spec", {{"f:strategy", {{"f:maxSurge", kEmptyField}}}}}})}));
    EXPECT_THAT(changes(before, after), Not(IsEmpty()));
    fill(kApps + "deployments", {after});
    EXPECT_FALSE(verify().is_clean());
}

TEST_F(SnapshotTest, LostOwnershipOfAMapIsADifference) {
    const Json owned_map = {{".", kEmptyField}, {"f:maxSurge", kEmptyField}};
    const Json before = with_managers(
        Json::array({manager("kubectl", {{"f:spec", {{"f:rollingUpdate", owned_map}, {"f:type", kEmptyField}}}})}));
    const Json after = with_managers(
        Json::array({manager("kubectl", {{"f:spec", {{"f:rollingUpdate", kEmptyField}, {"f:type", kEmptyField}}}}),
                     manager("cudafault", {{"f:spec", {{"f:rollingUpdate", {{"f:maxSurge", kEmptyField}}}}}})}));
    for (const bool exact : {false, true}) {
        EXPECT_THAT(changes(before, after, exact),
                    Contains("metadata.managedFields[kubectl].fieldsV1.f:spec.f:rollingUpdate.f:maxSurge"));
    }
}

TEST_F(SnapshotTest, LostFieldOfAnotherManagerIsADifference) {
    const Json before =
        with_managers(Json::array({manager("kubectl", {{"f:spec", {{"f:a", kEmptyField}, {"f:b", kEmptyField}}}})}));
    const Json after = with_managers(Json::array({manager("kubectl", {{"f:spec", {{"f:a", kEmptyField}}}})}));
    EXPECT_THAT(changes(before, after), ElementsAre("metadata.managedFields[kubectl].fieldsV1.f:spec.f:b"));
}

TEST_F(SnapshotTest, CordonIsADifference) {
    const auto node = [](bool cordoned, const char* label) {
        Json result = object("Node", "n1", {{"metadata", {{"labels", {{label, "x"}, {"kubernetes.io/os", "linux"}}}}}});
        result["spec"]["unschedulable"] = cordoned;
        return result;
    };
    EXPECT_THAT(changes(node(false, "zone"), node(true, "rack"), false, kNodePath), ElementsAre("cordoned"));
    EXPECT_THAT(changes(node(true, "zone"), node(true, "dgxc.nvidia.com/nvsentinel-state"), false, kNodePath),
                ElementsAre("labels[dgxc.nvidia.com/nvsentinel-state]"));
}

TEST_F(SnapshotTest, DeletedNodeIsANote) {
    fill(kNodePath, {object("Node", "n1")});
    const Snapshot taken = snapshot();
    fill(kNodePath, {});
    const CleanReport report = verify(&taken);
    EXPECT_TRUE(report.is_clean());
    EXPECT_THAT(report.notes, ElementsAre("node n1 was deleted after the snapshot"));
}

}  // namespace

}  // namespace cudafault::kube
