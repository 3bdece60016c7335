// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/gpus.hpp"

#include <algorithm>
#include <optional>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

bool has_amount_of_gpus(const Json& amounts) {
    if (!amounts.is_object()) return false;
    for (const auto& [name, amount] : amounts.items()) {
        if (is_gpu_resource(name) && !is_zero(amount)) return true;
    }
    return false;
}

std::optional<ClaimSource> source_of(const Json& claim) {
    // Up to Kubernetes 1.30 the two names were in a field `source`.
    for (const Json* place : {&claim, &value_at(claim, "source")}) {
        for (const char* kind : {"ResourceClaim", "ResourceClaimTemplate"}) {
            const std::string field =
                kind == std::string("ResourceClaim") ? "resourceClaimName" : "resourceClaimTemplateName";
            const std::string name = text_at(*place, field.c_str());
            if (!name.empty()) return ClaimSource{kind, name};
        }
    }
    return std::nullopt;
}

bool may_be_gpu(const std::string& claim_name, const Json& pod_spec, const OtherClaims& others) {
    const Json* claim = find(pod_spec, Path{"resourceClaims"}.item(claim_name));
    const auto source = claim ? source_of(*claim) : std::nullopt;
    return !source || std::find(others.begin(), others.end(), *source) == others.end();
}

bool is_gpu_class(const std::string& device_class) {
    return device_class == "gpu.nvidia.com" || device_class == "mig.nvidia.com" ||
           device_class == "vfio.gpu.nvidia.com";
}

bool requests_gpu(const Json& request) {
    if (is_gpu_class(text_at(request, "deviceClassName"))) return true;
    if (is_gpu_class(text_at(value_at(request, "exactly"), "deviceClassName"))) return true;
    const Json& alternatives = value_at(request, "firstAvailable");
    return std::any_of(alternatives.begin(), alternatives.end(),
                       [](const Json& alternative) { return is_gpu_class(text_at(alternative, "deviceClassName")); });
}

}  // namespace

bool is_gpu_resource(const std::string& name) {
    constexpr std::string_view vendor = "nvidia.com/";
    if (name.starts_with(vendor)) {
        return name.find("rdma") == std::string::npos && name.find("hostdev") == std::string::npos;
    }
    return name.starts_with("volcano.sh/vgpu-") || name.starts_with("aliyun.com/gpu-");
}

bool is_zero(const Json& amount) {
    if (amount.is_number()) return amount == 0;
    if (!amount.is_string()) return true;
    const std::string& text = amount.get_ref<const std::string&>();
    const std::string digits = text.substr(0, text.find_first_not_of("+.0123456789"));
    return digits.find_first_of("123456789") == std::string::npos;
}

bool resources_have_gpu(const Json& resources, const Json& pod_spec, const OtherClaims& others) {
    if (has_amount_of_gpus(value_at(resources, "limits")) || has_amount_of_gpus(value_at(resources, "requests"))) {
        return true;
    }
    const Json& claims = value_at(resources, "claims");
    return claims.is_array() && std::any_of(claims.begin(), claims.end(), [&](const Json& claim) {
               const std::string name = text_at(claim, "name");
               return !name.empty() && may_be_gpu(name, pod_spec, others);
           });
}

bool has_gpu(const Json& container, const Json& pod_spec, const OtherClaims& others) {
    return resources_have_gpu(value_at(container, "resources"), pod_spec, others);
}

std::vector<ClaimSource> claim_sources(const Json& pod_spec) {
    std::vector<ClaimSource> sources;
    const Json& claims = value_at(pod_spec, "resourceClaims");
    if (!claims.is_array()) return sources;
    for (const Json& claim : claims) {
        if (const auto source = source_of(claim)) sources.push_back(*source);
    }
    return sources;
}

bool claims_gpu(const Json& claim) {
    const Json& spec = value_at(claim, "spec");
    const Json& inner = value_at(spec, "spec").is_object() ? value_at(spec, "spec") : spec;  // a template's
    const Json& requests = value_at(value_at(inner, "devices"), "requests");
    return std::any_of(requests.begin(), requests.end(), requests_gpu);
}

}  // namespace cudafault::kube
