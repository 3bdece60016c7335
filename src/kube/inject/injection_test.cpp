// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/injection.hpp"

#include <gmock/gmock.h>

#include "kube/names.hpp"
#include "kube/testing/injection_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// Injects, and checks that undoing the edits, once written to and read from the record, restores the original.
Injected inject(const Workload& workload, const Injection& injection, const std::vector<std::string>& containers = {}) {
    Injected injected = inject_into(workload, choose_containers(workload, containers), injection, always_exists);
    std::vector<Edit> recorded;
    for (const Edit& edit : injected.edits) recorded.push_back(Edit::from_json(Json::parse(edit.json().dump())));
    const Json undone = undo_all(injected.object, recorded, library_path(injection));
    EXPECT_EQ(undone, workload.object) << Json::diff(workload.object, undone);
    EXPECT_TRUE(has_edited_values(injected.object, injected.edits));
    return injected;
}

std::vector<std::string> names_in(const Json& object, const Path& list) {
    std::vector<std::string> names;
    const Json* items = find(object, list);
    for (const Json& item : items ? *items : Json::array()) names.push_back(text_at(item, {"name"}));
    return names;
}

Json at(const Json& object, const Path& path) {
    const Json* found = find(object, path);
    return found ? *found : Json();
}

TEST(Injection, InjectsADeployment) {
    const Workload workload = plain_deployment();
    const Json object = inject(workload, binary_injection()).object;
    EXPECT_EQ(at(object, kMainContainer / "env"), Json::parse(R"([
        {"name": "LD_PRELOAD", "value": "/cudafault/library/libcudafault.so"},
        {"name": "CUDAFAULT_PLAN_FILE", "value": "/cudafault/plan/plan"},
        {"name": "CUDAFAULT_LOG", "value": "/proc/1/fd/2"},
        {"name": "CUDAFAULT_NODE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}},
        {"name": "CUDAFAULT_POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "CUDAFAULT_POD_UID", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}},
        {"name": "CUDAFAULT_INJECTION", "value": "ab12.1"}])"));
    EXPECT_EQ(at(object, kMainContainer / "volumeMounts"), Json::parse(R"([
        {"name": "cudafault-plan", "mountPath": "/cudafault/plan", "readOnly": true},
        {"name": "cudafault-library", "mountPath": "/cudafault/library", "readOnly": true}])"));
    const Json volumes = {
        {{"name", "cudafault-plan"},
         {"configMap", {{"name", "cudafault-plan-" + workload.hash()}, {"optional", true}}}},
        {{"name", "cudafault-library"},
         {"configMap", {{"name", "cudafault-library-" + workload.hash() + "-amd64"}, {"optional", true}}}}};
    EXPECT_EQ(at(object, kPodSpec / "volumes"), volumes);
    EXPECT_THAT(text_at(object, {"metadata", "annotations", names::kInjected}),
                StartsWith("run=ab12 edition=1 rest=["));
    EXPECT_EQ(at(object, kPodSpec / "initContainers"), Json());
    EXPECT_EQ(at(object, kPodSpec / "affinity"), Json());
}

TEST(Injection, DoesNotChangeTheSidecar) {
    const Workload workload = plain_deployment();
    const Path sidecar = (kPodSpec / "containers").item("side");
    EXPECT_EQ(at(inject(workload, binary_injection()).object, sidecar), at(workload.object, sidecar));
    EXPECT_EQ(names_in(inject(workload, binary_injection(), {"side"}).object, kMainContainer / "env").size(), 0u);
}

TEST(Injection, AppendsToExistingLists) {
    const Json containers = Json::parse(R"([{"name": "main", "resources": {"limits": {"nvidia.com/gpu": 1}},
        "env": [{"name": "LD_PRELOAD", "value": "/user.so"}, {"name": "A", "value": "1"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}])");
    const Workload workload = deployment_of_pod({{"containers", containers}, {"volumes", {{{"name", "data"}}}}});
    const Json object = inject(workload, binary_injection()).object;
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item("LD_PRELOAD") / "value"),
              std::string(kBinaryLibrary) + ":/user.so");
    EXPECT_EQ(names_in(object, kMainContainer / "env").at(1), "A");
    EXPECT_EQ(names_in(object, kMainContainer / "volumeMounts").at(0), "data");
    EXPECT_EQ(names_in(object, kPodSpec / "volumes"),
              (std::vector<std::string>{"data", "cudafault-plan", "cudafault-library"}));
}

