// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/gpus.hpp"

#include <gmock/gmock.h>

namespace cudafault::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

GpuUse use_of(const std::string& name, const Json& amount, const KnownDevices& known = {}) {
    return gpu_use({{"resources", {{"limits", {{name, amount}}}}}}, nullptr, known);
}

bool has_limit(const std::string& name, const Json& amount) { return use_of(name, amount).has_gpu; }

bool has_gpu(const Json& container, const Json& pod_spec, const KnownDevices& known = {}) {
    return gpu_use(container, pod_spec, known).has_gpu;
}

TEST(Gpus, RecognizesGpuResources) {
    for (const char* name :
         {"nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.10gb.me",
          "nvidia.com/gpumem", "nvidia.com/gpucores", "nvidia.com/GRID_T4-1Q", "nvidia.com/mig-1g.5gb.shared",
          "volcano.sh/vgpu-number", "volcano.sh/vgpu-memory", "volcano.sh/gpu-memory", "koordinator.sh/gpu-core",
          "koordinator.sh/gpu-memory-ratio", "tencent.com/vcuda-core", "tencent.com/vcuda-memory", "aliyun.com/gpu-mem",
          "deviceclass.resource.kubernetes.io/gpu.nvidia.com"}) {
        EXPECT_TRUE(has_limit(name, "1")) << name;
        EXPECT_THAT(use_of(name, "1").note, IsEmpty()) << name;
    }
}

TEST(Gpus, RecognizesOtherResources) {
    for (const char* name : {"cpu", "memory", "nvidia.com/rdma_shared_device_a", "nvidia.com/hostdev", "amd.com/gpu",
                             "rdma/hca", "gpu.intel.com/i915", "ephemeral-storage", "hugepages-2Mi",
                             "vpc.amazonaws.com/efa", "koordinator.sh/batch-cpu", "github.com/fuse",
                             "deviceclass.resource.kubernetes.io/compute-domain-daemon.nvidia.com"}) {
        EXPECT_FALSE(has_limit(name, "1")) << name;
    }
}

TEST(Gpus, TreatsUnknownResourceAsGpuWithNote) {
    EXPECT_TRUE(has_limit("acme.com/accelerator", "1"));
    EXPECT_EQ(use_of("acme.com/accelerator", "1").note, "requests acme.com/accelerator, an unknown resource");
    EXPECT_FALSE(has_limit("acme.com/accelerator", "0"));
    EXPECT_TRUE(has_limit("deviceclass.resource.kubernetes.io/fast", "1"));
    const Json also_gpu = {{"acme.com/accelerator", "1"}, {"nvidia.com/gpu", "1"}};
    EXPECT_THAT(gpu_use({{"resources", {{"limits", also_gpu}}}}, nullptr).note, IsEmpty());
    EXPECT_FALSE(use_of("acme.com/accelerator", "1", {{}, {{"acme.com/accelerator", Device::kOther}}}).has_gpu);
    EXPECT_THAT(use_of("acme.com/accelerator", "1", {{}, {{"acme.com/accelerator", Device::kGpu}}}).note, IsEmpty());
    EXPECT_THAT(unknown_resources({{"containers", {{{"resources", {{"limits", also_gpu}}}}}}}),
                ElementsAre("acme.com/accelerator"));
}

TEST(Gpus, ReadsVisibleDevicesOfContainerRuntime) {
    const auto use_with_variable = [](const Json& variable, const Json& pod_spec = nullptr) {
        Json item = variable;
        item["name"] = "NVIDIA_VISIBLE_DEVICES";
        return gpu_use({{"name", "main"}, {"env", {item}}}, pod_spec);
    };
    const Json runtime = {{"runtimeClassName", "nvidia"}};
    EXPECT_TRUE(use_with_variable({{"value", "all"}}, runtime).has_gpu);
    EXPECT_THAT(use_with_variable({{"value", "all"}}, runtime).note, IsEmpty());
    EXPECT_TRUE(use_with_variable({{"value", "0,1"}}).has_gpu) << "NVIDIA's runtime may be the default of the node";
    EXPECT_FALSE(use_with_variable({{"value", "void"}}).has_gpu);
    EXPECT_FALSE(use_with_variable({{"value", "none"}}).has_gpu);
    EXPECT_FALSE(use_with_variable({{"value", ""}}).has_gpu);
    EXPECT_THAT(use_with_variable({{"valueFrom", {{"fieldRef", {}}}}}).note, HasSubstr("unknown source"));
}

