// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/scan.hpp"

#include <gmock/gmock.h>

#include "kube/api/transport/api_error.hpp"
#include "kube/cluster/kernel_log_pod.hpp"
#include "kube/record/record.hpp"
#include "kube/testing/survey_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class ScanTest : public SurveyTest {
protected:
    ScanReport report() { return scan(client(), discovery(), "prod"); }

    std::vector<std::string> leftovers() {
        std::vector<std::string> objects;
        for (const Leftover& leftover : report().leftovers) objects.push_back(leftover.object);
        return objects;
    }

    void serve_plan(const std::string& plan) {
        responder.on("GET", kConfigMapPath + "/" + names::kPlanPrefix + web,
                     {json_answer(object("ConfigMap", names::kPlanPrefix + web, {{"data", {{"plan", plan}}}}))});
    }

    const std::string web = hash_of("web");
};

TEST_F(ScanTest, FindsNothingInAnEmptyNamespace) {
    const ScanReport empty = report();
    EXPECT_FALSE(empty.has_findings());
    EXPECT_EQ(empty.objects, 0u);
    EXPECT_EQ(empty.kinds, 8u);
    EXPECT_THAT(empty.skipped, IsEmpty());
}

TEST_F(ScanTest, FindsAnInjectionWithItsObjects) {
    fill(kApps + "deployments", {injected("Deployment", "web", web), object("Deployment", "other")});
    fill(kApps + "replicasets", {injected("ReplicaSet", "web-1", web), object("ReplicaSet", "web-0")});
    fill(kPodPath, {object("Pod", "web-1-a", {{"spec", plan_volume(web)}}), object("Pod", "other-1")});
    fill(kConfigMapPath, {object("ConfigMap", names::kPlanPrefix + web), object("ConfigMap", "settings")});
    serve_plan("#3\nxid=79 until=2099-11-25T01:00:00Z\n");
    const ScanReport found = report();
    EXPECT_THAT(found.leftovers, IsEmpty());
    ASSERT_EQ(found.injections.size(), 1u);
    const FoundInjection& injection = found.injections[0];
    EXPECT_EQ(injection.state, InjectionState::kInForce);
    ASSERT_TRUE(injection.workload);
    EXPECT_EQ(injection.workload->text(), "deployment.apps/web in namespace prod");
    EXPECT_EQ(injection.run_id, "ab12");
    EXPECT_EQ(injection.armed, "xid=79 until=2099-11-25T01:00:00Z");
    EXPECT_EQ(injection.expired, "");
    EXPECT_EQ(injection.until, "2099-11-25T01:00:00Z");
    EXPECT_FALSE(injection.has_record);
    EXPECT_THAT(injection.objects, UnorderedElementsAre(Pair("deployments.apps", 1u), Pair("replicasets.apps", 1u),
                                                        Pair("pods", 1u), Pair("configmaps", 1u)));
    EXPECT_EQ(found.objects, 8u);
}

TEST_F(ScanTest, ExpiredPlanIsNotArmed) {
    fill(kApps + "deployments", {injected("Deployment", "web", web)});
    fill(kConfigMapPath, {object("ConfigMap", names::kPlanPrefix + web)});
    serve_plan("#3\nxid=79 until=2020-11-25T01:00:00Z\n");
    const ScanReport found = report();
    ASSERT_EQ(found.injections.size(), 1u);
    EXPECT_EQ(found.injections[0].armed, "");
    EXPECT_EQ(found.injections[0].expired, "xid=79 until=2020-11-25T01:00:00Z");
    EXPECT_EQ(found.injections[0].until, "2020-11-25T01:00:00Z");
}

TEST_F(ScanTest, RecordWithoutAnInjectionIsUnfinished) {
    fill(kConfigMapPath, {object("ConfigMap", names::kAnchorPrefix + web)});
    responder.on("GET", kConfigMapPath + "/" + names::kAnchorPrefix + web,
                 {json_answer(object("ConfigMap", names::kAnchorPrefix + web, {{"data", {{"record.json", "{"}}}}))});
    const ScanReport found = report();
    ASSERT_EQ(found.injections.size(), 1u);
    EXPECT_EQ(found.injections[0].state, InjectionState::kUnfinished);
    EXPECT_TRUE(found.injections[0].has_record);
    EXPECT_THAT(found.injections[0].record_problem, HasSubstr("damaged"));
    EXPECT_THAT(found.leftovers, IsEmpty());
}

