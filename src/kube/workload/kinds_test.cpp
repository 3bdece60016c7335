// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/kinds.hpp"

#include <gmock/gmock.h>

#include <set>

#include "kube/testing/workload_testing.hpp"

namespace cudafault::kube {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Resource resource(const std::string& group, const std::string& kind) {
    Resource resource;
    resource.group = group;
    resource.version = kind_of(group, kind)->versions.front();
    resource.kind = kind;
    resource.plural = "things";
    return resource;
}

Workload workload(const std::string& group, const std::string& kind, const Json& spec) {
    return workload_of(resource(group, kind), named("web", spec));
}

// Returns each container as "template: path", with a star if it has a GPU.
std::vector<std::string> containers_of(const Workload& workload) {
    std::vector<std::string> texts;
    for (const TemplateSite& site : workload.templates) {
        for (const ContainerSite& container : site.containers) {
            texts.push_back(site.name + ": " + container.container.text() + (container.has_gpu ? " *" : ""));
        }
    }
    return texts;
}

Replacement replacement(const std::string& group, const std::string& kind, const std::string& spec) {
    return workload(group, kind, Json::parse(spec)).replacement;
}

const Json kTemplate = gpu_template();
const Json kTemplateSpec = kTemplate["spec"];

TEST(Kinds, EachEntryIsUniqueAndComplete) {
    std::set<std::string> seen;
    for (const Kind& kind : kinds()) {
        EXPECT_TRUE(seen.insert(kind.group + "/" + kind.kind).second) << kind.kind;
        EXPECT_FALSE(kind.versions.empty()) << kind.kind;
        EXPECT_NE(kind.replacement, nullptr) << kind.kind;
        EXPECT_FALSE(kind.note.empty()) << kind.kind;
        EXPECT_EQ(kind.pod_search == PodSearch::kLabels, !kind.pod_labels.empty()) << kind.kind;
        EXPECT_FALSE(kind.support == Support::kPossible && kind.templates.empty()) << kind.kind;
    }
    EXPECT_EQ(kind_of("apps", "Deployments"), nullptr);
    EXPECT_EQ(kind_of("batch", "Job")->support, Support::kImmutable);
    EXPECT_THAT(kind_of("batch.volcano.sh", "Job")->note, HasSubstr("Volcano"));
}

TEST(Kinds, ToleratesMalformedObjects) {
    for (const Kind& kind : kinds()) {
        for (const char* text :
             {"null", "[]", "3", "{}", R"({"template": null})", R"({"template": {"spec": {"containers": [1, null]}}})",
              R"({"services": [], "components": {}})",
              R"({"services": {"a": 1}, "components": [null, 2, {"name": 3}]})",
              R"({"services": {"a": {"componentType": "worker", "extraPodSpec": [], "resources": 3}}})",
              R"({"services": {"a": {"componentType": ["worker"], "envs": {}}}})",
              R"({"components": [{"name": "a", "type": "worker", "podTemplate": "x"}]})",
              R"({"workerGroupSpecs": [{}, {"groupName": 1}], "headGroupSpec": 1, "updateStrategy": []})",
              R"({"template": {"cliques": [{"name": "a", "spec": []}]}, "leaderWorkerTemplate": 3})",
              R"({"selector": 3, "jobTemplate": {"spec": null}, "upgradeStrategy": {"type": 1}})"}) {
            const Json object = named("web", Json::parse(text));
            const Workload found = workload_of(resource(kind.group, kind.kind), object);
            for (const std::string& container : containers_of(found)) EXPECT_THAT(container, Not(HasSubstr("*")));
            const auto template_of = kind.template_of;
            EXPECT_EQ(template_of ? template_of(object, Json::parse(text)) : "", "") << kind.kind << text;
        }
    }
}

TEST(Kinds, FindsTemplateOfDeployment) {
    const Workload web = workload("apps", "Deployment", {{"template", kTemplate}});
    EXPECT_THAT(containers_of(web),
                ElementsAre(": spec.template.spec.containers[main] *", ": spec.template.spec.containers[side]"));
    EXPECT_EQ(web.replacement, Replacement::kRolling);
    EXPECT_THAT(web.refusal, IsEmpty());
    EXPECT_THAT(web.note, HasSubstr("replaces its pods"));
}

TEST(Kinds, DeterminesReplacementOfAppsKinds) {
    EXPECT_EQ(replacement("apps", "StatefulSet", "{}"), Replacement::kOrderedReady);
    EXPECT_EQ(replacement("apps", "StatefulSet", R"({"podManagementPolicy": "OrderedReady"})"),
              Replacement::kOrderedReady);
    EXPECT_EQ(replacement("apps", "StatefulSet", R"({"podManagementPolicy": "Parallel"})"), Replacement::kRolling);
    EXPECT_EQ(replacement("apps", "StatefulSet",
                          R"({"podManagementPolicy": "Parallel", "updateStrategy": {"type": "OnDelete"}})"),
              Replacement::kOnDelete);
    EXPECT_EQ(replacement("apps", "DaemonSet", "{}"), Replacement::kRolling);
    EXPECT_EQ(replacement("apps", "DaemonSet", R"({"updateStrategy": {"type": "OnDelete"}})"), Replacement::kOnDelete);
    EXPECT_EQ(replacement("apps", "ReplicaSet", "{}"), Replacement::kOnDelete);
}

TEST(Kinds, FindsTemplatesOfArgoAndKruiseKinds) {
    const Workload rollout = workload("argoproj.io", "Rollout", {{"template", kTemplate}});
    EXPECT_THAT(containers_of(rollout), testing::Contains(": spec.template.spec.containers[main] *"));
    EXPECT_EQ(rollout.replacement, Replacement::kRolling);
    EXPECT_THAT(rollout.note, AllOf(HasSubstr("blueGreen"), HasSubstr("promote")));
    const Workload clones = workload("apps.kruise.io", "CloneSet", {{"template", kTemplate}});
    EXPECT_THAT(containers_of(clones), testing::Contains(": spec.template.spec.containers[main] *"));
    EXPECT_THAT(clones.note, HasSubstr("partition"));
    const Workload set = workload("apps.kruise.io", "StatefulSet", {{"template", kTemplate}});
    EXPECT_EQ(set.replacement, Replacement::kOrderedReady);
    EXPECT_EQ(replacement("apps.kruise.io", "StatefulSet", R"({"podManagementPolicy": "Parallel"})"),
              Replacement::kRolling);
    EXPECT_EQ(kind_of_object({{"apiVersion", "apps.kruise.io/v1beta1"}, {"kind", "StatefulSet"}}),
              kind_of("apps.kruise.io", "StatefulSet"));
    EXPECT_EQ(kind_of_object({{"apiVersion", "v1"}, {"kind", "Pod"}}), kind_of("", "Pod"));
    EXPECT_EQ(kind_of_object(nullptr), nullptr);
}

TEST(Kinds, RefusesSharedServingRuntimes) {
    for (const char* kind : {"ServingRuntime", "ClusterServingRuntime"}) {
        const Workload runtime = workload("serving.kserve.io", kind, kTemplateSpec);
        EXPECT_THAT(runtime.refusal, AllOf(HasSubstr(kind), HasSubstr("every InferenceService that uses it")));
        EXPECT_THAT(containers_of(runtime), testing::Contains("runtime: spec.containers[main] *")) << kind;
    }
}

TEST(Kinds, FindsTemplateOfCronJob) {
    const Workload nightly = workload("batch", "CronJob", {{"jobTemplate", {{"spec", {{"template", kTemplate}}}}}});
    EXPECT_THAT(containers_of(nightly), testing::Contains(": spec.jobTemplate.spec.template.spec.containers[main] *"));
    EXPECT_EQ(nightly.replacement, Replacement::kNextRun);
}

TEST(Kinds, RefusesPodsAndJobs) {
    const Workload pod = workload("", "Pod", kTemplateSpec);
    EXPECT_THAT(containers_of(pod), ElementsAre(": spec.containers[main] *", ": spec.containers[side]"));
    EXPECT_THAT(pod.refusal, HasSubstr("inject the workload that creates it"));
    EXPECT_THAT(pod.note, IsEmpty());
    const Workload job = workload("batch", "Job", {{"template", kTemplate}});
    EXPECT_THAT(containers_of(job), testing::Contains(": spec.template.spec.containers[main] *"));
    EXPECT_THAT(job.refusal, AllOf(HasSubstr("job.batch/web in namespace prod"), HasSubstr("CronJob")));
}

TEST(Kinds, RefusesImmutableKinds) {
    EXPECT_THAT(workload("jobset.x-k8s.io", "JobSet", Json::object()).refusal, HasSubstr("create it again"));
    EXPECT_THAT(workload("batch.volcano.sh", "Job", Json::object()).refusal, HasSubstr("create it again"));
    EXPECT_THAT(workload("trainer.kubeflow.org", "TrainJob", Json::object()).refusal, HasSubstr("create it again"));
    EXPECT_THAT(workload("kubeflow.org", "MPIJob", Json::object()).refusal, HasSubstr("mpirun"));
    EXPECT_THAT(workload("ray.io", "RayJob", Json::object()).refusal, HasSubstr("clusterSelector"));
    const Json jobs = Json::parse(R"({"replicatedJobs": [{"name": "w", "template": {"spec": {"template": {"spec":
        {"containers": [{"name": "main"}]}}}}}]})");
    EXPECT_THAT(containers_of(workload("jobset.x-k8s.io", "JobSet", jobs)),
                ElementsAre("w: spec.replicatedJobs[w].template.spec.template.spec.containers[main]"));
}

