// SPDX-License-Identifier: Apache-2.0
#include "kube/record/strip.hpp"

#include <gtest/gtest.h>

#include "kube/testing/injection_testing.hpp"

namespace cudafault::kube {

namespace {

Json spec_with(const Json& env) {
    const Json container = {{"name", "main"}, {"env", env}};
    Json spec;
    spec["containers"] = Json::array({container});
    return spec;
}

Json stripped(Json object, const std::string& pin = "") {
    EXPECT_TRUE(strip(object, pin));
    Json stripped_again = object;
    EXPECT_FALSE(strip(stripped_again, pin));
    EXPECT_EQ(stripped_again, object);
    return object;
}

TEST(Strip, KeepsOtherVariables) {
    Json object = spec_with({variable("LD_PRELOAD", "/opt/a.so"), variable("CUDA_HOME", "/usr")});
    const Json before = object;
    EXPECT_FALSE(strip(object, ""));
    EXPECT_EQ(object, before);
}

TEST(HasInjection, IsFalseForVariablesOfTheWorkloadAuthor) {
    EXPECT_FALSE(has_injection(
        spec_with({variable("LD_PRELOAD", "/opt/cudafault/libcudafault.so"), variable("CUDAFAULT_SIM_MEMORY", "1G"),
                   variable("CUDA_FAULT_INJECTION_ENABLED", "1")})));
    EXPECT_TRUE(has_injection(spec_with({variable("A", "1"), variable("CUDAFAULT_INJECTION", "ab12.1")})));
    for (const char* list : {"volumes", "volumeMounts"}) {
        const Json item = {{"name", "cudafault-plan"}};
        EXPECT_TRUE(has_injection({{"template", {{list, Json::array({item})}}}})) << list;
    }
    const Json compiler = {{"name", "compile-cuda-fault-lib"}};
    EXPECT_TRUE(has_injection({{"initContainers", Json::array({compiler})}}));
}

TEST(Strip, RemovesVariablesVolumesAndTheLibrary) {
    Json object = spec_with({variable("LD_PRELOAD", "/cudafault/library/$PLATFORM/libcudafault.so:/opt/a.so"),
                             variable("A", "1"), variable("CUDAFAULT_NODE", "n")});
    const Json added = {{"name", "cudafault-plan"}}, original = {{"name", "original"}};
    object["volumes"] = Json::array({added, original});
    Json expected = spec_with({variable("LD_PRELOAD", "/opt/a.so"), variable("A", "1")});
    expected["volumes"] = Json::array({original});
    EXPECT_EQ(stripped(object), expected);
}

TEST(Strip, RemovesFieldsThatBecomeEmpty) {
    const Json object = spec_with(Json::array({variable("LD_PRELOAD", "/images/own/libcudafault.so")}));
    Json expected = object;
    expected["containers"][0].erase("env");
    EXPECT_EQ(stripped(object), expected);
}

TEST(Strip, RestoresTheSourceOfTheOriginalPreload) {
    const Json source = {{"configMapKeyRef", {{"name", "settings"}, {"key", "preload"}}}};
    const Json helper = {{"name", "CUDAFAULT_LD_PRELOAD"}, {"valueFrom", source}};
    const Json original = {{"name", "LD_PRELOAD"}, {"valueFrom", source}};
    const Json added = variable("LD_PRELOAD", "/cuda-fault/fake_cuda_xid79.so:$(CUDAFAULT_LD_PRELOAD)");
    EXPECT_EQ(stripped(spec_with(Json::array({helper, added}))), spec_with(Json::array({original})));
}

TEST(Strip, RemovesAPreloadThatOnlyRefersToItself) {
    const Json object =
        spec_with({variable("A", "1"), variable("LD_PRELOAD", "/cudafault/library/libcudafault.so:$(LD_PRELOAD)")});
    EXPECT_EQ(stripped(object), spec_with(Json::array({variable("A", "1")})));
}

Json affinity(const Json& expressions) {
    Json object, term;
    term["matchExpressions"] = expressions;
    object["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] =
        Json::array({term});
    return object;
}

TEST(Strip, RemovesATermThatHadOnlyThePin) {
    Json pin = {{"key", "kubernetes.io/hostname"}, {"operator", "In"}};
    pin["values"] = Json::array({"n7"});
    const Json zone = {{"key", "zone"}, {"operator", "Exists"}};
    EXPECT_EQ(stripped(affinity(Json::array({pin})), "n7"), Json::object());
    EXPECT_EQ(stripped(affinity(Json::array({zone, pin})), "n7"), affinity(Json::array({zone})));
    Json pinned = affinity(Json::array({pin}));
    EXPECT_FALSE(strip(pinned, "n8"));
}

// Injects and strips the workload. An update strategy and a history limit cannot be distinguished from original values.
void expect_original(const Workload& workload, const Injection& injection) {
    const Json injected = inject_into(workload, choose_containers(workload, {}), injection, always_exists).object;
    ASSERT_NE(injected, workload.object);
    Json expected = workload.object;
    for (const char* field : {"strategy", "revisionHistoryLimit"}) {
        if (injected["spec"].contains(field)) expected["spec"][field] = injected["spec"][field];
    }
    const Json result = stripped(injected, injection.pin_label);
    EXPECT_EQ(result, expected) << Json::diff(expected, result);
}

Workload with_preload(const char* container) {
    Json json = gpu_container("main");
    json.merge_patch(Json::parse(container));
    return deployment_of_pod({{"containers", {json}}});
}

TEST(Strip, RestoresTheOriginal) {
    Injection injection = binary_injection();
    expect_original(plain_deployment(), injection);
    injection.architectures = {Architecture::kX86_64, Architecture::kAarch64};
    injection.contract = ContractVariables{};
    expect_original(plain_deployment(), injection);
    expect_original(plain_deployment(), source_injection());
    expect_original(deployment_of_pod({{"initContainers", {{{"name", "users"}}}}, {"volumes", {{{"name", "data"}}}}}),
                    source_injection());
    expect_original(deployment_with({{"revisionHistoryLimit", 2}, {"template", gpu_template()}}), binary_injection());
}

TEST(Strip, RestoresAGraph) {
    const Json spec = Json::parse(R"({"services": {"Frontend": {"componentType": "frontend"},
        "Worker": {"componentType": "worker", "resources": {"limits": {"gpu": "1"}}}}})");
    expect_original(workload_with("nvidia.com", "v1alpha1", "DynamoGraphDeployment", "dynamographdeployments", spec),
                    source_injection());
}

TEST(Strip, RestoresTheOriginalPreload) {
    for (const char* container : {
             R"({"env": [{"name": "LD_PRELOAD", "value": "/user.so"}]})",
             R"({"env": [{"name": "LD_PRELOAD", "value": "/a.so /b.so:/c.so"}, {"name": "A", "value": "1"}]})",
             R"({"env": [{"name": "LD_PRELOAD", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]})",
             R"({"envFrom": [{"configMapRef": {"name": "c"}}]})",
         }) {
        SCOPED_TRACE(container);
        expect_original(with_preload(container), binary_injection());
        expect_original(with_preload(container), source_injection());
    }
}

TEST(Strip, KeepsAnEmptyPreloadOfAnotherContainer) {
    Json side = {{"name", "side"}, {"env", {{{"name", "LD_PRELOAD"}, {"value", ""}}}}};
    expect_original(deployment_of_pod({{"containers", {gpu_container("main"), side}}}), binary_injection());
}

TEST(Strip, RemovesThePin) {
    Injection injection = binary_injection();
    injection.pin_label = "n1";
    expect_original(plain_deployment(), injection);
    const Json affinity = Json::parse(R"({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
        {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1", "n2"]}],
             "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]}}})");
    expect_original(deployment_of_pod({{"affinity", affinity}}), injection);
}

TEST(Strip, KeepsSimilarNames) {
    const Json foreign = Json::parse(R"({
        "metadata": {"name": "web", "annotations": {}, "labels": {"cudafault": "yes", "x.cudafault.dev/a": "b"}},
        "spec": {"empty": [], "none": null, "template": {"spec": {
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]}]}}},
            "initContainers": [{"name": "compile", "args": ["/cuda-fault/fake_cuda_xid79.so"]}],
            "containers": [{"name": "cudafault-plan", "image": "cudafault-library", "emptyDir": {},
                "env": [{"name": "LD_PRELOAD", "value": "/opt/libcudafault.so.1:/x"},
                        {"name": "MY_CUDAFAULT_LOG", "value": "1"}, {"name": "CUDA_VISIBLE_DEVICES", "value": "0"}],
                "volumeMounts": [{"name": "cudafault-plans", "mountPath": "/cudafault/plan"}]}],
            "volumes": [{"name": "cudafault-plans", "emptyDir": {}}]}}}})");
    Json object = foreign;
    EXPECT_FALSE(strip(object, ""));
    EXPECT_EQ(object, foreign);
}

TEST(Strip, KeepsLaterChangesByOtherClients) {
    const Workload workload = plain_deployment();
    Json injected = inject_into(workload, choose_containers(workload, {}), binary_injection(), always_exists).object;
    Json expected = workload.object;
    for (Json* object : {&injected, &expected}) {
        (*find(*object, kPodSpec))["volumes"].push_back({{"name", "users"}});
        (*find(*object, kMainContainer))["env"].push_back({{"name", "THEIRS"}, {"value", "t"}});
    }
    EXPECT_EQ(stripped(injected)["spec"]["template"], expected["spec"]["template"]);
}

}  // namespace

}  // namespace cudafault::kube