TEST_F(ScanTest, FindsThePodOfAKilledKernelLogCommand) {
    KernelLogRequest request;
    request.in_namespace = "prod";
    fill(kPodPath,
         {kernel_log_pod(request, "cudafault-kernel-log-1", std::chrono::seconds(30)), object("Pod", "other")});
    EXPECT_THAT(leftovers(), ElementsAre("pod/cudafault-kernel-log-1 in namespace prod"));
}

class ScanOfUnlistedKindTest : public ScanTest {
protected:
    ScanOfUnlistedKindTest() {
        const Json apps = {{"name", "apps"}, {"versions", {{{"version", "v1"}}}}};
        const Json acme = {{"name", "acme.com"}, {"versions", {{{"version", "v1"}}}}};
        responder.on("GET", "/apis", {json_answer({{"kind", "APIGroupList"}, {"groups", {apps, acme}}})});
        responder.on("GET", "/apis/acme.com/v1",
                     {json_answer({{"kind", "APIResourceList"}, {"resources", {entry("widgets", "Widget")}}})});
        for (const char* name : {"one", "two"}) anchors.push_back(serve_record(name));
        fill(kConfigMapPath, anchors);
    }

    static std::string hash_of_widget(const std::string& name) {
        Workload workload;
        workload.ref = {{"acme.com", "v1", "widgets", "", "Widget", true, {}, {}, {}}, "prod", name};
        return workload.hash();
    }

    Json serve_record(const std::string& name) {
        Record record;
        record.run_id = "ab12";
        record.workload.resource = Resource::of_kind("acme.com/v1", "Widget");
        record.workload.in_namespace = "prod";
        record.workload.name = name;
        const std::string anchor = names::kAnchorPrefix + hash_of_widget(name);
        const Json config_map = object("ConfigMap", anchor, {{"data", {{"record.json", record.json().dump()}}}});
        responder.on("GET", kConfigMapPath + "/" + anchor, {json_answer(config_map)});
        return config_map;
    }

    const std::string widgets = "/apis/acme.com/v1/namespaces/prod/widgets";
    std::vector<Json> anchors;
};

TEST_F(ScanOfUnlistedKindTest, IsInForceIfInjected) {
    fill(widgets, {injected("Widget", "one", hash_of_widget("one")), injected("Widget", "two", hash_of_widget("two"))});
    const ScanReport found = report();
    EXPECT_THAT(found.leftovers, IsEmpty());
    ASSERT_EQ(found.injections.size(), 2u);
    for (const FoundInjection& injection : found.injections) {
        EXPECT_EQ(injection.state, InjectionState::kInForce) << injection.hash;
        EXPECT_THAT(injection.objects, UnorderedElementsAre(Pair("widgets.acme.com", 1u), Pair("configmaps", 1u)));
    }
}

TEST_F(ScanOfUnlistedKindTest, IsUnfinishedIfNotInjected) {
    fill(widgets, {object("Widget", "one")});
    EXPECT_EQ(report().injections.at(0).state, InjectionState::kUnfinished);
}

TEST_F(ScanOfUnlistedKindTest, IsUnknownIfListingIsForbidden) {
    responder.on("GET", widgets,
                 {status_answer(403, "Forbidden", R"(User "ada" cannot list resource "widgets" in API group)")});
    const ScanReport found = report();
    for (const FoundInjection& injection : found.injections) EXPECT_EQ(injection.state, InjectionState::kUnknown);
    ASSERT_EQ(found.skipped.size(), 1u);
    EXPECT_EQ(found.skipped[0].resource, "widgets.acme.com");
}

TEST_F(ScanTest, FindsLeftoversOfUnknownInjections) {
    fill(kApps + "replicasets", {injected("ReplicaSet", "web-1", web)});
    fill(kApps + "controllerrevisions",
         {object("ControllerRevision", "db-1", {{"data", {{"env", Json::array({{{"name", "CUDA_XID_TYPE"}}})}}}})});
    fill(kConfigMapPath, {object("ConfigMap", names::kLibraryPrefix + web + "-x86-64")});
    fill(kLeasePath, {object("Lease", names::kLeasePrefix + web)});
    fill(kPodPath, {object("Pod", "p", {{"metadata", {{"annotations", {{names::kNudge, "3"}}}}}})});
    fill(kNodePath, {object("Node", "n1", {{"metadata", {{"annotations", {{names::kCordon, "{}"}}}}}})});
    EXPECT_THAT(leftovers(), UnorderedElementsAre("replicaset.apps/web-1 in namespace prod",
                                                  "controllerrevision.apps/db-1 in namespace prod",
                                                  "configmap/cudafault-library-" + web + "-x86-64 in namespace prod",
                                                  "lease.coordination.k8s.io/cudafault-" + web + " in namespace prod",
                                                  "pod/p in namespace prod", "node/n1"));
}

