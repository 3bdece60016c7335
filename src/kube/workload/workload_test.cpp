// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/workload.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>

#include "kube/api/transport/api_error.hpp"
#include "kube/testing/paths_testing.hpp"
#include "kube/testing/workload_testing.hpp"

namespace cudafault::kube {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kWidgets = "/apis/acme.com/v1/namespaces/prod/widgets/";

Json web() { return named("web", {{"template", gpu_template()}}); }

WorkloadChoice choice(const std::string& kind, const std::string& name) {
    WorkloadChoice choice;
    choice.kind = kind;
    choice.name = name;
    choice.in_namespace = "prod";
    return choice;
}

class LoadWorkloadTest : public WorkloadTest {
protected:
    LoadWorkloadTest() {
        announce({{"apps", "v1"}, {"acme.com", "v1"}, {"nvidia.com", "v1alpha1"}});
        serve("v1", {{"pods", "Pod"}});
        serve("acme.com/v1", {{"widgets", "Widget"}, {"makers", "Maker"}});
        serve_apps();
    }

    void serve_cluster_kinds(const std::string& api_version) {
        Json list = {{{"name", "deviceclasses"}, {"kind", "DeviceClass"}, {"namespaced", false}, {"verbs", {"get"}}}};
        for (const char* kind : {"ResourceClaimTemplate", "ResourceClaim"}) {
            std::string plural = std::string(kind) + "s";
            std::transform(plural.begin(), plural.end(), plural.begin(), [](char c) { return std::tolower(c); });
            list.push_back({{"name", plural}, {"kind", kind}, {"namespaced", true}, {"verbs", {"get"}}});
        }
        responder.on("GET", "/apis/" + api_version, {json_answer({{"kind", "APIResourceList"}, {"resources", list}})});
    }

