// SPDX-License-Identifier: Apache-2.0
#include "kube/audit/traces.hpp"

#include <gmock/gmock.h>

#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Resource kTracedResource{"apps", "v1", "deployments", "deployment", "Deployment", true, {}, {}, {}};
const Resource kConfigMapResource{"", "v1", "configmaps", "configmap", "ConfigMap", true, {}, {}, {}};
const Resource kLeaseResource{"coordination.k8s.io", "v1", "leases", "lease", "Lease", true, {}, {}, {}};
const Resource kRevisions{"apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision", true, {},
                          {},     {}};
const Resource kNodeResource{"", "v1", "nodes", "node", "Node", false, {}, {}, {}};

Json traced_web(const Json& container = Json::object()) {
    Json object = {
        {"metadata", {{"name", "web"}, {"namespace", "prod"}, {"labels", {{"app", "web"}}}}},
        {"spec", {{"template", {{"spec", {{"containers", {{{"name", "main"}, {"image", "cuda-fault-free"}}}}}}}}}}};
    object["spec"]["template"]["spec"]["containers"][0].update(container);
    return object;
}

// Returns each trace as "path: what".
std::vector<std::string> trace_texts(const Resource& resource, const Json& object) {
    std::vector<std::string> texts;
    for (const Trace& trace : traces_of(resource, object)) texts.push_back(trace.path + ": " + trace.description);
    return texts;
}

std::vector<std::string> traces_in_container(const Json& container) {
    return trace_texts(kTracedResource, traced_web(container));
}

const std::string kMainText = "spec.template.spec.containers[main]";

TEST(Traces, FindsNoneInAnObjectWithoutCudafault) {
    EXPECT_THAT(
        traces_in_container({{"env",
                              {{{"name", "LD_PRELOAD"}, {"value", "/opt/lib/libjemalloc.so:/x/libcudafaulty.so"}},
                               {{"name", "CUDA_VISIBLE_DEVICES"}, {"value", "0"}}}}}),
        IsEmpty());
}

TEST(Traces, FindsAnnotationsAndLabels) {
    Json object = traced_web();
    object["metadata"]["annotations"] = {{names::kInjected, "run=ab edition=1"}, {"other.dev/x", "y"}};
    object["metadata"]["labels"] = {{names::kManagedBy, "cudafault"}, {names::kWorkload, "0123456789"}};
    EXPECT_THAT(trace_texts(kTracedResource, object),
                UnorderedElementsAre("metadata.annotations[cudafault.dev/injected]: annotation cudafault.dev/injected",
                                     "metadata.labels[app.kubernetes.io/managed-by]: label "
                                     "app.kubernetes.io/managed-by=cudafault",
                                     "metadata.labels[cudafault.dev/workload]: label cudafault.dev/workload"));
    EXPECT_THAT(hashes_of(traces_of(kTracedResource, object)), ElementsAre("0123456789"));
}

TEST(Traces, AnotherManagedByLabelIsNotATrace) {
    Json object = traced_web();
    object["metadata"]["labels"][names::kManagedBy] = "Helm";
    EXPECT_THAT(trace_texts(kTracedResource, object), IsEmpty());
}

TEST(Traces, FindsEnvironmentVariables) {
    EXPECT_THAT(traces_in_container({{"env",
                                      {{{"name", "CUDAFAULT_PLAN_FILE"}, {"value", "x"}},
                                       {{"name", "CUDA_XID_TYPE"}, {"value", "79"}},
                                       {{"name", "CUDA_FAULT_INJECTION_ENABLED"}, {"value", "1"}}}}}),
                ElementsAre(kMainText + ".env[CUDAFAULT_PLAN_FILE]: environment variable CUDAFAULT_PLAN_FILE",
                            kMainText + ".env[CUDA_XID_TYPE]: environment variable CUDA_XID_TYPE",
                            kMainText + ".env[CUDA_FAULT_INJECTION_ENABLED]: environment variable "
                                        "CUDA_FAULT_INJECTION_ENABLED"));
}