TEST(Kinds, RefusesObjectsOfOtherControllers) {
    EXPECT_THAT(workload("nvidia.com", "DynamoComponentDeployment", {{"podTemplate", kTemplate}}).refusal,
                HasSubstr("inject its DynamoGraphDeployment"));
    const Workload clique = workload("grove.io", "PodClique", {{"podSpec", kTemplateSpec}});
    EXPECT_THAT(clique.refusal, HasSubstr("inject its PodCliqueSet"));
    EXPECT_THAT(containers_of(clique), testing::Contains(": spec.podSpec.containers[main] *"));
}

const Json kGraphBeta = Json::parse(R"({"env": [{"name": "LD_PRELOAD", "value": "/graph.so"}], "components": [
    {"name": "Frontend", "type": "frontend",
     "podTemplate": {"spec": {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}}},
    {"name": "VllmDecodeWorker", "type": "decode", "replicas": 2,
     "podTemplate": {"spec": {"containers": [
        {"name": "main", "image": "vllm", "resources": {"limits": {"nvidia.com/gpu": "1"}}}, {"name": "proxy"}]}}},
    {"name": "VllmPrefillWorker", "type": "prefill", "podTemplate": {"spec": {
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one"}],
        "containers": [{"name": "main", "resources": {"claims": [{"name": "gpu"}]}}]}}},
    {"name": "CpuWorker", "type": "worker", "podTemplate": {"spec": {"containers": [{"name": "main"}]}}},
    {"name": "Bare", "type": "worker"},
    {"name": "Planner", "type": "planner", "podTemplate": {"spec": {"containers": [{"name": "main"}]}}},
    {"name": "Untyped", "podTemplate": {"spec": {"containers": [{"name": "main"}]}}}]})");