TEST(Injection, RestoresOriginalValuesOfFieldsWithCudafaultNames) {
    const Json containers = Json::parse(R"([{"name": "main", "resources": {"limits": {"nvidia.com/gpu": 1}},
        "env": [{"name": "CUDAFAULT_LOG", "value": "/user.log"}],
        "volumeMounts": [{"name": "old", "mountPath": "/cudafault/plan"}]}])");
    const Json object =
        inject(deployment_of_pod({{"containers", containers}, {"volumes", {{{"name", "cudafault-plan"}}}}}),
               binary_injection())
            .object;
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item("CUDAFAULT_LOG") / "value"), "/proc/1/fd/2");
}

TEST(Injection, RestoresNullLists) {
    Workload workload = plain_deployment();
    (*find(workload.object, kPodSpec))["volumes"] = nullptr;
    (*find(workload.object, kMainContainer))["env"] = nullptr;
    (*find(workload.object, kMainContainer))["volumeMounts"] = Json::array();
    workload.object["metadata"]["annotations"] = nullptr;
    EXPECT_EQ(names_in(inject(workload, binary_injection()).object, kPodSpec / "volumes").size(), 2u);
}

TEST(Injection, DoesNotChangeTheFrontendOfAV1beta1Graph) {
    const Json spec = Json::parse(R"({"env": [{"name": "LD_PRELOAD", "value": "/graph.so"}], "components": [
        {"name": "Frontend", "type": "frontend", "podTemplate": {"spec": {"containers": [{"name": "main"}]}}},
        {"name": "decode", "type": "worker", "podTemplate": {"spec": {"containers": [
            {"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}}}]})");
    const Workload workload =
        workload_with("nvidia.com", "v1beta1", "DynamoGraphDeployment", "dynamographdeployments", spec);
    const Json object = inject(workload, binary_injection()).object;
    const Path components = {"spec", "components"};
    const Path decode = components.item("decode") / "podTemplate" / "spec";
    EXPECT_EQ(at(object, components.item("Frontend")), at(workload.object, components.item("Frontend")));
    EXPECT_EQ(text_at(object, ((decode / "containers").item("main") / "env").item("LD_PRELOAD") / "value"),
              std::string(kBinaryLibrary) + ":/graph.so");
    EXPECT_THAT(names_in(object, decode / "volumes"), ElementsAre("cudafault-plan", "cudafault-library"));
    EXPECT_EQ(at(object, {"spec", "env"}), at(workload.object, {"spec", "env"}));
}

TEST(Injection, LogsToStandardErrorIfContainersShareThePidNamespace) {
    for (const char* field : {"shareProcessNamespace", "hostPID"}) {
        const Json object = inject(deployment_of_pod({{field, true}}), binary_injection()).object;
        EXPECT_EQ(text_at(object, (kMainContainer / "env").item("CUDAFAULT_LOG") / "value"), "/dev/stderr") << field;
    }
}

TEST(Injection, UsesTheListOfHighestPrecedenceInAV1alpha1Graph) {
    const Json spec = Json::parse(R"({"services": {
        "Frontend": {"componentType": "frontend"},
        "Worker": {"componentType": "worker", "resources": {"limits": {"gpu": "1"}}}}})");
    const Workload workload =
        workload_with("nvidia.com", "v1alpha1", "DynamoGraphDeployment", "dynamographdeployments", spec);
    const Json object = inject(workload, binary_injection()).object;
    const Path worker = {"spec", "services", "Worker"};
    EXPECT_EQ(at(object, {"spec", "services", "Frontend"}), at(workload.object, {"spec", "services", "Frontend"}));
    EXPECT_EQ(text_at(object, (worker / "envs").item("LD_PRELOAD") / "value"), kBinaryLibrary);
    EXPECT_THAT(names_in(object, worker / "extraPodSpec" / "volumes"),
                ElementsAre("cudafault-plan", "cudafault-library"));
    EXPECT_THAT(names_in(object, worker / "extraPodSpec" / "mainContainer" / "volumeMounts"),
                ElementsAre("cudafault-plan", "cudafault-library"));
    EXPECT_EQ(at(object, worker / "extraPodSpec" / "mainContainer" / "env"), Json());
}

TEST(Injection, InjectsOnlyChosenTemplates) {
    const Workload workload = workload_with(
        "leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet", "leaderworkersets",
        {{"leaderWorkerTemplate", {{"leaderTemplate", gpu_template()}, {"workerTemplate", gpu_template("worker")}}}});
    const Path templates = {"spec", "leaderWorkerTemplate"};
    const Path leader = templates / "leaderTemplate" / "spec" / "volumes";
    const Path worker = templates / "workerTemplate" / "spec" / "volumes";
    const Json injected_both = inject(workload, binary_injection()).object;
    EXPECT_EQ(names_in(injected_both, leader).size(), 2u);
    EXPECT_EQ(names_in(injected_both, worker).size(), 2u);
    const Json injected_worker = inject(workload, binary_injection(), {"worker/*"}).object;
    EXPECT_THAT(names_in(injected_worker, leader), IsEmpty());
    EXPECT_EQ(names_in(injected_worker, worker).size(), 2u);
}

TEST(Injection, UsesPlatformPathsForSeveralArchitectures) {
    Injection injection = binary_injection();
    injection.architectures = {Architecture::kX86_64, Architecture::kAarch64};
    const Workload workload = plain_deployment();
    const Json object = inject(workload, injection).object;
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item("LD_PRELOAD") / "value"),
              "/cudafault/library/$PLATFORM/libcudafault.so");
    const Json sources = at(object, (kPodSpec / "volumes").item("cudafault-library") / "projected" / "sources");
    ASSERT_EQ(sources.size(), 2u);
    std::vector<std::string> paths;
    for (const Json& source : sources) {
        EXPECT_EQ(at(source, {"configMap", "optional"}), true);
        for (const Json& item : at(source, {"configMap", "items"})) paths.push_back(text_at(item, {"path"}));
    }
    EXPECT_EQ(text_at(sources[1], {"configMap", "name"}), "cudafault-library-" + workload.hash() + "-arm64");
    EXPECT_THAT(paths, ElementsAre("x86_64/libcudafault.so", "haswell/libcudafault.so", "xeon_phi/libcudafault.so",
                                   "aarch64/libcudafault.so"));
}

TEST(Injection, ImageDeliveryMountsNoLibrary) {
    Injection injection = binary_injection();
    injection.delivery = Delivery::kImage;
    injection.image_library = "/opt/libcudafault.so";
    const Json object = inject(plain_deployment(), injection).object;
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item("LD_PRELOAD") / "value"), "/opt/libcudafault.so");
    EXPECT_THAT(names_in(object, kPodSpec / "volumes"), ElementsAre("cudafault-plan"));
    EXPECT_THAT(names_in(object, kMainContainer / "volumeMounts"), ElementsAre("cudafault-plan"));
}