TEST(Traces, FindsTheLibraryInLdPreload) {
    for (const char* value : {"/cudafault/library/libcudafault.so", "/opt/x.so:/cuda-fault/fake_cuda_xid79.so",
                              "/a.so /opt/libcudafault.so", "/cudafault/library/$PLATFORM/libcudafault.so",
                              "/a.so:$(CUDAFAULT_LD_PRELOAD)"}) {
        EXPECT_THAT(traces_in_container({{"env", {{{"name", "LD_PRELOAD"}, {"value", value}}}}}),
                    ElementsAre(kMainText + ".env[LD_PRELOAD]: library in LD_PRELOAD"))
            << value;
    }
}

TEST(Traces, FindsVolumesAndMounts) {
    Json object = traced_web({{"volumeMounts",
                               {{{"name", "cudafault-plan"}, {"mountPath", "/cudafault/plan"}},
                                {{"name", "own"}, {"mountPath", "/cuda-fault"}},
                                {{"name", "own"}, {"mountPath", "/cuda-faults"}}}}});
    object["spec"]["template"]["spec"]["volumes"] = {
        {{"name", "cudafault-plan"}, {"configMap", {{"name", "cudafault-plan-0123456789"}}}},
        {{"name", "cuda-fault-lib-source"}, {"configMap", {{"name", "cuda-fault-injection-lib"}}}},
        {{"name", "own"}, {"configMap", {{"name", "cudafault-notes"}}}}};
    const std::string spec = "spec.template.spec.";
    EXPECT_THAT(trace_texts(kTracedResource, object),
                UnorderedElementsAre(
                    kMainText + ".volumeMounts[/cudafault/plan]: volume mount /cudafault/plan",
                    spec + "volumes[cudafault-plan]: volume cudafault-plan",
                    spec + "volumes[cudafault-plan].configMap.name: reference to ConfigMap cudafault-plan-0123456789",
                    spec + "volumes[cuda-fault-lib-source]: volume cuda-fault-lib-source",
                    spec + "volumes[cuda-fault-lib-source].configMap.name: reference to ConfigMap "
                           "cuda-fault-injection-lib"));
}

TEST(Traces, FindsTheInitContainer) {
    Json object = traced_web();
    object["spec"]["template"]["spec"]["initContainers"] = {{{"name", "compile-cuda-fault-lib"}}};
    EXPECT_THAT(trace_texts(kTracedResource, object),
                ElementsAre("spec.template.spec.initContainers[compile-cuda-fault-lib]: "
                            "init container compile-cuda-fault-lib"));
}

TEST(Traces, FindsOnlyTheFieldManagerInManagedFields) {
    Json object = traced_web();
    object["metadata"]["managedFields"] = {
        {{"manager", "kubectl"}, {"fieldsV1", {{"f:cudafault.dev/x", Json::object()}}}},
        {{"manager", "cudafault"}, {"fieldsV1", {{"k:{\"name\":\"CUDAFAULT_NODE\"}", Json::object()}}}}};
    const auto traces = traces_of(kTracedResource, object);
    ASSERT_EQ(traces.size(), 1u);
    EXPECT_EQ(traces[0].sentence(),
              "deployment.apps/web in namespace prod has the field manager cudafault at "
              "metadata.managedFields[cudafault]");
    EXPECT_TRUE(traces[0].is_manager);
}

TEST(Traces, FindsNamesOfConfigMapsAndLeases) {
    const auto named = [](const Resource& resource, const std::string& name) {
        return traces_of(resource, {{"metadata", {{"name", name}}}});
    };
    for (const char* name : {"cudafault-anchor-0123456789", "cudafault-plan-0123456789", "cuda-fault-injection-lib",
                             "cudafault-library-0123456789-x86-64"}) {
        EXPECT_EQ(named(kConfigMapResource, name).size(), 1u) << name;
        EXPECT_THAT(named(kTracedResource, name), IsEmpty()) << name;
    }
    for (const char* name : {"cudafault-plan-abc", "cudafault-notes", "cudafault-plan-0123456789ab", "plan"}) {
        EXPECT_THAT(named(kConfigMapResource, name), IsEmpty()) << name;
    }
    EXPECT_EQ(named(kLeaseResource, "cudafault-0123456789").at(0).hash, "0123456789");
    EXPECT_THAT(named(kLeaseResource, "cudafault-operator"), IsEmpty());
}