TEST(Kinds, FindsWorkersOfGraphV1beta1) {
    const Workload graph = workload("nvidia.com", "DynamoGraphDeployment", kGraphBeta);
    const std::string spec = ".podTemplate.spec.containers";
    EXPECT_THAT(containers_of(graph),
                ElementsAre("VllmDecodeWorker: spec.components[VllmDecodeWorker]" + spec + "[main] *",
                            "VllmDecodeWorker: spec.components[VllmDecodeWorker]" + spec + "[proxy]",
                            "VllmPrefillWorker: spec.components[VllmPrefillWorker]" + spec + "[main] *",
                            "CpuWorker: spec.components[CpuWorker]" + spec + "[main]"));
    const TemplateSite& decode = graph.templates.at(0);
    EXPECT_EQ(decode.pod_spec.text(), "spec.components[VllmDecodeWorker].podTemplate.spec");
    EXPECT_EQ(decode.containers[0].env, decode.containers[0].container / "env");
    EXPECT_THAT(decode.containers[0].weaker_env, ElementsAre(Path{"spec", "env"}));
    EXPECT_THAT(decode.containers[1].weaker_env, IsEmpty()) << "the operator passes spec.env only to main";
    std::vector<std::string> chosen;
    for (const TemplateSite& site : choose_containers(graph, {})) chosen.push_back(site.name);
    EXPECT_THAT(chosen, ElementsAre("VllmDecodeWorker", "VllmPrefillWorker"));
}