TEST(Injection, SourceDeliveryCompilesInThePod) {
    const Workload workload = deployment_of_pod({{"initContainers", {{{"name", "users"}}}}});
    const Json object = inject(workload, source_injection()).object;
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item("LD_PRELOAD") / "value"), names::kCompiledLibrary);
    EXPECT_THAT(names_in(object, kPodSpec / "volumes"),
                ElementsAre("cudafault-plan", "cuda-fault-lib-source", "cuda-fault-lib"));
    EXPECT_THAT(names_in(object, kMainContainer / "volumeMounts"), ElementsAre("cudafault-plan", "cuda-fault-lib"));
    EXPECT_THAT(names_in(object, kPodSpec / "initContainers"), ElementsAre("users", "compile-cuda-fault-lib"));
    const Json compiler = at(object, (kPodSpec / "initContainers").item(names::kCompileContainer));
    EXPECT_EQ(text_at(compiler, {"image"}), "gcc:13.3.0");
    const std::string script = compiler.at("command").at(2);
    EXPECT_THAT(script, AllOf(HasSubstr("/source/fake_cuda_xid79.cpp"), HasSubstr(names::kCompiledLibrary),
                              HasSubstr("g++"), Not(HasSubstr("THIS_FILE"))));
    EXPECT_EQ(text_at(compiler, Path{"env"}.item("TMPDIR") / "value"), "/cuda-fault");
}