TEST(Traces, IgnoresTheDataOfConfigMaps) {
    EXPECT_THAT(trace_texts(kConfigMapResource, {{"metadata", {{"name", "docs"}}},
                                                 {"data", {{"CUDAFAULT_NODE", "cudafault.dev/injected"}}}}),
                IsEmpty());
}

TEST(Traces, FindsNamesInAControllerRevision) {
    EXPECT_THAT(
        trace_texts(kRevisions, {{"metadata", {{"name", "db-1"}}},
                                 {"data", {{"spec", {{"template", {{"env", {{{"name", "CUDA_XID_TYPE"}}}}}}}}}}}),
        ElementsAre("data.spec.template.env[CUDA_XID_TYPE]: environment variable CUDA_XID_TYPE"));
}

TEST(Traces, FindsNamesInACopyKeptByAnOperator) {
    Json object = traced_web();
    const std::string copy = Json{{"spec", {{"env", {{{"name", "CUDAFAULT_NODE"}}}}}}}.dump();
    object["metadata"]["annotations"]["acme.com/last-spec"] = copy;
    EXPECT_THAT(trace_texts(kTracedResource, object),
                ElementsAre("metadata.annotations[acme.com/last-spec].spec.env"
                            "[CUDAFAULT_NODE]: environment variable CUDAFAULT_NODE"));
    object["metadata"]["annotations"] = {{"kubectl.kubernetes.io/last-applied-configuration", copy}};
    EXPECT_THAT(trace_texts(kTracedResource, object), IsEmpty()) << "the workload author applied that copy";
}

TEST(Traces, FindsNoneInATerminatingPod) {
    const Resource pods{"", "v1", "pods", "pod", "Pod", true, {}, {}, {}};
    Json pod = {{"metadata", {{"name", "web-1"}}}, {"spec", {{"volumes", {{{"name", "cudafault-plan"}}}}}}};
    EXPECT_EQ(trace_texts(pods, pod).size(), 1u);
    pod["metadata"]["deletionTimestamp"] = "2026-11-24T13:00:00Z";
    EXPECT_THAT(trace_texts(pods, pod), IsEmpty());
}

TEST(Traces, IgnoresTheStatus) {
    Json object = traced_web();
    object["status"] = {{"volumes", {{{"name", "cudafault-plan"}}}}};
    EXPECT_THAT(trace_texts(kTracedResource, object), IsEmpty());
}

TEST(Traces, FindsTheCordonOfANode) {
    EXPECT_THAT(trace_texts(kNodeResource, {{"metadata", {{"name", "n1"}, {"annotations", {{names::kCordon, "{}"}}}}}}),
                ElementsAre("metadata.annotations[cudafault.dev/cordon]: annotation cudafault.dev/cordon"));
}

TEST(Traces, AcceptsMalformedData) {
    for (const char* text :
         {"null", "[]", "3", "\"CUDAFAULT_X\"", R"({"metadata": 3})",
          R"({"metadata": {"name": 3, "managedFields": {}}})",
          R"({"metadata": {"managedFields": [null, 3, {"manager": 4}], "annotations": {"a": "{cudafault"}}})",
          R"({"spec": [[], [null], {"name": {}, "mountPath": 3}], "status": {"name": "cudafault-plan"}})"}) {
        EXPECT_THAT(traces_of(kTracedResource, Json::parse(text)), IsEmpty()) << text;
    }
}

}  // namespace

}  // namespace cudafault::kube