    Workload load(const WorkloadChoice& choice) { return load_workload(client(), discovery(), choice); }
};

TEST_F(LoadWorkloadTest, LoadsObjectOfGivenKind) {
    serve_object(kDeploymentPath + "/web", web());
    const Workload workload = load(choice("deployment", "web"));
    EXPECT_EQ(workload.text(), "deployment.apps/web in namespace prod");
    EXPECT_EQ(workload.uid(), "uid-web");
    EXPECT_EQ(workload.object, web());
    EXPECT_EQ(workload.templates.size(), 1u);
    EXPECT_EQ(count_requests(kDeploymentPath + "/web"), 1);
}

TEST_F(LoadWorkloadTest, TriesGraphFirstWithoutKind) {
    serve_graphs("v1alpha1");
    serve_object("/apis/nvidia.com/v1alpha1/namespaces/prod/dynamographdeployments/web", named("web"));
    serve_object(kDeploymentPath + "/web", web());
    EXPECT_EQ(load(choice("", "web")).ref.resource.kind, "DynamoGraphDeployment");
    EXPECT_EQ(count_requests(kDeploymentPath + "/web"), 0);
}

TEST_F(LoadWorkloadTest, TriesDeploymentNextWithoutKind) {
    serve_object(kDeploymentPath + "/web", web());
    EXPECT_EQ(load(choice("", "web")).ref.resource.kind, "Deployment") << "the server does not serve graphs";
    serve_graphs("v1alpha1");
    EXPECT_EQ(load(choice("", "web")).ref.resource.kind, "Deployment") << "the graph does not exist";
    EXPECT_EQ(count_requests("/apis"), 0);
    EXPECT_THAT(refusal(choice("", "wbe")),
                HasSubstr("neither a DynamoGraphDeployment nor a Deployment wbe exists in namespace prod"));
}

TEST_F(LoadWorkloadTest, ReadsGraphInPreferredVersion) {
    announce({{"nvidia.com", "v1alpha1"}});
    serve_graphs("v1alpha1");
    serve_graphs("v1beta1");
    serve_object("/apis/nvidia.com/v1beta1/namespaces/prod/dynamographdeployments/web", named("web"));
    EXPECT_EQ(load(choice("dynamographdeployments", "web")).ref.resource.version, "v1beta1");
}

TEST_F(LoadWorkloadTest, ThrowsForMissingObject) {
    EXPECT_THROW(load(choice("deployment", "web")), ApiError);
    EXPECT_THROW(load(choice("nonsense", "web")), Error);
    responder.on("GET", kDeploymentPath + "/web", {status_answer(403, "Forbidden")});
    EXPECT_THROW(load(choice("deployment", "web")), ApiError);
}

TEST_F(LoadWorkloadTest, LoadsTopLevelController) {
    serve_object(kPodPath + "/web-1-x", owned(named("web-1-x"), "apps/v1", "ReplicaSet", "web-1"));
    serve_object(kReplicaSetPath + "/web-1", owned(named("web-1"), "apps/v1", "Deployment", "web"));
    serve_object(kDeploymentPath + "/web", web());
    EXPECT_EQ(load(choice("pod", "web-1-x")).text(), "deployment.apps/web in namespace prod");
    EXPECT_EQ(count_requests(kReplicaSetPath + "/web-1") + count_requests(kDeploymentPath + "/web"), 2);
}

TEST_F(LoadWorkloadTest, FollowsOwnersOfUnknownKinds) {
    serve_graphs("v1beta1");
    serve_object(kDeploymentPath + "/web", owned(web(), "acme.com/v1", "Widget", "middle"));
    serve_object(kWidgets + "middle", owned(named("middle"), "nvidia.com/v1alpha1", "DynamoGraphDeployment", "graph"));
    serve_object("/apis/nvidia.com/v1beta1/namespaces/prod/dynamographdeployments/graph", named("graph"));
    EXPECT_EQ(load(choice("deployment", "web")).ref.resource.api_version(), "nvidia.com/v1beta1");
    WorkloadChoice itself = choice("deployment", "web");
    itself.use_top_level_controller = false;
    EXPECT_EQ(load(itself).text(), "deployment.apps/web in namespace prod");
}

TEST_F(LoadWorkloadTest, LoadsInjectedObjectInsteadOfOwner) {
    Workload named_web;
    named_web.ref = {{"apps", "v1", "deployments", "", "Deployment", true, {}, {}, {}}, "prod", "web"};
    Json object = owned(web(), "acme.com/v1", "Widget", "top");
    const auto mounting = [&](const std::string& plan) {
        object["spec"]["template"]["spec"]["volumes"] = {{{"name", "cudafault-plan"}, {"configMap", {{"name", plan}}}}};
        serve_object(kDeploymentPath + "/web", object);
    };
    serve_object(kWidgets + "top", named("top", {{"pods", gpu_template()}}));
    mounting("cudafault-plan-" + named_web.hash());
    EXPECT_EQ(load(choice("deployment", "web")).ref.name, "web");
    mounting("cudafault-plan-0123456789");
    EXPECT_THAT(refusal(choice("deployment", "web")), HasSubstr("widget.acme.com/top"));
}

TEST_F(LoadWorkloadTest, OwnerOfUnknownKindRequiresTemplatePath) {
    serve_object(kDeploymentPath + "/web", owned(web(), "acme.com/v1", "Widget", "top"));
    serve_object(kWidgets + "top", named("top", {{"pods", gpu_template("engine")}}));
    EXPECT_THAT(refusal(choice("deployment", "web")),
                AllOf(HasSubstr("widget.acme.com/top in namespace prod is of a kind whose pod templates are unknown"),
                      HasSubstr("(deployment.apps/web in namespace prod is owned by that workload; to select only")));
    WorkloadChoice with_path = choice("deployment", "web");
    with_path.template_paths = {"spec.pods"};
    const Workload top = load(with_path);
    EXPECT_EQ(top.templates.at(0).containers.at(0).name, "engine");
    EXPECT_THAT(top.refusal, IsEmpty());
    EXPECT_EQ(reload(client(), top).templates.at(0).pod_spec.text(), "spec.pods.spec");
}

TEST_F(LoadWorkloadTest, RefusesOwnerThatCannotBeRead) {
    serve_object(kDeploymentPath + "/web", owned(web(), "acme.com/v1", "Widget", "top"));
    responder.on("GET", kWidgets + "top", {status_answer(403, "Forbidden")});
    EXPECT_EQ(refusal(choice("deployment", "web")),
              "deployment.apps/web in namespace prod is owned by widget.acme.com/top, which cannot be read: ask for "
              "the permission `get widgets.acme.com`, or select only the owned object with --itself");
}

TEST_F(LoadWorkloadTest, RefusesOwnerThatDoesNotExist) {
    serve_object(kDeploymentPath + "/web", owned(web(), "acme.com/v1", "Widget", "top"));
    EXPECT_THAT(refusal(choice("deployment", "web")), HasSubstr("widget.acme.com/top, which was deleted"));
    Json another = named("top");
    another["metadata"]["uid"] = "uid-of-another";
    serve_object(kWidgets + "top", another);
    EXPECT_THAT(refusal(choice("deployment", "web")), HasSubstr("which was deleted"));
}

TEST_F(LoadWorkloadTest, RefusesOwnerOfKindThatIsNotServed) {
    serve_object(kDeploymentPath + "/web", owned(web(), "gone.com/v1", "Thing", "top"));
    EXPECT_THAT(refusal(choice("deployment", "web")), HasSubstr("of a kind that the API server does not serve"));
}

TEST_F(LoadWorkloadTest, RefusesCycleOfOwners) {
    serve_object(kWidgets + "a", owned(named("a"), "acme.com/v1", "Widget", "b"));
    serve_object(kWidgets + "b", owned(named("b"), "acme.com/v1", "Widget", "a"));
    EXPECT_THAT(refusal(choice("widget", "a")), HasSubstr("chain of more than 10 owners"));
}

TEST_F(LoadWorkloadTest, IgnoresNodeAsOwnerOfMirrorPod) {
    serve_object(kPodPath + "/static", owned(named("static"), "v1", "Node", "node-1"));
    EXPECT_THAT(refusal(choice("pod", "static")),
                AllOf(HasSubstr("pod/static in namespace prod cannot be injected"), Not(HasSubstr("owned"))));
}

TEST_F(LoadWorkloadTest, AcceptRefusedLoadsKindsThatCannotBeInjected) {
    serve_object(kPodPath + "/bare", named("bare", gpu_template()["spec"]));
    WorkloadChoice look = choice("pod", "bare");
    look.accept_refused = true;
    const Workload pod = load(look);
    EXPECT_THAT(pod.refusal, HasSubstr("put it into a Deployment"));
    EXPECT_EQ(pod.templates.at(0).containers.size(), 2u);
    serve_object(kWidgets + "w", named("w"));
    look = choice("widget", "w");
    look.accept_refused = true;
    EXPECT_THAT(load(look).templates, IsEmpty());
}

TEST_F(LoadWorkloadTest, RejectsTemplatePathForKnownKinds) {
    serve_object(kDeploymentPath + "/web", web());
    serve_object(kPodPath + "/bare", named("bare"));
    WorkloadChoice with_path = choice("deployment", "web");
    with_path.template_paths = {"spec.template"};
    EXPECT_THAT(refusal(with_path), HasSubstr("remove the template path"));
    with_path.kind = "pod";
    with_path.name = "bare";
    EXPECT_THAT(refusal(with_path),
                HasSubstr("even with a template path: the containers of an existing Pod are immutable"));
}

TEST_F(LoadWorkloadTest, RayServiceRequiresTemplatePath) {
    announce({{"ray.io", "v1"}});
    serve("ray.io/v1", {{"rayservices", "RayService"}});
    const Json groups = {{{"groupName", "gpus"}, {"template", gpu_template()}}};
    serve_object("/apis/ray.io/v1/namespaces/prod/rayservices/llm",
                 named("llm", {{"rayClusterConfig", {{"workerGroupSpecs", groups}}}}));
    EXPECT_THAT(refusal(choice("rayservice", "llm")), HasSubstr("needs the same number of GPUs again"));
    WorkloadChoice with_path = choice("rayservice", "llm");
    with_path.template_paths = {"spec.rayClusterConfig.workerGroupSpecs[*].template"};
    EXPECT_EQ(load(with_path).templates.at(0).name, "gpus");
}

Json claiming(const std::string& template_name) {
    Json object = web();
    Json& spec = object["spec"]["template"]["spec"];
    spec["containers"] = {{{"name", "main"}, {"resources", {{"claims", {{{"name", "device"}}}}}}}};
    spec["resourceClaims"] = {{{"name", "device"}, {"resourceClaimTemplateName", template_name}}};
    return object;
}

Json claim_template(const std::string& device_class) {
    return {{"spec", {{"spec", {{"devices", {{"requests", {{{"exactly", {{"deviceClassName", device_class}}}}}}}}}}}}};
}

TEST_F(LoadWorkloadTest, LooksUpClaims) {
    serve_cluster_kinds("resource.k8s.io/v1beta2");
    const std::string claims = "/apis/resource.k8s.io/v1beta2/namespaces/prod/resourceclaimtemplates/";
    serve_object(claims + "gpu", claim_template("gpu.nvidia.com"));
    serve_object(claims + "nic", claim_template("network"));
    serve_object(claims + "odd", claim_template("odd"));
    const auto selecting = [](const std::string& driver) {
        return Json{{"spec", {{"selectors", {{{"cel", {{"expression", "device.driver == '" + driver + "'"}}}}}}}}};
    };
    serve_object("/apis/resource.k8s.io/v1beta2/deviceclasses/network", selecting("dra.net"));
    serve_object("/apis/resource.k8s.io/v1beta2/deviceclasses/odd", selecting("acme.com"));
    const auto chosen = [&](const std::string& name) {
        serve_object(kDeploymentPath + "/web", claiming(name));
        const Workload workload = load(choice("deployment", "web"));
        EXPECT_EQ(choose_containers(reload(client(), workload), {}).size(), choose_containers(workload, {}).size());
        return choose_containers(workload, {}).size();
    };
    EXPECT_EQ(chosen("gpu"), 1u);
    EXPECT_EQ(chosen("nic"), 0u);
    EXPECT_EQ(chosen("odd"), 1u) << "an unknown driver is treated as a GPU";
    EXPECT_EQ(chosen("absent"), 1u) << "an unknown claim is treated as a GPU";
    responder.on("GET", claims + "secret", {status_answer(403, "Forbidden")});
    EXPECT_EQ(chosen("secret"), 1u) << "an unreadable claim is treated as a GPU";
}

TEST_F(LoadWorkloadTest, ReadsDriverOfUnknownClassFromRunningPod) {
    serve_cluster_kinds("resource.k8s.io/v1beta2");
    const std::string root = "/apis/resource.k8s.io/v1beta2/namespaces/prod/";
    serve_object(root + "resourceclaimtemplates/odd", claim_template("odd"));
    Json pod = owned(named("web-1-x"), "apps/v1", "ReplicaSet", "web-1");
    pod["spec"] = claiming("odd")["spec"]["template"]["spec"];
    pod["status"]["resourceClaimStatuses"] = {{{"name", "device"}, {"resourceClaimName", "web-1-x-device"}}};
    serve_list(kReplicaSetPath, {owned(named("web-1"), "apps/v1", "Deployment", "web")});
    serve_list(kPodPath, {pod});
    const auto allocate = [&](const std::string& driver) {
        serve_object(root + "resourceclaims/web-1-x-device",
                     {{"status", {{"allocation", {{"devices", {{"results", {{{"driver", driver}}}}}}}}}}});
        serve_object(kDeploymentPath + "/web", claiming("odd"));
        return load(choice("deployment", "web")).templates.at(0).containers.at(0);
    };
    EXPECT_FALSE(allocate("dra.net").has_gpu);
    EXPECT_TRUE(allocate("gpu.nvidia.com").has_gpu);
    EXPECT_THAT(allocate("gpu.nvidia.com").gpu_note, IsEmpty());
    EXPECT_THAT(allocate("acme.com").gpu_note, HasSubstr("unknown device"));
}

TEST_F(LoadWorkloadTest, LooksUpExtendedResourceOfDeviceClass) {
    serve_cluster_kinds("resource.k8s.io/v1");
    Json fast = {{"metadata", {{"name", "fast"}}},
                 {"spec",
                  {{"extendedResourceName", "acme.com/fast"},
                   {"selectors", {{{"cel", {{"expression", "device.driver == 'gpu.nvidia.com'"}}}}}}}}};
    serve_list("/apis/resource.k8s.io/v1/deviceclasses", {fast});
    Json object = web();
    object["spec"]["template"]["spec"]["containers"] = {
        {{"name", "main"}, {"resources", {{"limits", {{"acme.com/fast", 1}}}}}},
        {{"name", "other"}, {"resources", {{"limits", {{"acme.com/slow", 1}}}}}}};
    serve_object(kDeploymentPath + "/web", object);
    const auto containers = load(choice("deployment", "web")).templates.at(0).containers;
    EXPECT_TRUE(containers.at(0).has_gpu);
    EXPECT_THAT(containers.at(0).gpu_note, IsEmpty());
    EXPECT_THAT(containers.at(1).gpu_note, HasSubstr("acme.com/slow, an unknown resource"));
}

TEST_F(LoadWorkloadTest, RolloutWithWorkloadRefLoadsDeployment) {
    announce({{"apps", "v1"}, {"argoproj.io", "v1alpha1"}});
    serve("argoproj.io/v1alpha1", {{"rollouts", "Rollout"}});
    const std::string rollout = "/apis/argoproj.io/v1alpha1/namespaces/prod/rollouts/live";
    const Json reference = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}};
    serve_object(rollout, named("live", {{"workloadRef", reference}}));
    serve_object(kDeploymentPath + "/web", web());
    EXPECT_EQ(load(choice("rollout", "live")).text(), "deployment.apps/web in namespace prod");
    serve_object(rollout, named("live", {{"template", gpu_template()}}));
    EXPECT_EQ(load(choice("rollout", "live")).text(), "rollout.argoproj.io/live in namespace prod");
}

