// SPDX-License-Identifier: Apache-2.0
#include "kube/restore/restore.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"
#include "kube/record/record.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// A Deployment without pods, so that restore does not wait.
Workload original() {
    Workload workload = deployment_with({{"replicas", 0},
                                         {"revisionHistoryLimit", 3},
                                         {"selector", {{"matchLabels", {{"app", "web"}}}}},
                                         {"template", gpu_template()}});
    return workload;
}

class RestoreTest : public WorkloadTest {
protected:
    RestoreTest() {
        announce({{"apps", "v1"}});
        serve("v1", {{"pods", "Pod"}});
        serve_apps();
        choice.kind = "deployments.apps";
        choice.name = "web";
        choice.in_namespace = "prod";
        responder.on("POST", kLeasePath, {json_answer(Json::object())});
        for (const std::string& list : {kPodPath, kReplicaSetPath, kDeploymentPath, kConfigMapPath,
                                        "/apis/apps/v1/namespaces/prod/statefulsets" + std::string()}) {
            serve_list(list, {});
        }
    }

    void inject(Injection injection = binary_injection()) {
        const Workload workload = original();
        injected = inject_into(workload, choose_containers(workload, {}), injection, always_exists);
        record.run_id = "ab12";
        record.by = "ada@desk";
        record.created_at = "2026-11-24T13:00:00Z";
        record.workload.resource = Resource::of_kind("apps/v1", "Deployment");
        record.workload.in_namespace = "prod";
        record.workload.name = "web";
        record.workload.uid = "uid-web";
        record.library = library_path(injection);
        record.editions[1] = injected.edits;
    }

    std::string object_path(const std::string& prefix) const {
        return kConfigMapPath + "/" + prefix + original().hash();
    }

    Json anchor_config_map(const std::string& text) const {
        Json object = named("cudafault-anchor-" + original().hash());
        object["metadata"]["resourceVersion"] = "3";
        object["metadata"]["ownerReferences"] = {{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}};
        object["data"] = {{"record.json", text}};
        return object;
    }

    void serve_record() { serve_object(object_path("cudafault-anchor-"), anchor_config_map(record.json().dump())); }

    // Returns the plan object of the workload, in which a fault is armed.
    Json serve_armed_plan() {
        Json plan = named("cudafault-plan-" + original().hash());
        plan["metadata"]["resourceVersion"] = "5";
        plan["data"] = {{"plan", "#7\nxid=79\n"}};
        serve_object(object_path("cudafault-plan-"), plan);
        responder.on("PATCH", object_path("cudafault-plan-"), {json_answer(plan)});
        return plan;
    }

    // Sets the object that each read returns while the lease is held; the read after a patch returns the patched
    // object.
    void serve_states(const std::vector<Json>& states) {
        std::vector<Answer> answers = {json_answer(states.front())};
        for (const Json& state : states) answers.push_back(json_answer(state));
        responder.on("GET", kDeploymentPath + "/web", answers);
        responder.on("PATCH", kDeploymentPath + "/web", {json_answer(original().object)});
    }

    Json object_with_restored_template() const {
        return undo(injected.object, injected.edits, Phase::kWithTemplate, record.library).object;
    }

    RestoreResult run() { return restore(client(), discovery(), choice, restore_options); }

    // Returns the method and the last segment of the path of each write. A SelfSubjectReview writes nothing.
    std::vector<std::string> writes() const {
        std::vector<std::string> found;
        for (const SeenRequest& request : responder.requests()) {
            if (request.method == "GET" || request.target.find("selfsubjectreviews") != std::string::npos) continue;
            const std::string path = request.target.substr(0, request.target.find('?'));
            found.push_back(request.method + " " + path.substr(path.rfind('/') + 1));
        }
        return found;
    }

    std::vector<Json> patches() const {
        std::vector<Json> found;
        for (const SeenRequest& request : responder.requests()) {
            if (request.method == "PATCH" && request.target.starts_with(kDeploymentPath)) {
                found.push_back(Json::parse(request.body));
            }
        }
        return found;
    }

