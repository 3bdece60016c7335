// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/inject.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kDeployment = "/apis/apps/v1/namespaces/prod/deployments/web";

class PlanInjectionTest : public WorkloadTest {
protected:
    PlanInjectionTest() {
        announce({{"apps", "v1"}});
        serve("v1", {{"pods", "Pod"}});
        serve_apps();
        inject_options.choice.kind = "deployments.apps";
        inject_options.choice.name = "web";
        inject_options.choice.in_namespace = "prod";
        responder.on("POST", kPodPath, {json_answer(named("x"))});
        serve_workload(original());
    }

    static Workload original() {
        return deployment_with({{"replicas", 2},
                                {"strategy", {{"rollingUpdate", {{"maxSurge", 1}, {"maxUnavailable", 0}}}}},
                                {"template", gpu_template()}});
    }

    void serve_workload(const Workload& workload) {
        serve_object(kDeployment, workload.object);
        responder.on("PATCH", kDeployment, {json_answer(workload.object)});
    }

    // Sets up an injected workload with its record.
    void serve_injected(const Injection& injection) {
        Workload workload = original();
        const Injected injected = inject_into(workload, choose_containers(workload, {}), injection, always_exists);
        workload.object = injected.object;
        serve_object(kDeployment, workload.object);
        responder.on("PATCH", kDeployment, {json_answer(Json::object())});
        Record record;
        record.run_id = injection.mark.run_id;
        record.by = "ada@desk";
        record.workload.uid = original().uid();
        record.library = library_path(injection);
        record.editions[injection.mark.edition] = injected.edits;
        Json anchor = named("cudafault-anchor-" + original().hash());
        anchor["data"] = {{"record.json", record.json().dump()}};
        serve_object(kConfigMapPath + "/cudafault-anchor-" + original().hash(), anchor);
    }

    static Json image_injected_object() {
        const Workload workload = original();
        return inject_into(workload, choose_containers(workload, {}), image_injection(), always_exists).object;
    }

    static Injection image_injection() {
        Injection injection = binary_injection();
        injection.delivery = Delivery::kImage;
        injection.architectures.clear();
        injection.image_library = "/opt/fault.so";
        return injection;
    }

    InjectionPlan plan() {
        inject_options.delivery = Delivery::kImage;
        inject_options.image_library = "/opt/fault.so";
        return plan_injection(client(), discovery(), inject_options);
    }

    std::string refusal() {
        try {
            plan();
            return "planned";
        } catch (const Error& error) {
            return error.what();
        }
    }

    InjectOptions inject_options;
};

TEST_F(PlanInjectionTest, ChecksWithDryRunsOnly) {
    const InjectionPlan planned = plan();
    EXPECT_EQ(planned.injection.mark.edition, 1);
    EXPECT_EQ(planned.injection.mark.run_id.size(), 8u);
    EXPECT_FALSE(planned.unchanged);
    EXPECT_THAT(container_names(planned.chosen), ElementsAre("main"));
    for (const SeenRequest& request : responder.requests()) {
        if (request.method == "GET") continue;
        EXPECT_THAT(request.target, HasSubstr("dryRun=All"));
    }
}

TEST_F(PlanInjectionTest, RecordsThePinLabelInTheMark) {
    inject_options.node = "n1";
    serve_object("/api/v1/nodes/n1", labeled(named("n1"), "kubernetes.io/hostname", "host-1"));
    const InjectionPlan planned = plan();
    EXPECT_EQ(planned.injection.pin_label, "host-1");
    EXPECT_EQ(InjectedMark::of(planned.injected.object).value().pin, "host-1")
        << "restore needs the pin if the record is lost";
}

TEST_F(PlanInjectionTest, PinsToTheNodeNameIfTheNodeCannotBeRead) {
    inject_options.node = "n1";
    responder.on("GET", "/api/v1/nodes/n1", {status_answer(403, "Forbidden")});
    const InjectionPlan planned = plan();
    EXPECT_EQ(planned.injection.pin_label, "n1");
    EXPECT_THAT(planned.notes, Contains(HasSubstr("no permission to get node n1")));
}