TEST_F(LoadWorkloadTest, TreatsClaimAsGpuIfServerDoesNotServeClaims) {
    serve_object(kDeploymentPath + "/web", claiming("gpu"));
    EXPECT_EQ(choose_containers(load(choice("deployment", "web")), {}).size(), 1u);
}

TEST_F(LoadWorkloadTest, ReloadReadsChangedTemplates) {
    serve_object(kDeploymentPath + "/web", web());
    const Workload before = load(choice("deployment", "web"));
    serve_object(kDeploymentPath + "/web", named("web", {{"template", gpu_template("renamed")}}));
    EXPECT_EQ(reload(client(), before).templates.at(0).containers.at(0).name, "renamed");
    responder.on("GET", kDeploymentPath + "/web", {status_answer(404, "NotFound")});
    EXPECT_THROW(reload(client(), before), ApiError);
}

const Resource kDeploymentResource = {"apps", "v1", "deployments", "deployment", "Deployment", true, {}, {}, {}};

Workload two_groups() {
    Workload workload = workload_of(kDeploymentResource, web());
    const TemplateSite site = workload.templates.at(0);
    workload.templates = {site, site};
    workload.templates[0].name = "prefill";
    workload.templates[1].name = "decode";
    workload.templates[1].containers[0].name = "engine";
    return workload;
}