    WorkloadChoice choice;
    RestoreOptions restore_options;
    Injected injected;
    Record record;
};

TEST_F(RestoreTest, RevertsTheTemplateBeforeTheOtherEditsAndDeletesTheRecordLast) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, object_with_restored_template()});
    for (const char* prefix : {"cudafault-plan-", "cudafault-anchor-"}) {
        responder.on("DELETE", object_path(prefix), {json_answer(Json::object())});
    }
    const RestoreResult result = run();
    EXPECT_TRUE(result.restored);
    EXPECT_TRUE(result.complete);
    EXPECT_THAT(result.kept, IsEmpty());
    EXPECT_THAT(result.notes, IsEmpty());
    ASSERT_EQ(patches().size(), 2u);
    EXPECT_EQ(injected.object.patch(patches()[0]), object_with_restored_template());
    EXPECT_EQ(object_with_restored_template().patch(patches()[1]), original().object);
    const std::string hash = original().hash();
    EXPECT_THAT(writes(), ElementsAre("POST leases", "PATCH web", "PATCH web", "DELETE cudafault-plan-" + hash,
                                      "DELETE cudafault-library-" + hash + "-amd64",
                                      "DELETE cudafault-library-" + hash + "-arm64", "DELETE cudafault-anchor-" + hash))
        << "the record must be deleted last";
}

TEST_F(RestoreTest, DisarmsBeforeReverting) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, object_with_restored_template()});
    serve_armed_plan();
    EXPECT_TRUE(run().complete);
    EXPECT_EQ(writes().at(1), "PATCH cudafault-plan-" + original().hash());
}

TEST_F(RestoreTest, DisarmsAsTheUserThatTheApiServerReports) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, object_with_restored_template()});
    serve_armed_plan();
    responder.on("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                 {json_answer({{"status", {{"userInfo", {{"username", "alice"}}}}}})});
    run();
    const std::vector<SeenRequest> requests = responder.requests();
    const auto disarming = std::find_if(requests.begin(), requests.end(), [&](const SeenRequest& request) {
        return request.method == "PATCH" && request.target.starts_with(object_path("cudafault-plan-"));
    });
    ASSERT_NE(disarming, requests.end());
    EXPECT_THAT(disarming->body, HasSubstr("alice ("));
}

TEST_F(RestoreTest, DoesNotChangeACleanWorkload) {
    serve_states({original().object});
    const RestoreResult result = run();
    EXPECT_FALSE(result.restored);
    EXPECT_TRUE(result.complete);
    EXPECT_THAT(result.notes, IsEmpty());
    EXPECT_THAT(patches(), IsEmpty());
}

const Path kRollingUpdate = {"spec", "strategy", "rollingUpdate"};
const Json kSurging = {{"maxSurge", 1}, {"maxUnavailable", 0}};
const Json kWithoutSurge = {{"maxSurge", 0}, {"maxUnavailable", 1}};

Json with_limits(Json object, const Json& limits) {
    object["spec"]["strategy"] = {{"type", "RollingUpdate"}, {"rollingUpdate", limits}};
    return object;
}