TEST(Gpus, RuntimeClassWithoutRequestsImpliesGpu) {
    Json pod_spec = {{"runtimeClassName", "nvidia"}, {"containers", {{{"name", "main"}}, {{"name", "side"}}}}};
    EXPECT_THAT(gpu_use(pod_spec["containers"][0], pod_spec).note, HasSubstr("runtimeClassName nvidia"));
    EXPECT_TRUE(gpu_use(pod_spec["containers"][0], pod_spec).has_gpu);
    pod_spec["containers"][0]["resources"] = {{"limits", {{"nvidia.com/gpu", 1}}}};
    EXPECT_FALSE(gpu_use(pod_spec["containers"][1], pod_spec).has_gpu) << "the main container requests the GPU";
}

TEST(Gpus, FindsContainerOfAnnotatedShare) {
    const Json pod_spec = {{"containers", {{{"name", "main"}}, {{"name", "side"}}}}};
    EXPECT_EQ(container_with_share({{"gpu-fraction", "0.5"}}, pod_spec), "main");
    EXPECT_EQ(container_with_share({{"gpu-memory", "2000"}}, pod_spec), "main");
    EXPECT_EQ(container_with_share({{"gpu-fraction", "0.5"}, {"gpu-fraction-container-name", "side"}}, pod_spec),
              "side");
    EXPECT_EQ(container_with_share({{"gpu-fraction", "0"}}, pod_spec), "");
    EXPECT_EQ(container_with_share(nullptr, nullptr), "");
}

TEST(Gpus, AcceptsAmountsAsStringsOrNumbers) {
    for (const Json& amount : {Json("1"), Json(1), Json("8"), Json("500m"), Json("0.5"), Json("4Gi"), Json("10")}) {
        EXPECT_TRUE(has_limit("nvidia.com/gpu", amount)) << amount;
    }
    for (const Json& amount : {Json("0"), Json(0), Json(0.0), Json("0.0"), Json("0Gi"), Json("0e3"), Json(""), Json(),
                               Json::array(), Json::object(), Json(true)}) {
        EXPECT_FALSE(has_limit("nvidia.com/gpu", amount)) << amount;
    }
}

TEST(Gpus, TreatsRequestsLikeLimits) {
    EXPECT_TRUE(has_gpu({{"resources", {{"requests", {{"nvidia.com/gpu", 1}}}}}}, nullptr));
}

TEST(Gpus, InvalidContainerHasNoGpu) {
    for (const char* text :
         {"null", "[]", "7", R"("x")", R"({"resources": null})", R"({"resources": []})",
          R"({"resources": {"limits": ["nvidia.com/gpu"], "requests": "nvidia.com/gpu", "claims": {"name": "x"}}})",
          R"({"resources": {"claims": [null, 1, {"name": 3}, {}]}})"}) {
        EXPECT_FALSE(has_gpu(Json::parse(text), Json::parse(text))) << text;
    }
}

const Json kClaiming = Json::parse(R"({"name": "main", "resources": {"claims": [{"name": "device"}]}})");
const Json kClaimsSpec = Json::parse(R"({"resourceClaims": [
    {"name": "device", "resourceClaimTemplateName": "one-gpu"}, {"name": "net", "resourceClaimName": "nic"},
    {"name": "old", "source": {"resourceClaimName": "before-1.31"}}, {"name": "none"}, null]})");

TEST(Gpus, TreatsClaimAsGpuUnlessKnownToBeOtherDevice) {
    EXPECT_TRUE(has_gpu(kClaiming, kClaimsSpec));
    EXPECT_EQ(gpu_use(kClaiming, kClaimsSpec).note, "claims device, an unknown device");
    const auto known = [](const char* kind, Device device) { return KnownDevices{{{{kind, "one-gpu"}, device}}, {}}; };
    EXPECT_TRUE(has_gpu(kClaiming, kClaimsSpec, known("ResourceClaim", Device::kOther)))
        << "the known device is of another kind of claim";
    EXPECT_FALSE(has_gpu(kClaiming, kClaimsSpec, known("ResourceClaimTemplate", Device::kOther)));
    EXPECT_THAT(gpu_use(kClaiming, kClaimsSpec, known("ResourceClaimTemplate", Device::kGpu)).note, IsEmpty());
    EXPECT_TRUE(has_gpu(kClaiming, nullptr)) << "a controller may add the resourceClaims of the pod";
}