Json compiler_context(const Json& pod_spec) {
    const Json object = inject(deployment_of_pod(pod_spec), source_injection()).object;
    return at(object, (kPodSpec / "initContainers").item(names::kCompileContainer) / "securityContext");
}

TEST(Injection, CompileContainerMeetsTheRestrictedProfile) {
    EXPECT_EQ(compiler_context(Json::object()),
              Json::parse(R"({"runAsUser": 65534, "runAsGroup": 65534, "runAsNonRoot": true,
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"}})"));
}

TEST(Injection, CompileContainerUsesTheUserOfTheContainerOrPod) {
    const Json pod_settings = {{"securityContext", {{"runAsUser", 1000}, {"runAsGroup", 2000}}}};
    EXPECT_EQ(compiler_context(pod_settings).at("runAsUser"), 1000);
    EXPECT_EQ(compiler_context(pod_settings).at("runAsGroup"), 2000);
    Json pod_and_container_settings = pod_settings;
    pod_and_container_settings["containers"] = Json::array({gpu_container("main")});
    pod_and_container_settings["containers"][0]["securityContext"] = {{"runAsUser", 1001}};
    EXPECT_EQ(compiler_context(pod_and_container_settings).at("runAsUser"), 1001);
    EXPECT_EQ(compiler_context(pod_and_container_settings).at("runAsGroup"), 2000);
    const Json root = compiler_context({{"securityContext", {{"runAsUser", 0}}}});
    EXPECT_EQ(root.at("runAsGroup"), 0);
    EXPECT_EQ(root.at("runAsNonRoot"), false);
}

Json pinned_terms(const Json& pod_spec) {
    Injection injection = binary_injection();
    injection.pin_label = "n1";
    return at(inject(deployment_of_pod(pod_spec), injection).object,
              kPodSpec / "affinity" / "nodeAffinity" / "requiredDuringSchedulingIgnoredDuringExecution" /
                  "nodeSelectorTerms");
}

const Json kPin = Json::parse(R"({"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]})");

TEST(Injection, PinsToANode) {
    EXPECT_EQ(pinned_terms(Json::object()), Json::array({{{"matchExpressions", Json::array({kPin})}}}));
}

TEST(Injection, PinsEveryNodeSelectorTerm) {
    const Json terms = Json::parse(R"([
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n7"]}]}])");
    const Json affinity = {
        {"nodeAffinity", {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", terms}}}}},
        {"podAntiAffinity", {{"preferredDuringSchedulingIgnoredDuringExecution", Json::array()}}}};
    Json expected = terms;
    expected[0]["matchExpressions"].push_back(kPin);
    expected[1]["matchExpressions"] = Json::array({kPin});
    EXPECT_EQ(pinned_terms({{"affinity", affinity}}), expected);
}

struct Strategy {
    const char* kind;
    const char* before;
    const char* after;
};

Json changed_strategy(const Strategy& strategy, const std::string& pin = "") {
    const std::string kind = strategy.kind, field = kind == "Deployment" ? "strategy" : "updateStrategy";
    Json spec = {{"replicas", 8}, {"template", gpu_template()}};
    const Json before = Json::parse(strategy.before);
    if (!before.is_null()) spec[field] = before;
    Injection injection = binary_injection();
    injection.pin_label = pin;
    const Json object =
        inject(workload_with("apps", "v1", kind, kind == "Deployment" ? "deployments" : "x", spec), injection).object;
    return object.at("spec").value(field, Json());
}

TEST(Injection, ForbidsSurge) {
    const std::vector<Strategy> strategies = {
        {"Deployment", "null", R"({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}})"},
        {"Deployment", R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "50%"}})",
         R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 4}})"},
        {"Deployment", R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})",
         R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})"},
        {"Deployment", R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 3}})",
         R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 3}})"},
        {"Deployment", R"({"type": "Recreate"})", R"({"type": "Recreate"})"},
        {"DaemonSet", R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})",
         R"({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})"},
        {"DaemonSet", R"({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}})",
         R"({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}})"},
        {"DaemonSet", R"({"type": "OnDelete"})", R"({"type": "OnDelete"})"},
        {"StatefulSet", R"({"rollingUpdate": {"maxSurge": 1}})", R"({"rollingUpdate": {"maxSurge": 1}})"},
    };
    for (const Strategy& strategy : strategies) {
        EXPECT_EQ(changed_strategy(strategy), Json::parse(strategy.after)) << strategy.kind << strategy.before;
    }
}