TEST_F(RestoreTest, ForbidsSurgeForTheRevertIfTheStrategySurgesAgain) {
    inject();
    serve_record();
    Record without_surge = record;
    without_surge.editions[1].push_back({kRollingUpdate / "maxSurge", 1, 0, Phase::kAfterRollout});
    without_surge.editions[1].push_back({kRollingUpdate / "maxUnavailable", 0, 1, Phase::kAfterRollout});
    responder.on("PATCH", object_path("cudafault-anchor-"),
                 {json_answer(anchor_config_map(without_surge.json().dump()))});
    const Json reverted = with_limits(object_with_restored_template(), kWithoutSurge);
    serve_states({with_limits(injected.object, kSurging), with_limits(injected.object, kSurging), reverted});
    EXPECT_TRUE(run().complete);
    EXPECT_EQ(writes().at(1), "PATCH cudafault-anchor-" + original().hash())
        << "the record must be written before the workload";
    for (const SeenRequest& request : responder.requests()) {
        if (request.method != "PATCH" || !request.target.starts_with(object_path("cudafault-anchor-"))) continue;
        EXPECT_EQ(anchor_config_map(record.json().dump()).patch(Json::parse(request.body)).at("data"),
                  anchor_config_map(without_surge.json().dump()).at("data"));
    }
    ASSERT_EQ(patches().size(), 2u);
    EXPECT_EQ(with_limits(injected.object, kSurging).patch(patches()[0]), reverted);
    EXPECT_EQ(*find(reverted.patch(patches()[1]), kRollingUpdate), kSurging)
        << "restore must reset the limits to their values before the restore";
}

TEST_F(RestoreTest, ForbidsSurgeAfterAnUnfinishedRestoreWhilePodsAreInjected) {
    inject();
    serve_record();
    Json pod = labeled(owned(named("web-1-x"), "apps/v1", "ReplicaSet", "web-1"), "app", "web");
    pod["spec"] = injected.object["spec"]["template"]["spec"];
    serve_list(kReplicaSetPath, {labeled(owned(named("web-1"), "apps/v1", "Deployment", "web"), "app", "web")});
    serve_list(kPodPath, {pod});
    responder.on("PATCH", object_path("cudafault-anchor-"), {json_answer(anchor_config_map(record.json().dump()))});
    const Json reverted = with_limits(object_with_restored_template(), kSurging);
    serve_states({reverted, reverted, with_limits(object_with_restored_template(), kWithoutSurge)});
    restore_options.deadline = after(std::chrono::milliseconds(50));
    EXPECT_FALSE(run().complete);
    ASSERT_EQ(patches().size(), 1u);
    EXPECT_EQ(reverted.patch(patches()[0]), with_limits(object_with_restored_template(), kWithoutSurge));
}

TEST_F(RestoreTest, KeepsSurgeIfNoPodHasToBeReplaced) {
    inject();
    serve_record();
    serve_states({with_limits(original().object, kSurging)});
    EXPECT_TRUE(run().complete);
    EXPECT_THAT(patches(), IsEmpty());
}

TEST_F(RestoreTest, KeepsOriginalVariablesWithNamesOfCudafault) {
    Json object = original().object;
    (*find(object, kMainContainer))["env"] = {variable("LD_PRELOAD", "/opt/cudafault/libcudafault.so"),
                                              variable("CUDAFAULT_SIM_MEMORY", "1G"), variable("CUDA_XID_TYPE", "79")};
    serve_states({object});
    const RestoreResult result = run();
    EXPECT_FALSE(result.restored);
    EXPECT_THAT(result.notes, IsEmpty());
    EXPECT_THAT(patches(), IsEmpty());
}

TEST_F(RestoreTest, DoesNotChangeTheOwnerOfAnObjectInjectedDirectly) {
    inject();
    Json owned = injected.object;
    owned["metadata"]["ownerReferences"] = {
        {{"apiVersion", "acme.com/v1"}, {"kind", "Widget"}, {"name", "top"}, {"controller", true}, {"uid", "w"}}};
    responder.on("POST", kConfigMapPath, {status_answer(403, "Forbidden")});
    serve_states({owned});
    EXPECT_TRUE(run().restored) << "the workload has neither a record nor a plan";
    ASSERT_FALSE(patches().empty());
    EXPECT_EQ(find(owned.patch(patches()[0]), kPodSpec / "volumes"), nullptr);
}

TEST_F(RestoreTest, ResumesAfterTheTemplateWasReverted) {
    inject();
    serve_record();
    serve_states({object_with_restored_template()});
    EXPECT_TRUE(run().restored);
    ASSERT_EQ(patches().size(), 1u);
    EXPECT_EQ(object_with_restored_template().patch(patches()[0]), original().object);
}