TEST(Kinds, SkippedComponentsHaveReason) {
    const Workload graph = workload("nvidia.com", "DynamoGraphDeployment", kGraphBeta);
    EXPECT_THAT(graph.skipped, ElementsAre("component Frontend has type frontend, so it is not injected",
                                           "component Planner has type planner, so it is not injected",
                                           "component Untyped has no type and requests no GPU, so it is not injected"));
    const Workload graph_of_main_type = workload("nvidia.com", "DynamoGraphDeployment", Json::parse(R"({"services": {
        "Frontend": {"componentType": "main"},
        "Engine": {"componentType": "encode", "resources": {"limits": {"gpu": "1"}}}}})"));
    EXPECT_THAT(graph_of_main_type.skipped,
                ElementsAre("component Frontend has type main and requests no GPU, so it is not injected"));
    EXPECT_THAT(containers_of(graph_of_main_type),
                ElementsAre("Engine: spec.services.Engine.extraPodSpec.mainContainer *"));
    EXPECT_THAT(graph_of_main_type.templates.at(0).note,
                HasSubstr("type encode and requests a GPU, so it is treated as a worker"));
}

const Json kGraphAlpha = Json::parse(R"({"envs": [{"name": "A", "value": "1"}], "services": {
    "Frontend": {"componentType": "frontend", "resources": {"limits": {"gpu": "1"}}},
    "VllmDecodeWorker": {"componentType": "worker", "subComponentType": "decode", "envs": [],
        "resources": {"limits": {"cpu": "4", "gpu": "1"}},
        "extraPodSpec": {"mainContainer": {"image": "vllm"}, "containers": [{"name": "proxy"}]}},
    "Sub": {"subComponentType": "prefill", "resources": {"requests": {"gpu": 2}}},
    "Cpu": {"componentType": "worker", "resources": {"limits": {"cpu": "4", "gpu": "0"}}},
    "Planner": {"componentType": "planner", "subComponentType": "decode", "resources": {"limits": {"gpu": "1"}}}}})");

TEST(Kinds, FindsWorkersOfGraphV1alpha1) {
    const Workload graph = workload("nvidia.com", "DynamoGraphDeployment", kGraphAlpha);
    EXPECT_THAT(containers_of(graph),
                ElementsAre("Cpu: spec.services.Cpu.extraPodSpec.mainContainer",
                            "Sub: spec.services.Sub.extraPodSpec.mainContainer *",
                            "VllmDecodeWorker: spec.services.VllmDecodeWorker.extraPodSpec.mainContainer *",
                            "VllmDecodeWorker: spec.services.VllmDecodeWorker.extraPodSpec.containers[proxy]"));
    const TemplateSite& decode = graph.templates.at(2);
    EXPECT_EQ(decode.pod_spec.text(), "spec.services.VllmDecodeWorker.extraPodSpec");
    const ContainerSite& main = decode.containers.at(0);
    EXPECT_EQ(main.name, "main");
    EXPECT_EQ(main.env.text(), "spec.services.VllmDecodeWorker.envs");
    EXPECT_THAT(main.weaker_env, ElementsAre(Path{"spec", "envs"}, main.container / "env"));
    EXPECT_EQ(decode.containers.at(1).env, decode.containers.at(1).container / "env");
}

bool alpha_has_gpu(const std::string& service) {
    Json worker = Json::parse(service);
    worker["componentType"] = "worker";
    return !choose_containers(workload("nvidia.com", "DynamoGraphDeployment", {{"services", {{"W", worker}}}}), {})
                .empty();
}

TEST(Kinds, FindsGpusOfGraphV1alpha1) {
    EXPECT_TRUE(alpha_has_gpu(R"({"resources": {"limits": {"gpu": "1", "gpuType": "nvidia.com/mig-1g.5gb"}}})"));
    EXPECT_FALSE(alpha_has_gpu(R"({"resources": {"limits": {"gpu": "1", "gpuType": "gpu.intel.com/xe"}}})"));
    EXPECT_TRUE(alpha_has_gpu(R"({"resources": {"requests": {"custom": {"nvidia.com/gpu.shared": "2"}}}})"));
    EXPECT_FALSE(alpha_has_gpu(R"({"resources": {"requests": {"custom": {"rdma/ib": "2"}}}})"));
    EXPECT_TRUE(alpha_has_gpu(R"({"resources": {"claims": [{"name": "gpu"}]},
                                  "extraPodSpec": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "x"}]}})"));
    EXPECT_TRUE(
        alpha_has_gpu(R"({"extraPodSpec": {"mainContainer": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}})"));
    EXPECT_FALSE(alpha_has_gpu(R"({"resources": null})"));
    EXPECT_FALSE(alpha_has_gpu(R"({"resources": {"limits": {"gpu": null}, "claims": 3}})"));
}

