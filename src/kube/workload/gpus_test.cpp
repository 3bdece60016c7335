// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/gpus.hpp"

#include <gmock/gmock.h>

namespace cudafault::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool has_limit(const std::string& name, const Json& amount) {
    return has_gpu({{"resources", {{"limits", {{name, amount}}}}}}, nullptr);
}

TEST(Gpus, ResourcesThatAreGpus) {
    for (const char* name :
         {"nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.10gb.me",
          "nvidia.com/gpumem", "nvidia.com/gpucores", "nvidia.com/GRID_T4-1Q", "volcano.sh/vgpu-number",
          "volcano.sh/vgpu-memory", "aliyun.com/gpu-mem"}) {
        EXPECT_TRUE(has_limit(name, "1")) << name;
    }
}

TEST(Gpus, ResourcesThatAreNone) {
    for (const char* name : {"cpu", "memory", "nvidia.com/rdma_shared_device_a", "nvidia.com/hostdev", "amd.com/gpu",
                             "rdma/hca", "gpu.intel.com/i915", "volcano.sh/other", "x/nvidia.com/gpu"}) {
        EXPECT_FALSE(has_limit(name, "1")) << name;
    }
}

TEST(Gpus, AmountsAreTextsOrNumbers) {
    for (const Json& amount : {Json("1"), Json(1), Json("8"), Json("500m"), Json("0.5"), Json("4Gi"), Json("10")}) {
        EXPECT_TRUE(has_limit("nvidia.com/gpu", amount)) << amount;
    }
    for (const Json& amount : {Json("0"), Json(0), Json(0.0), Json("0.0"), Json("0Gi"), Json("0e3"), Json(""), Json(),
                               Json::array(), Json::object(), Json(true)}) {
        EXPECT_FALSE(has_limit("nvidia.com/gpu", amount)) << amount;
    }
}

TEST(Gpus, RequestsCountAsLimitsDo) {
    EXPECT_TRUE(has_gpu({{"resources", {{"requests", {{"nvidia.com/gpu", 1}}}}}}, nullptr));
}

TEST(Gpus, WhatIsNoContainerHasNone) {
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

TEST(Gpus, AClaimIsAGpuUnlessItIsKnownToBeAnother) {
    EXPECT_TRUE(has_gpu(kClaiming, kClaimsSpec));
    EXPECT_TRUE(has_gpu(kClaiming, kClaimsSpec, {{"ResourceClaim", "one-gpu"}})) << "of another kind";
    EXPECT_FALSE(has_gpu(kClaiming, kClaimsSpec, {{"ResourceClaimTemplate", "one-gpu"}}));
    EXPECT_TRUE(has_gpu(kClaiming, nullptr)) << "a controller may add the pod's part";
}

TEST(Gpus, ClaimSources) {
    EXPECT_THAT(claim_sources(kClaimsSpec),
                ElementsAre(ClaimSource{"ResourceClaimTemplate", "one-gpu"}, ClaimSource{"ResourceClaim", "nic"},
                            ClaimSource{"ResourceClaim", "before-1.31"}));
    EXPECT_THAT(claim_sources(nullptr), IsEmpty());
    EXPECT_THAT(claim_sources({{"resourceClaims", "x"}}), IsEmpty());
}

bool claims(const std::string& requests) {
    const Json devices = {{"devices", {{"requests", Json::parse(requests)}}}};
    const bool of_claim = claims_gpu({{"spec", devices}});
    EXPECT_EQ(claims_gpu({{"spec", {{"spec", devices}}}}), of_claim) << "a template of it: " << requests;
    return of_claim;
}

TEST(Gpus, DeviceClasses) {
    EXPECT_TRUE(claims(R"([{"name": "a", "deviceClassName": "gpu.nvidia.com"}])")) << "v1beta1";
    EXPECT_TRUE(claims(R"([{"name": "a", "exactly": {"deviceClassName": "mig.nvidia.com"}}])"));
    EXPECT_TRUE(
        claims(R"([{"firstAvailable": [{"deviceClassName": "x"}, {"deviceClassName": "vfio.gpu.nvidia.com"}]}])"));
    EXPECT_TRUE(claims(R"([{"deviceClassName": "nic"}, {"deviceClassName": "gpu.nvidia.com"}])"));
    EXPECT_FALSE(claims(R"([{"exactly": {"deviceClassName": "compute-domain-default-channel.nvidia.com"}}])"));
    for (const char* text :
         {"[]", "null", "3", R"("x")", "{}", R"([null, 1, {"exactly": []}, {"firstAvailable": 1}])"}) {
        EXPECT_FALSE(claims(text)) << text;
    }
    EXPECT_FALSE(claims_gpu(nullptr));
}

}  // namespace
}  // namespace cudafault::kube