TEST_F(ScanTest, MarkAloneIsALeftover) {
    fill(kApps + "deployments",
         {object("Deployment", "web", {{"metadata", {{"annotations", {{names::kInjected, "run=ab12 edition=1"}}}}}})});
    EXPECT_THAT(leftovers(), ElementsAre("deployment.apps/web in namespace prod"));
}

TEST_F(ScanTest, FieldManagerOnRestoredFieldsIsNotALeftover) {
    fill(kApps + "deployments",
         {object("Deployment", "web",
                 {{"metadata", {{"managedFields", Json::array({{{"manager", names::kManager}}})}}}})});
    const ScanReport found = report();
    EXPECT_FALSE(found.has_findings());
    EXPECT_EQ(found.manager_only.at(0).object, "deployment.apps/web in namespace prod");
}

TEST_F(ScanTest, ReportsKindsThatCannotBeListed) {
    responder.on("GET", kNodePath, {status_answer(403, "Forbidden")});
    responder.on("GET", kApps + "deployments",
                 {status_answer(403, "Forbidden", R"(User "ada" cannot list resource "deployments")")});
    const ScanReport found = report();
    ASSERT_EQ(found.skipped.size(), 2u);
    EXPECT_EQ(found.skipped[0].resource, "deployments.apps");
    EXPECT_THAT(found.skipped[0].why, HasSubstr("verb list on deployments.apps"));
    EXPECT_EQ(found.skipped[1].resource, "nodes");
}

TEST_F(ScanTest, FailsIfNoKindCanBeListed) {
    for (const std::string& path : {kConfigMapPath, kLeasePath, kPodPath, kNodePath, kApps + "deployments",
                                    kApps + "statefulsets", kApps + "replicasets", kApps + "controllerrevisions"}) {
        responder.on("GET", path, {status_answer(403, "Forbidden")});
    }
    EXPECT_THROW(report(), ApiError);
}

TEST_F(ScanTest, ServerErrorIsAnError) {
    responder.on("GET", kPodPath, {status_answer(500, "InternalError")});
    EXPECT_THROW(report(), ApiError);
}

TEST_F(ScanTest, UnknownNamespaceIsAnError) {
    responder.on("GET", "/api/v1/namespaces/prod", {status_answer(404, "NotFound")});
    EXPECT_THROW(report(), ApiError);
}

TEST_F(ScanTest, ScansANamespaceThatCannotBeRead) {
    responder.on("GET", "/api/v1/namespaces/prod", {status_answer(403, "Forbidden")});
    EXPECT_FALSE(report().has_findings());
}

TEST_F(ScanTest, CountsARestartedListOnce) {
    const Answer first = json_answer({{"kind", "List"},
                                      {"metadata", {{"continue", "more"}}},
                                      {"items", {object("ReplicaSet", "plain"), injected("ReplicaSet", "r", web)}}});
    responder.on("GET", kApps + "replicasets?limit=100", {first});
    responder.on("GET", kApps + "replicasets?limit=100&continue=more",
                 {status_answer(410, "Expired"), json_answer({{"kind", "List"}, {"items", Json::array()}})});
    const ScanReport found = report();
    EXPECT_EQ(found.leftovers.size(), 1u);
    EXPECT_EQ(found.objects, 2u);
}

TEST_F(ScanTest, ReadsOnlyMetadataOfConfigMaps) {
    report();
    for (const SeenRequest& request : responder.requests()) {
        const bool metadata_only = request.header("accept").find("PartialObjectMetadataList") != std::string::npos;
        const bool is_metadata_expected =
            request.target.starts_with(kConfigMapPath) || request.target.starts_with(kLeasePath);
        EXPECT_EQ(metadata_only, is_metadata_expected) << request.target;
        EXPECT_EQ(request.method, "GET");
    }
}

}  // namespace

}  // namespace cudafault::kube