TEST(Injection, ReplacesAllPinnedPodsTogether) {
    const Json all_unavailable = Json::parse(R"({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}})");
    for (const char* before : {"null", R"({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})"}) {
        EXPECT_EQ(changed_strategy({"Deployment", before, ""}, "n1"), all_unavailable) << before;
    }
    EXPECT_EQ(changed_strategy({"Deployment", R"({"type": "Recreate"})", ""}, "n1"), Json({{"type", "Recreate"}}));
}

TEST(Injection, RestoresTheStrategyAfterTheRollout) {
    const Workload workload = deployment_with(
        {{"replicas", 2},
         {"revisionHistoryLimit", 3},
         {"template", gpu_template()},
         {"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", 1}, {"maxUnavailable", 0}}}}}});
    const Injected injected = inject(workload, binary_injection());
    const Json with_restored_template =
        undo(injected.object, injected.edits, Phase::kWithTemplate, kBinaryLibrary).object;
    EXPECT_EQ(with_restored_template.at("spec").at("template"), workload.object.at("spec").at("template"));
    EXPECT_EQ(with_restored_template.at("metadata"), workload.object.at("metadata"));
    EXPECT_EQ(at(with_restored_template, {"spec", "strategy", "rollingUpdate", "maxSurge"}), 0);
    EXPECT_EQ(at(with_restored_template, {"spec", "revisionHistoryLimit"}), 13);
}

TEST(Injection, KeepsExistingRevisionsInTheHistory) {
    Workload workload = plain_deployment();
    EXPECT_EQ(at(inject(workload, binary_injection()).object, {"spec", "revisionHistoryLimit"}), Json());
    workload.object["spec"]["revisionHistoryLimit"] = 0;
    EXPECT_EQ(at(inject(workload, binary_injection()).object, {"spec", "revisionHistoryLimit"}), 10);
}

TEST(Injection, SetsContractVariablesOnRequest) {
    Injection injection = binary_injection();
    injection.contract = ContractVariables{94, false};
    const Json object = inject(plain_deployment(), injection).object;
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item(names::kContractEnabled) / "value"), "0");
    EXPECT_EQ(text_at(object, (kMainContainer / "env").item(names::kContractXid) / "value"), "94");
    EXPECT_THAT(names_in(inject(plain_deployment(), binary_injection()).object, kMainContainer / "env"),
                Not(testing::Contains(names::kContractXid)));
}

TEST(Injection, IsIdempotent) {
    const Workload workload = plain_deployment();
    EXPECT_EQ(inject(workload, binary_injection()).object, inject(workload, binary_injection()).object);
    Workload injected = workload;
    injected.object = inject(workload, binary_injection()).object;
    Injection second = binary_injection();
    EXPECT_TRUE(has_edited_values(injected.object, inject(workload, second).edits));
    second.contract = ContractVariables{};
    EXPECT_FALSE(has_edited_values(injected.object, inject(workload, second).edits));
}

}  // namespace

}  // namespace cudafault::kube