TEST_F(RestoreTest, RemovesOnlyTheObjectsIfInjectWasKilledBeforeItsChange) {
    inject();
    serve_record();
    serve_states({original().object});
    responder.on("DELETE", object_path("cudafault-plan-"), {json_answer(Json::object())});
    EXPECT_TRUE(run().restored);
    EXPECT_THAT(patches(), IsEmpty());
    EXPECT_THAT(writes(), Contains("DELETE cudafault-anchor-" + original().hash()));
}

TEST_F(RestoreTest, RereadsTheWorkloadAndRecordUnderTheLease) {
    inject();
    responder.on("GET", object_path("cudafault-anchor-"),
                 {status_answer(404, "NotFound"), json_answer(anchor_config_map(record.json().dump()))});
    const std::vector<Json> states = {original().object, injected.object, injected.object,
                                      object_with_restored_template()};
    std::vector<Answer> answers;
    for (const Json& state : states) answers.push_back(json_answer(state));
    responder.on("GET", kDeploymentPath + "/web", answers);
    responder.on("PATCH", kDeploymentPath + "/web", {json_answer(original().object)});
    EXPECT_TRUE(run().complete);
    ASSERT_EQ(patches().size(), 2u);
    EXPECT_EQ(injected.object.patch(patches()[0]), object_with_restored_template());
}

TEST_F(RestoreTest, RemovesAnUnusedEditionFromTheRecordFirst) {
    inject();
    Injection pinned = binary_injection();
    pinned.mark.edition = 2;
    pinned.pin_label = "n1";
    const Workload workload = original();
    record.editions[2] = inject_into(workload, choose_containers(workload, {}), pinned, always_exists).edits;
    serve_record();
    Record settled = record;
    settled.editions.erase(2);
    responder.on("PATCH", object_path("cudafault-anchor-"), {json_answer(anchor_config_map(settled.json().dump()))});
    serve_states({injected.object, injected.object, object_with_restored_template()});
    EXPECT_THAT(run().kept, IsEmpty());
    EXPECT_EQ(writes().at(1), "PATCH cudafault-anchor-" + original().hash())
        << "the record must be written before the mark is removed";
    ASSERT_EQ(patches().size(), 2u);
    EXPECT_EQ(object_with_restored_template().patch(patches()[1]), original().object);
}

TEST_F(RestoreTest, NotFoundMeansDeletedOnlyIfTheWorkloadIsMissing) {
    inject();
    serve_record();
    serve_states({injected.object});
    responder.on("PATCH", kDeploymentPath + "/web", {status_answer(404, "NotFound")});
    EXPECT_THROW(run(), Error);
    for (const std::string& write : writes()) EXPECT_THAT(write, Not(HasSubstr("DELETE cudafault"))) << write;
    responder.on("GET", kDeploymentPath + "/web", {json_answer(injected.object), status_answer(404, "NotFound")});
    EXPECT_THAT(run().notes, ElementsAre(HasSubstr("web in namespace prod was deleted")));
}

TEST_F(RestoreTest, UsesTheEditsOfTheMarkWithoutARecord) {
    inject();
    record.editions[1] = InjectedMark::of(injected.object).value().post_rollout_edits.value();
    record.is_rebuilt = true;
    responder.on("POST", kConfigMapPath, {json_answer(anchor_config_map(record.json().dump()))});
    serve_states({injected.object, injected.object, object_with_restored_template()});
    const RestoreResult result = run();
    EXPECT_TRUE(result.complete);
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("were restored from the workload's annotation")));
    ASSERT_EQ(patches().size(), 2u);
    EXPECT_EQ(injected.object.patch(patches()[0]), object_with_restored_template());
    EXPECT_EQ(object_with_restored_template().patch(patches()[1]), original().object);
    EXPECT_EQ(writes().at(1), "POST configmaps")
        << "the record must exist before the mark is removed, in case restore is killed afterwards";
    EXPECT_EQ(writes().back(), "DELETE cudafault-anchor-" + original().hash());
}