TEST_F(PlanInjectionTest, RefusesSystemNamespaces) {
    inject_options.choice.in_namespace = "kube-system";
    EXPECT_THAT(refusal(), HasSubstr("kube-system contains components of the cluster"));
    EXPECT_EQ(requests(), 0u);
}

TEST_F(PlanInjectionTest, RequiresAContainerOptionWithoutGpus) {
    serve_workload(deployment_of_pod({{"containers", {{{"name", "main"}}, {{"name", "side"}}}}}));
    EXPECT_THAT(refusal(), HasSubstr("requests a GPU"));
    inject_options.containers = {"mian"};
    EXPECT_THAT(refusal(), HasSubstr("matches --container \"mian\": it has main, side"));
    inject_options.containers = {};
    inject_options.or_all_containers = true;
    EXPECT_THAT(container_names(plan().chosen), ElementsAre("main", "side"));
}

TEST_F(PlanInjectionTest, FailsWithoutContainersUnlessEmptyIsAllowed) {
    serve_workload(deployment_of_pod({{"containers", Json::array()}, {"initContainers", {{{"name", "fetch"}}}}}));
    inject_options.or_all_containers = true;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("nothing to inject in deployment.apps/web"),
                                 HasSubstr("init containers (fetch) are not injected")));
    inject_options.allow_empty = true;
    const InjectionPlan planned = plan();
    EXPECT_TRUE(planned.chosen.empty());
    EXPECT_THAT(planned.notes, Contains(HasSubstr("nothing to inject")));
    for (const SeenRequest& request : responder.requests()) EXPECT_EQ(request.method, "GET");
}

TEST_F(PlanInjectionTest, OrdersTheCompileContainerBeforeASidecar) {
    Json sidecar = gpu_container("server");
    sidecar["restartPolicy"] = "Always";
    const Json init = {{{"name", "fetch"}}, sidecar};
    const Workload workload = deployment_of_pod({{"containers", {{{"name", "main"}}}}, {"initContainers", init}});
    serve_workload(workload);
    EXPECT_THAT(container_names(plan().chosen), ElementsAre("server"));
    const Injected injected = inject_into(workload, choose_containers(workload, {}), source_injection(), always_exists);
    std::vector<std::string> order;
    for (const Json& each : *find(injected.object, kPodSpec / "initContainers")) order.push_back(each.at("name"));
    EXPECT_THAT(order, ElementsAre("fetch", "compile-cuda-fault-lib", "server"));
    EXPECT_EQ(undo_all(injected.object, injected.edits, names::kCompiledLibrary), workload.object);
}

TEST_F(PlanInjectionTest, NotesGuessedAndOmittedContainers) {
    Json init = gpu_container("warm-up");
    serve_workload(deployment_of_pod(
        {{"containers", {{{"name", "main"}, {"resources", {{"limits", {{"acme.com/accelerator", 1}}}}}}}},
         {"initContainers", {init}}}));
    EXPECT_THAT(plan().notes,
                AllOf(Contains(HasSubstr("container main requests acme.com/accelerator, an unknown resource")),
                      Contains(HasSubstr("init container warm-up requests a GPU but is not injected"))));
    inject_options.containers = {"main", "mian"};
    EXPECT_THAT(plan().notes, Contains("no container matches --container mian"));
}

TEST_F(PlanInjectionTest, RefusesToReplaceAnotherInjection) {
    serve_injected(image_injection());
    EXPECT_EQ(refusal(), "planned") << "an identical inject must be accepted";
    inject_options.contract = ContractVariables{};
    EXPECT_THAT(refusal(), AllOf(HasSubstr("already injected, by ada@desk"), HasSubstr("--replace")));
    responder.on("GET", kConfigMapPath + "/cudafault-anchor-" + original().hash(), {status_answer(404, "NotFound")});
    inject_options.replace = true;
    EXPECT_THAT(refusal(), HasSubstr("its record was lost: restore it first"));
}