TEST(Kinds, GraphWithOnDeleteAnnotationIsReplacedOnDelete) {
    Json graph = named("web", kGraphBeta);
    const Resource graphs = resource("nvidia.com", "DynamoGraphDeployment");
    EXPECT_EQ(workload_of(graphs, graph).replacement, Replacement::kRolling);
    graph["metadata"]["annotations"]["nvidia.com/grove-update-strategy"] = "OnDelete";
    EXPECT_EQ(workload_of(graphs, graph).replacement, Replacement::kOnDelete);
}

TEST(Kinds, FindsTemplatesOfLeaderWorkerSet) {
    Json spec = {{"leaderWorkerTemplate", {{"size", 2}, {"workerTemplate", gpu_template("vllm")}}}};
    EXPECT_THAT(containers_of(workload("leaderworkerset.x-k8s.io", "LeaderWorkerSet", spec)),
                ElementsAre("worker: spec.leaderWorkerTemplate.workerTemplate.spec.containers[vllm] *",
                            "worker: spec.leaderWorkerTemplate.workerTemplate.spec.containers[side]"));
    spec["leaderWorkerTemplate"]["leaderTemplate"] = kTemplate;
    const Workload with_leader_and_worker = workload("leaderworkerset.x-k8s.io", "LeaderWorkerSet", spec);
    ASSERT_EQ(with_leader_and_worker.templates.size(), 2u);
    EXPECT_EQ(with_leader_and_worker.templates[0].name, "leader");
    EXPECT_EQ(with_leader_and_worker.templates[0].pod_spec.text(), "spec.leaderWorkerTemplate.leaderTemplate.spec");
}

TEST(Kinds, FindsTemplatesOfRayCluster) {
    const Json spec = {{"headGroupSpec", {{"template", {{"spec", {{"containers", {{{"name", "ray-head"}}}}}}}}}},
                       {"workerGroupSpecs", {{{"groupName", "gpus"}, {"template", gpu_template("ray-worker")}}}}};
    const Workload cluster = workload("ray.io", "RayCluster", spec);
    EXPECT_THAT(containers_of(cluster),
                ElementsAre("headgroup: spec.headGroupSpec.template.spec.containers[ray-head]",
                            "gpus: spec.workerGroupSpecs[gpus].template.spec.containers[ray-worker] *",
                            "gpus: spec.workerGroupSpecs[gpus].template.spec.containers[side]"));
    EXPECT_EQ(cluster.templates[1].pod_spec,
              (Path{"spec", "workerGroupSpecs"}.item("gpus", "groupName") / "template" / "spec"));
    EXPECT_EQ(cluster.replacement, Replacement::kOnDelete);
    EXPECT_EQ(replacement("ray.io", "RayCluster", R"({"upgradeStrategy": {"type": "Recreate"}})"),
              Replacement::kRolling);
    EXPECT_EQ(replacement("ray.io", "RayCluster", R"({"upgradeStrategy": {"type": "None"}})"), Replacement::kOnDelete);
    EXPECT_THAT(workload("ray.io", "RayService", Json::object()).refusal, HasSubstr("workerGroupSpecs[*].template"));
}

TEST(Kinds, FindsTemplatesOfPodCliqueSet) {
    const Json spec = {{"template", {{"cliques", {{{"name", "decode"}, {"spec", {{"podSpec", kTemplateSpec}}}}}}}}};
    EXPECT_THAT(containers_of(workload("grove.io", "PodCliqueSet", spec)),
                ElementsAre("decode: spec.template.cliques[decode].spec.podSpec.containers[main] *",
                            "decode: spec.template.cliques[decode].spec.podSpec.containers[side]"));
    EXPECT_EQ(replacement("grove.io", "PodCliqueSet", "{}"), Replacement::kRolling);
    EXPECT_EQ(replacement("grove.io", "PodCliqueSet", R"({"updateStrategy": {"type": "OnDelete"}})"),
              Replacement::kOnDelete);
}