TEST_F(RestoreTest, ResumesWithARebuiltRecord) {
    inject();
    record.editions[1] = InjectedMark::of(injected.object).value().post_rollout_edits.value();
    record.is_rebuilt = true;
    serve_record();
    serve_states({object_with_restored_template()});
    EXPECT_TRUE(run().complete);
    ASSERT_EQ(patches().size(), 1u);
    EXPECT_EQ(object_with_restored_template().patch(patches()[0]), original().object);
    serve_states({injected.object, injected.object, object_with_restored_template()});
    EXPECT_TRUE(run().complete);
    EXPECT_EQ(injected.object.patch(patches().at(1)), object_with_restored_template());
}

TEST_F(RestoreTest, UsesTheEditsOfTheMarkIfTheRecordCannotBeRebuilt) {
    inject();
    responder.on("POST", kConfigMapPath, {status_answer(403, "Forbidden")});
    serve_states({injected.object, injected.object, object_with_restored_template()});
    const RestoreResult result = run();
    EXPECT_TRUE(result.complete);
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("were restored from the workload's annotation")));
    ASSERT_EQ(patches().size(), 2u);
    EXPECT_EQ(object_with_restored_template().patch(patches()[1]), original().object);
}

TEST_F(RestoreTest, RemovesCudafaultNamesWithoutARecordOrEditsInTheMark) {
    inject();
    injected.object["metadata"]["annotations"][names::kInjected] = "run=ab12 edition=1";
    record.editions[1].clear();
    record.is_rebuilt = true;
    responder.on("POST", kConfigMapPath, {json_answer(anchor_config_map(record.json().dump()))});
    serve_states({injected.object});
    const RestoreResult result = run();
    EXPECT_TRUE(result.restored);
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("may still have the values that the injection set")));
    ASSERT_EQ(patches().size(), 1u);
    EXPECT_EQ(injected.object.patch(patches()[0]).at("spec").at("template"),
              original().object.at("spec").at("template"));
    EXPECT_FALSE(
        injected.object.patch(patches()[0]).contains("/metadata/annotations/cudafault.dev~1injected"_json_pointer));
}

TEST_F(RestoreTest, KeepsVariablesThatExistedBeforeTheInjection) {
    Workload workload = original();
    (*find(workload.object, kMainContainer))["env"] = {{{"name", "CUDA_XID_TYPE"}, {"value", "31"}}};
    inject();
    injected = inject_into(workload, choose_containers(workload, {}), binary_injection(), always_exists);
    record.editions[1] = injected.edits;
    serve_record();
    serve_states({injected.object, object_with_restored_template()});
    EXPECT_TRUE(run().complete);
    EXPECT_THAT(run().notes, IsEmpty());
    for (const Json& patch : patches()) EXPECT_THAT(patch.dump(), Not(HasSubstr("CUDA_XID_TYPE")));
}

TEST_F(RestoreTest, RecomputesThePatchAfterAConflict) {
    inject();
    serve_record();
    Json changed = injected.object;
    changed["metadata"]["resourceVersion"] = "8";
    changed["spec"]["replicas"] = 0;
    (*find(changed, kPodSpec))["volumes"].push_back({{"name", "users"}});
    serve_states({injected.object, injected.object, changed, original().object});
    responder.on("PATCH", kDeploymentPath + "/web", {status_answer(409, "Conflict"), json_answer(original().object)});
    EXPECT_TRUE(run().complete);
    ASSERT_GE(patches().size(), 2u);
    const Json volumes = *find(changed.patch(patches()[1]), kPodSpec / "volumes");
    EXPECT_EQ(volumes, Json::array({{{"name", "users"}}}));
}