TEST_F(PlanInjectionTest, RefusesARepeatedInjectWhileArmed) {
    serve_injected(image_injection());
    Json plan_object = named(names::kPlanPrefix + original().hash());
    plan_object["data"] = {{"plan", "#3\nxid=79 until=2099-01-01T00:00:00Z\n"}};
    serve_object(kConfigMapPath + "/" + names::kPlanPrefix + original().hash(), plan_object);
    EXPECT_THAT(refusal(), HasSubstr("armed: xid=79"));
    plan_object["data"] = {{"plan", "#3\nxid=79 until=2020-01-01T00:00:00Z\n"}};
    serve_object(kConfigMapPath + "/" + names::kPlanPrefix + original().hash(), plan_object);
    EXPECT_EQ(refusal(), "planned") << "an expired plan is not armed";
    inject_options.contract = ContractVariables{};
    EXPECT_THAT(refusal(), HasSubstr("nothing armed"));
}

TEST_F(PlanInjectionTest, AnErrorInOneOfSeveralDoesNotStopTheOthers) {
    InjectOptions missing = inject_options, refused = inject_options;
    missing.choice.name = "absent";
    refused.choice.in_namespace = "kube-system";
    const std::vector<InjectAttempt> attempts = inject_each(client(), {missing, refused});
    ASSERT_EQ(attempts.size(), 2u);
    EXPECT_THAT(attempts[0].error->what(), HasSubstr("deployment.apps/absent"));
    EXPECT_THAT(attempts[1].error->what(), HasSubstr("namespace kube-system"));
}

TEST_F(PlanInjectionTest, RequiresARestoreIfTheRecordWasRebuilt) {
    serve_injected(image_injection());
    Record record;
    record.workload.uid = original().uid();
    record.is_rebuilt = true;
    record.editions[1] = {};
    Json anchor = named("cudafault-anchor-" + original().hash());
    anchor["data"] = {{"record.json", record.json().dump()}};
    serve_object(kConfigMapPath + "/cudafault-anchor-" + original().hash(), anchor);
    inject_options.replace = true;
    EXPECT_THAT(refusal(), HasSubstr("its record was lost: restore it first"));
}

TEST_F(PlanInjectionTest, RereadsTheWorkloadIfInjected) {
    serve_injected(image_injection());
    const Json injected_object = image_injected_object();
    responder.on("GET", kDeployment, {json_answer(original().object), json_answer(injected_object)});
    EXPECT_TRUE(plan().unchanged) << "the workload was injected after the first read";
}

TEST_F(PlanInjectionTest, RepeatedInjectChangesNothing) {
    serve_injected(image_injection());
    inject_options.replace = true;
    EXPECT_TRUE(plan().unchanged);
    EXPECT_EQ(count_requests(kPodPath), 0);
}

TEST_F(PlanInjectionTest, ReplaceInjectsTheOriginalAsTheNextEdition) {
    serve_injected(image_injection());
    inject_options.replace = true;
    inject_options.contract = ContractVariables{};
    const InjectionPlan planned = plan();
    EXPECT_FALSE(planned.unchanged);
    EXPECT_EQ(planned.injection.mark.text(), "run=ab12 edition=2");
    EXPECT_EQ(undo_all(planned.injected.object, planned.injected.edits, "/opt/fault.so"), original().object);
}

TEST_F(PlanInjectionTest, DoesNotRecordEditsOfAnInterruptedRestoreAsOriginal) {
    serve_injected(image_injection());
    Workload workload = original();
    const Injected injected = inject_into(workload, choose_containers(workload, {}), image_injection(), always_exists);
    workload.object = undo(injected.object, injected.edits, Phase::kWithTemplate, "/opt/fault.so").object;
    ASSERT_NE(workload.object, original().object) << "restore reverts the strategy and the history limit later";
    serve_workload(workload);
    const InjectionPlan planned = plan();
    EXPECT_FALSE(planned.unchanged);
    EXPECT_EQ(undo_all(planned.injected.object, planned.injected.edits, "/opt/fault.so"), original().object);
}