TEST(Kinds, FindsTemplatesOfPyTorchJob) {
    const Json spec = {{"pytorchReplicaSpecs",
                        {{"Master", {{"template", gpu_template("pytorch")}}},
                         {"Worker", {{"template", gpu_template("pytorch")}, {"replicas", 3}}}}}};
    const Workload job = workload("kubeflow.org", "PyTorchJob", spec);
    EXPECT_THAT(containers_of(job),
                testing::Contains("Worker: spec.pytorchReplicaSpecs.Worker.template.spec.containers[pytorch] *"));
    EXPECT_EQ(job.replacement, Replacement::kOnDelete);
}

std::string template_of(const std::string& group, const std::string& kind, const Json& spec, const std::string& label,
                        const std::string& value) {
    return kind_of(group, kind)->template_of(named("web", spec), labeled(named("pod"), label, value));
}

TEST(Kinds, FindsTemplateOfPodByLabels) {
    const auto component = [](const std::string& name) {
        return template_of("nvidia.com", "DynamoGraphDeployment", kGraphBeta, "nvidia.com/dynamo-component", name);
    };
    EXPECT_EQ(component("Frontend"), "Frontend");
    EXPECT_EQ(component("Gone"), "") << "the graph has no component of that name";
    EXPECT_EQ(template_of("nvidia.com", "DynamoGraphDeployment", kGraphAlpha, "nvidia.com/dynamo-component", "Sub"),
              "Sub");
    EXPECT_EQ(template_of("ray.io", "RayCluster", Json::object(), "ray.io/group", "gpus"), "gpus");

    Json set = {{"leaderWorkerTemplate", {{"leaderTemplate", kTemplate}}}};
    const std::string index = "leaderworkerset.sigs.k8s.io/worker-index";
    EXPECT_EQ(template_of("leaderworkerset.x-k8s.io", "LeaderWorkerSet", set, index, "0"), "leader");
    EXPECT_EQ(template_of("leaderworkerset.x-k8s.io", "LeaderWorkerSet", set, index, "1"), "worker");
    EXPECT_EQ(template_of("leaderworkerset.x-k8s.io", "LeaderWorkerSet", Json::object(), index, "0"), "worker");

    const Json cliques = {{"template", {{"cliques", {{{"name", "decode"}}, {{"name", "big-decode"}}}}}}};
    const auto clique = [&](const std::string& full) {
        return template_of("grove.io", "PodCliqueSet", cliques, "grove.io/podclique", full);
    };
    EXPECT_EQ(clique("web-0-decode"), "decode");
    EXPECT_EQ(clique("web-0-group-1-big-decode"), "big-decode");
    EXPECT_EQ(clique("web-0-other"), "");
    EXPECT_EQ(template_of("kubeflow.org", "PyTorchJob", {{"pytorchReplicaSpecs", {{"Worker", 1}}}},
                          "training.kubeflow.org/replica-type", "worker"),
              "Worker");
}

class ServedKindsTest : public WorkloadTest {};

TEST_F(ServedKindsTest, ReturnsServedKindsOfTable) {
    announce({{"apps", "v1"}, {"nvidia.com", "v1"}, {"nvidia.com", "v1alpha1"}, {"acme.com", "v1"}});
    serve("v1", {{"pods", "Pod"}, {"configmaps", "ConfigMap"}});
    serve("nvidia.com/v1", {{"clusterpolicies", "ClusterPolicy"}});
    serve_apps();
    serve_graphs("v1alpha1");
    std::vector<std::string> served;
    for (const Resource& found : served_kinds(discovery())) served.push_back(found.api_version() + " " + found.plural);
    EXPECT_THAT(served, ElementsAre("apps/v1 deployments", "apps/v1 statefulsets", "apps/v1 replicasets", "v1 pods",
                                    "nvidia.com/v1alpha1 dynamographdeployments"));
    EXPECT_EQ(count_requests("/apis/nvidia.com/v1beta1"), 0);
    EXPECT_EQ(count_requests("/apis/ray.io/v1"), 0);
}

TEST_F(ServedKindsTest, ReturnsPreferredVersion) {
    serve_graphs("v1alpha1");
    const Kind& graph = *kind_of("nvidia.com", "DynamoGraphDeployment");
    EXPECT_EQ(served_version(discovery(), graph)->version, "v1alpha1");
    serve_graphs("v1beta1");
    EXPECT_EQ(served_version(discovery(), graph)->version, "v1beta1");
    EXPECT_FALSE(served_version(discovery(), *kind_of("grove.io", "PodClique")));
}

}  // namespace
}  // namespace cudafault::kube