TEST_F(RestoreTest, RemovesTheAnnotationFromOriginalReplicaSets) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, object_with_restored_template()});
    Json marked = owned(named("web-1"), "apps/v1", "Deployment", "web");
    marked["metadata"]["annotations"] = {{names::kInjected, "run=ab12 edition=1"}, {"users", "x"}};
    serve_list(kReplicaSetPath, {marked, owned(named("web-2"), "apps/v1", "Deployment", "web")});
    responder.on("PATCH", kReplicaSetPath + "/web-1",
                 {json_answer(marked), status_answer(404, "NotFound"), status_answer(403, "Forbidden")});
    EXPECT_THAT(run().notes, IsEmpty());
    EXPECT_THAT(writes(), AllOf(Contains("PATCH web-1"), Not(Contains("PATCH web-2"))));
    EXPECT_THAT(run().notes, IsEmpty()) << "the ReplicaSet was deleted during the restore";
    EXPECT_FALSE(run().complete) << "restore has no permission to change the ReplicaSet";
    EXPECT_THAT(run().notes,
                ElementsAre(HasSubstr("kubectl annotate replicasets.apps web-1 -n prod cudafault.dev/injected-")));
}

TEST_F(RestoreTest, KeepsTheObjectsThatPodsOfAPausedDeploymentMount) {
    inject();
    serve_record();
    injected.object["apiVersion"] = "apps/v1";
    injected.object["kind"] = "Deployment";
    injected.object["spec"]["paused"] = true;
    injected.object["spec"]["replicas"] = 1;
    serve_states({injected.object, injected.object, object_with_restored_template()});
    Json pod = owned(named("web-1-a", injected.object["spec"]["template"]["spec"]), "apps/v1", "ReplicaSet", "web-1");
    serve_list(kPodPath, {pod});
    serve_list(kReplicaSetPath, {owned(named("web-1"), "apps/v1", "Deployment", "web")});
    const RestoreResult result = run();
    EXPECT_TRUE(result.restored);
    EXPECT_FALSE(result.complete);
    EXPECT_THAT(result.notes, Contains(HasSubstr("paused")));
    for (const std::string& write : writes()) EXPECT_THAT(write, Not(HasSubstr("DELETE")));
}

TEST_F(RestoreTest, RemovesTheObjectsOfADeletedWorkload) {
    inject();
    serve_record();
    responder.on("DELETE", object_path("cudafault-anchor-"), {json_answer(Json::object())});
    for (const char* kind : {"deployments.apps", ""}) {
        choice.kind = kind;
        const RestoreResult result = run();
        EXPECT_TRUE(result.restored);
        EXPECT_THAT(result.notes, ElementsAre(HasSubstr("web in namespace prod was deleted")));
        EXPECT_EQ(writes().back(), "DELETE cudafault-anchor-" + original().hash())
            << "the record is needed to find the other objects again";
    }
}

TEST_F(RestoreTest, OnlyDisarmsImmutableKind) {
    announce({{"apps", "v1"}, {"batch", "v1"}});
    serve("batch/v1", {{"jobs", "Job"}});
    const Workload job = workload_with("batch", "v1", "Job", "jobs", {{"template", gpu_template()}});
    const Json object = inject_into(job, choose_containers(job, {}), binary_injection(), always_exists).object;
    serve_object("/apis/batch/v1/namespaces/prod/jobs/web", object);
    Json plan = named("cudafault-plan-" + job.hash());
    plan["metadata"]["resourceVersion"] = "5";
    plan["data"] = {{"plan", "#7\nxid=79\n"}};
    serve_object(kConfigMapPath + "/cudafault-plan-" + job.hash(), plan);
    responder.on("PATCH", kConfigMapPath + "/cudafault-plan-" + job.hash(), {json_answer(plan)});
    choice.kind = "job";
    const RestoreResult result = run();
    EXPECT_FALSE(result.complete);
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("create it again from its original manifest")));
    EXPECT_THAT(writes(), ElementsAre("POST leases", "PATCH cudafault-plan-" + job.hash()));
}