TEST(Gpus, ReadsClaimSources) {
    EXPECT_THAT(claim_sources(kClaimsSpec),
                ElementsAre(ClaimSource{"ResourceClaimTemplate", "one-gpu"}, ClaimSource{"ResourceClaim", "nic"},
                            ClaimSource{"ResourceClaim", "before-1.31"}));
    EXPECT_THAT(claim_sources(nullptr), IsEmpty());
    EXPECT_THAT(claim_sources({{"resourceClaims", "x"}}), IsEmpty());
}

std::vector<std::string> classes(const std::string& requests) {
    const Json devices = {{"devices", {{"requests", Json::parse(requests)}}}};
    const auto classes_in_claim = classes_of_claim({{"spec", devices}});
    EXPECT_EQ(classes_of_claim({{"spec", {{"spec", devices}}}}), classes_in_claim)
        << "ResourceClaimTemplate with " << requests;
    return classes_in_claim;
}

TEST(Gpus, ReadsDeviceClassesOfClaim) {
    EXPECT_THAT(classes(R"([{"name": "a", "deviceClassName": "v1beta1"}, {"exactly": {"deviceClassName": "v1"}}])"),
                ElementsAre("v1beta1", "v1"));
    EXPECT_THAT(classes(R"([{"firstAvailable": [{"deviceClassName": "x"}, {"deviceClassName": "y"}]}])"),
                ElementsAre("x", "y"));
    for (const char* text :
         {"[]", "null", "3", R"("x")", "{}", R"([null, 1, {"exactly": []}, {"firstAvailable": 1}])"}) {
        EXPECT_THAT(classes(text), IsEmpty()) << text;
    }
    EXPECT_THAT(classes_of_claim(nullptr), IsEmpty());
}

Device of_selector(const std::string& expression) {
    return device_of_class("fast", {{"spec", {{"selectors", {{{"cel", {{"expression", expression}}}}}}}}});
}

TEST(Gpus, RecognizesDeviceClassByNameDriverOrExtendedResource) {
    for (const char* name : {"gpu.nvidia.com", "mig.nvidia.com", "vfio.gpu.nvidia.com"}) {
        EXPECT_EQ(device_of_class(name, nullptr), Device::kGpu) << name;
    }
    EXPECT_EQ(device_of_class("compute-domain-default-channel.nvidia.com", nullptr), Device::kOther);
    EXPECT_EQ(device_of_class("fast", nullptr), Device::kUnknown) << "the DeviceClass cannot be read";
    EXPECT_EQ(of_selector("device.driver == 'gpu.nvidia.com' && device.attributes['x'].y > 3"), Device::kGpu);
    EXPECT_EQ(of_selector("device.driver == \"dra.net\""), Device::kOther);
    EXPECT_EQ(of_selector("device.driver == \"acme.com\""), Device::kUnknown);
    EXPECT_EQ(of_selector("device.attributes[\"gpu.nvidia.com\"].type == \"mig\""), Device::kGpu);
    EXPECT_EQ(of_selector("device.driver in ['dra.net', 'gpu.nvidia.com']"), Device::kGpu);
    EXPECT_EQ(of_selector("device.driver == 'dra.net' || device.driver == 'gpu.nvidia.com'"), Device::kGpu);
    EXPECT_EQ(of_selector("device.driver =="), Device::kUnknown);
    EXPECT_EQ(device_of_class("fast", {{"spec", {{"extendedResourceName", "nvidia.com/gpu"}}}}), Device::kGpu);
    EXPECT_EQ(device_of_class("fast", {{"spec", {{"extendedResourceName", "acme.com/x"}}}}), Device::kUnknown);
}

TEST(Gpus, RecognizesAllocatedClaimByDrivers) {
    const auto of_drivers = [](const std::vector<std::string>& drivers) {
        Json results = Json::array();
        for (const std::string& driver : drivers) results.push_back({{"driver", driver}});
        return device_of_allocation({{"status", {{"allocation", {{"devices", {{"results", results}}}}}}}});
    };
    EXPECT_EQ(of_drivers({"dra.net", "gpu.nvidia.com"}), Device::kGpu);
    EXPECT_EQ(of_drivers({"dra.net"}), Device::kOther);
    EXPECT_EQ(of_drivers({"acme.com"}), Device::kUnknown);
    EXPECT_EQ(of_drivers({}), Device::kUnknown);
    EXPECT_EQ(device_of_allocation(nullptr), Device::kUnknown);
}

}  // namespace
}  // namespace cudafault::kube