std::vector<std::string> chosen(const std::vector<std::string>& globs) {
    std::vector<std::string> names;
    for (const TemplateSite& site : choose_containers(two_groups(), globs)) {
        for (const ContainerSite& container : site.containers) names.push_back(site.name + "/" + container.name);
    }
    return names;
}

TEST(ChooseContainers, SelectsContainersByGpuOrGlob) {
    EXPECT_THAT(chosen({}), ElementsAre("prefill/main", "decode/engine"));
    EXPECT_THAT(chosen({"main"}), ElementsAre("prefill/main"));
    EXPECT_THAT(chosen({"side"}), ElementsAre("prefill/side", "decode/side"));
    EXPECT_THAT(chosen({"decode/*"}), ElementsAre("decode/engine", "decode/side"));
    EXPECT_THAT(chosen({"pre*/ma?n", "eng*"}), ElementsAre("prefill/main", "decode/engine"));
    EXPECT_EQ(chosen({"*"}).size(), 4u);
    EXPECT_THAT(chosen({"nothing", "decode", ""}), IsEmpty());
}

TEST(WorkloadHash, EqualsKnownValue) {
    const Workload workload = workload_of(kDeploymentResource, web());
    EXPECT_EQ(workload.hash(), "53551a884d");
    EXPECT_EQ(workload.own_name("cudafault-plan-"), "cudafault-plan-53551a884d");
}

TEST(WorkloadHash, DiffersBetweenWorkloads) {
    Workload one = workload_of(kDeploymentResource, web());
    const std::string before = one.hash();
    EXPECT_EQ(before.size(), 10u);
    one.ref.resource.version = "v2";
    one.object = nullptr;
    EXPECT_EQ(one.hash(), before) << "the hash must not depend on the version";
    const auto changed = [&](auto change) {
        Workload other = one;
        change(other.ref);
        return other.hash();
    };
    EXPECT_NE(changed([](ObjectRef& ref) { ref.name = "web2"; }), before);
    EXPECT_NE(changed([](ObjectRef& ref) { ref.in_namespace = "test"; }), before);
    EXPECT_NE(changed([](ObjectRef& ref) { ref.resource.kind = "StatefulSet"; }), before);
    EXPECT_NE(changed([](ObjectRef& ref) { ref.resource.group = ""; }), before);
}

}  // namespace
}  // namespace cudafault::kube