TEST_F(RestoreTest, UnknownWorkloadIsAnError) {
    EXPECT_THROW(run(), Error);
    choice.kind = "";
    EXPECT_THROW(run(), Error);
    EXPECT_THAT(writes(), IsEmpty());
}

TEST_F(RestoreTest, DamagedRecordIsAnErrorWithInstructions) {
    serve_object(object_path("cudafault-anchor-"), anchor_config_map("{"));
    try {
        run();
        ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("is damaged"), HasSubstr("delete that ConfigMap")));
    }
}

TEST_F(RestoreTest, RestoreAllFindsRecordsAndMarks) {
    inject();
    serve_record();
    serve_list(kConfigMapPath, {anchor_config_map(record.json().dump())});
    serve_list(kDeploymentPath, {injected.object});
    serve_states({injected.object, injected.object, object_with_restored_template()});
    const std::vector<RestoreResult> results = restore_all(client(), discovery(), "prod", restore_options);
    ASSERT_EQ(results.size(), 1u) << "a workload with a record and a mark must be restored once";
    EXPECT_EQ(results[0].workload, "deployment.apps/web in namespace prod");
    serve_list(kConfigMapPath, {});
    serve_list(kDeploymentPath, {original().object});
    EXPECT_THAT(restore_all(client(), discovery(), "prod", restore_options), IsEmpty());
}

TEST_F(RestoreTest, RestoreEachReportsMissingWorkloadAndRestoresOthers) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, injected.object, object_with_restored_template()});
    WorkloadChoice missing = choice;
    missing.name = "absent";
    const std::vector<RestoreResult> results = restore_each(client(), {missing, choice}, restore_options);
    ASSERT_EQ(results.size(), 2u) << "one result for each workload";
    EXPECT_EQ(results[0].workload, "deployment.apps/absent in namespace prod");
    EXPECT_FALSE(results[0].complete);
    EXPECT_TRUE(results[0].error);
    EXPECT_EQ(results[1].workload, "deployment.apps/web in namespace prod");
    EXPECT_TRUE(results[1].complete);
}

TEST_F(RestoreTest, RestoreEachDisarmsBeforeRestoring) {
    inject();
    serve_record();
    serve_armed_plan();
    serve_states({injected.object, injected.object, injected.object, object_with_restored_template()});
    EXPECT_EQ(restore_each(client(), {choice}, restore_options).size(), 1u);
    EXPECT_EQ(writes().at(0), "PATCH cudafault-plan-" + original().hash())
        << "the plan must be disarmed before the lease of a workload is acquired";
}

TEST_F(RestoreTest, RestoreEachKeepsTheErrorForTheRemedy) {
    inject();
    serve_record();
    serve_states({injected.object});
    responder.on("PATCH", kDeploymentPath + "/web", {status_answer(403, "Forbidden")});
    const std::vector<RestoreResult> results = restore_each(client(), {choice}, restore_options);
    ASSERT_EQ(results.size(), 1u);
    const auto* error = dynamic_cast<const ApiError*>(results[0].error.get());
    ASSERT_NE(error, nullptr);
    EXPECT_TRUE(error->is_forbidden());
}

TEST_F(RestoreTest, ProgressOfSeveralNamesTheWorkloads) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, injected.object, object_with_restored_template()});
    std::vector<std::string> lines;
    restore_options.on_progress = [&](const std::string& line) { lines.push_back(line); };
    restore_each(client(), {choice}, restore_options);
    ASSERT_FALSE(lines.empty());
    for (const std::string& line : lines) {
        EXPECT_THAT(line, AnyOf(HasSubstr("deployment.apps/web"), StartsWith("disarmed ")));
    }
}