TEST_F(PlanInjectionTest, IgnoresTheRecordOfADeletedWorkloadOfTheSameName) {
    serve_injected(image_injection());
    Workload recreated = original();
    recreated.object["metadata"]["uid"] = "uid-new";
    serve_object(kDeployment, recreated.object);
    const InjectionPlan planned = plan();
    EXPECT_EQ(undo_all(planned.injected.object, planned.injected.edits, "/opt/fault.so"), recreated.object);
}

TEST_F(PlanInjectionTest, NewEditionKeepsChangesMadeSinceTheInjection) {
    serve_injected(image_injection());
    Workload workload = original();
    workload.object = inject_into(workload, choose_containers(workload, {}), image_injection(), always_exists).object;
    workload.object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 3;
    serve_workload(workload);
    inject_options.replace = true;
    inject_options.contract = ContractVariables{};
    const InjectionPlan planned = plan();
    const Undone undone = undo(workload.object, planned.injected.edits, Phase::kAfterRollout, "/opt/fault.so");
    EXPECT_EQ(*find(undone.object, {"spec", "strategy", "rollingUpdate", "maxSurge"}), 3);
}

class PlanManifestTest : public PlanInjectionTest {
protected:
    PlanManifestTest() {
        announce({{"apps", "v1"}, {"batch", "v1"}});
        serve("batch/v1", {{"jobs", "Job"}});
        inject_options.choice.kind = "job";
        inject_options.choice.name = "train";
        inject_options.delivery = Delivery::kImage;
        inject_options.image_library = "/opt/fault.so";
        serve_object(job_path, job());
    }

    static Json job() {
        Json job = named("train", {{"selector", {{"matchLabels", {{"controller-uid", "uid-train"}}}}},
                                   {"template", labeled(gpu_template(), "controller-uid", "uid-train")}});
        job.update({{"apiVersion", "batch/v1"}, {"kind", "Job"}});
        return job;
    }

    InjectionPlan manifest() { return plan_manifest(client(), discovery(), inject_options); }

    const std::string job_path = "/apis/batch/v1/namespaces/prod/jobs/train";
};

TEST_F(PlanManifestTest, InjectsAnImmutableKindWithoutAWrite) {
    const InjectionPlan made = manifest();
    const Json& object = made.injected.object;
    EXPECT_EQ(text_at(object, {"metadata", "uid"}), "");
    EXPECT_FALSE(object.at("spec").contains("selector"));
    EXPECT_TRUE(InjectedMark::of(object));
    EXPECT_THAT(object.dump(), AllOf(HasSubstr("/opt/fault.so"), HasSubstr("cudafault-plan-")));
    EXPECT_THAT(config_maps_of(made), ElementsAre("cudafault-plan-" + made.workload.hash()));
    for (const SeenRequest& request : responder.requests()) {
        EXPECT_TRUE(request.method == "GET" || request.target.find("dryRun=All") != std::string::npos)
            << request.method << " " << request.target;
    }
}

TEST_F(PlanManifestTest, CreatesConfigMapsWithoutAnOwner) {
    responder.on("POST", kConfigMapPath, {json_answer(Json::object())});
    const InjectionPlan made = manifest();
    create_config_maps_of(client(), made);
    const SeenRequest last = responder.requests().back();
    const Json created = Json::parse(last.body);
    EXPECT_EQ(text_at(created, {"metadata", "name"}), "cudafault-plan-" + made.workload.hash());
    EXPECT_FALSE(created.at("metadata").contains("ownerReferences")) << "the replaced object has another UID";
    EXPECT_EQ(text_at(created, {"metadata", "annotations", names::kFor}), "batch/v1 Job train");
}

TEST_F(PlanManifestTest, RefusesAnInjectedWorkload) {
    serve_object(job_path, manifest().injected.object);
    EXPECT_THROW(manifest(), Error);
}

TEST_F(PlanManifestTest, RefusalOfInjectNamesTheManifestCommand) {
    EXPECT_THAT(refusal(), AllOf(HasSubstr("cannot be injected"),
                                 HasSubstr("`cudafault k8s manifest job.batch/train -n prod --create-objects | kubectl "
                                           "replace --force -f -`")));
}

}  // namespace

}  // namespace cudafault::kube