TEST_F(RestoreTest, NamesThePlanOfAnotherAuthorThatItEnds) {
    inject();
    serve_record();
    Json plan = serve_armed_plan();
    plan["data"] = {{"plan", "#7\nxid=79 until=2099-01-01T00:00:00Z\n"}};
    plan["metadata"]["annotations"] = {{names::kChangedBy, "eve@desk"}};
    serve_object(object_path("cudafault-plan-"), plan);
    serve_states({injected.object, injected.object, object_with_restored_template()});
    std::vector<std::string> lines;
    restore_options.on_progress = [&](const std::string& line) { lines.push_back(line); };
    run();
    EXPECT_THAT(lines, Contains(AllOf(HasSubstr("ended the plan"), HasSubstr("by eve@desk"))));
}

TEST_F(RestoreTest, RestoreEachRestoresAWorkloadWithTwoNamesOnce) {
    inject();
    serve_record();
    serve_states({injected.object, injected.object, injected.object, injected.object, object_with_restored_template()});
    WorkloadChoice same = choice;
    same.kind = "deployments.apps";
    EXPECT_EQ(restore_each(client(), {choice, same}, restore_options).size(), 1u);
    EXPECT_THAT(writes(), Contains("POST leases").Times(1)) << "a second restore would also acquire the lease";
}

TEST_F(RestoreTest, RestoreAllDisarmsBeforeRestoring) {
    inject();
    serve_record();
    serve_list(kConfigMapPath, {anchor_config_map(record.json().dump()), serve_armed_plan()});
    serve_states({injected.object, injected.object, object_with_restored_template()});
    EXPECT_EQ(restore_all(client(), discovery(), "prod", restore_options).size(), 1u);
    EXPECT_EQ(writes().at(0), "PATCH cudafault-plan-" + original().hash())
        << "the plan must be disarmed before the lease of a workload is acquired";
}

TEST_F(RestoreTest, RestoreAllRestoresTheDeploymentOfAMarkedReplicaSet) {
    inject();
    Json copied = named("web-1");
    copied["metadata"]["annotations"] = injected.object.at("metadata").at("annotations");
    copied["metadata"]["ownerReferences"] = {
        {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}, {"controller", true}}};
    serve_list(kReplicaSetPath, {copied});
    serve_states({original().object});
    const std::vector<RestoreResult> results = restore_all(client(), discovery(), "prod", restore_options);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].workload, "deployment.apps/web in namespace prod");
    for (const SeenRequest& request : responder.requests()) EXPECT_THAT(request.target, Not(HasSubstr("replicasets/")));
}

TEST_F(RestoreTest, RestoreAllReportsAWorkloadThatCannotBeRestored) {
    inject();
    serve_record();
    serve_list(kDeploymentPath, {injected.object});
    serve_states({injected.object});
    responder.on("PATCH", kDeploymentPath + "/web", {status_answer(404, "NotFound")});
    const std::vector<RestoreResult> results = restore_all(client(), discovery(), "prod", restore_options);
    ASSERT_EQ(results.size(), 1u);
    EXPECT_FALSE(results[0].complete);
}

TEST_F(RestoreTest, RestoreAllRestoresOtherWorkloadsDespiteADamagedRecord) {
    inject();
    serve_record();
    Json damaged = anchor_config_map("{");
    damaged["metadata"]["name"] = "cudafault-anchor-of-another";
    damaged["metadata"]["ownerReferences"] = {{{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "another"}}};
    Workload another = original();
    another.ref.name = "another";
    serve_object(kConfigMapPath + "/cudafault-anchor-" + another.hash(), damaged);
    serve_list(kConfigMapPath, {damaged, anchor_config_map(record.json().dump())});
    serve_states({injected.object, injected.object, object_with_restored_template()});
    const std::vector<RestoreResult> results = restore_all(client(), discovery(), "prod", restore_options);
    ASSERT_EQ(results.size(), 2u);
    EXPECT_FALSE(results[0].complete);
    EXPECT_THAT(results[0].notes, ElementsAre(HasSubstr("cudafault-anchor-of-another is damaged")));
    EXPECT_TRUE(results[1].complete);
    EXPECT_TRUE(results[1].restored);
}

}  // namespace

}  // namespace cudafault::kube
