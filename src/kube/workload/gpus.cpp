// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/gpus.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <optional>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

struct DeviceRule {
    const char* glob;
    Device device;
};

// The first matching rule applies.
constexpr DeviceRule kResources[] = {
    {"nvidia.com/*rdma*", Device::kOther},
    {"nvidia.com/*hostdev*", Device::kOther},
    {"nvidia.com/*", Device::kGpu},  // gpu, gpu.shared, mig-*, gpumem, *.shared, vGPU types
    {"volcano.sh/*", Device::kGpu},
    {"koordinator.sh/gpu*", Device::kGpu},
    {"koordinator.sh/shared-gpu", Device::kGpu},
    {"koordinator.sh/*", Device::kOther},  // batch-cpu, batch-memory, rdma
    {"tencent.com/vcuda-*", Device::kGpu},
    {"aliyun.com/gpu-*", Device::kGpu},
    {"run.ai/gpu*", Device::kGpu},
    {"4pd.io/v*gpu*", Device::kGpu},
    {"hami.io/*", Device::kGpu},
    {"amd.com/*", Device::kOther},
    {"gpu.intel.com/*", Device::kOther},
    {"*.intel.com/*", Device::kOther},
    {"intel.com/*", Device::kOther},
    {"habana.ai/*", Device::kOther},
    {"huawei.com/*", Device::kOther},
    {"google.com/tpu*", Device::kOther},
    {"cloud-tpus.google.com/*", Device::kOther},
    {"aws.amazon.com/neuron*", Device::kOther},
    {"vpc.amazonaws.com/*", Device::kOther},
    {"networking.gke.io*", Device::kOther},
    {"rdma/*", Device::kOther},
    {"mellanox.com/*", Device::kOther},
    {"openshift.io/*", Device::kOther},
    {"k8s.cni.cncf.io/*", Device::kOther},
    {"devices.kubevirt.io/*", Device::kOther},
    {"smarter-devices/*", Device::kOther},
    {"squat.ai/*", Device::kOther},
    {"github.com/*", Device::kOther},
    {"hugepages-*", Device::kOther},
    {"attachable-volumes-*", Device::kOther},
    {"*kubernetes.io/*", Device::kOther},
};

constexpr DeviceRule kDrivers[] = {
    {"compute-domain.nvidia.com", Device::kOther},
    {"*gpu.nvidia.com", Device::kGpu},
    {"mig.nvidia.com", Device::kGpu},
    {"gpu.amd.com", Device::kOther},
    {"gpu.intel.com", Device::kOther},
    {"*.intel.com", Device::kOther},
    {"gaudi.*", Device::kOther},
    {"neuron.aws.com", Device::kOther},
    {"tpu.google.com", Device::kOther},
    {"dra.net", Device::kOther},
    {"*dranet*", Device::kOther},
    {"*sriov*", Device::kOther},
    {"cni.dra.networking.x-k8s.io", Device::kOther},
    {"dra.cpu", Device::kOther},
};

constexpr DeviceRule kClasses[] = {
    {"compute-domain-*.nvidia.com", Device::kOther},
    {"gpu.nvidia.com", Device::kGpu},
    {"mig.nvidia.com", Device::kGpu},
    {"vfio.gpu.nvidia.com", Device::kGpu},
};

constexpr const char* kClassPrefix = "deviceclass.resource.kubernetes.io/";

template <typename Rules>
std::optional<Device> device_by_rules(const Rules& rules, const std::string& name) {
    for (const DeviceRule& rule : rules) {
        if (fnmatch(rule.glob, name.c_str(), 0) == 0) return rule.device;
    }
    return std::nullopt;
}

Device device_for(const std::string& name, const KnownDevices& known) {
    const Device by_table = device_of_resource(name);
    const auto found = known.resources.find(name);
    return by_table == Device::kUnknown && found != known.resources.end() ? found->second : by_table;
}

void merge_device(GpuUse& use, Device device, const std::string& note) {
    if (device == Device::kGpu) {
        use.has_gpu = true;
        use.note.clear();
    } else if (device == Device::kUnknown && !use.has_gpu) {
        use = {true, note};
    }
}

// A container that is known to have a GPU gets no note about unknown devices.
void merge_use(GpuUse& use, const GpuUse& other) {
    if (!other.has_gpu || (use.has_gpu && use.note.empty())) return;
    if (!use.has_gpu || other.note.empty()) use = other;
}

void merge_amounts(GpuUse& use, const Json& amounts, const KnownDevices& known) {
    if (!amounts.is_object()) return;
    for (const auto& [name, amount] : amounts.items()) {
        if (!is_zero(amount)) {
            merge_device(use, device_for(name, known), fmt::format("requests {}, an unknown resource", name));
        }
    }
}

std::optional<ClaimSource> source_of(const Json& claim) {
    // Kubernetes 1.30 and earlier store the two names in a `source` field.
    for (const Json* parent : {&claim, &value_at(claim, "source")}) {
        for (const char* kind : {"ResourceClaim", "ResourceClaimTemplate"}) {
            const std::string field =
                kind == std::string("ResourceClaim") ? "resourceClaimName" : "resourceClaimTemplateName";
            const std::string name = text_at(*parent, field.c_str());
            if (!name.empty()) return ClaimSource{kind, name};
        }
    }
    return std::nullopt;
}

Device device_of_claim(const std::string& claim_name, const Json& pod_spec, const KnownDevices& known) {
    const Json* claim = find(pod_spec, Path{"resourceClaims"}.item(claim_name));
    const auto source = claim ? source_of(*claim) : std::nullopt;
    const auto found = source ? known.claims.find(*source) : known.claims.end();
    return found == known.claims.end() ? Device::kUnknown : found->second;
}

// Returns the driver in a CEL expression such as device.driver == "gpu.nvidia.com".
std::string driver_in(const std::string& expression) {
    const size_t at = expression.find("device.driver");
    const size_t open = at == std::string::npos ? at : expression.find_first_of("\"'", at);
    if (open == std::string::npos) return "";
    const size_t close = expression.find(expression[open], open + 1);
    return close == std::string::npos ? "" : expression.substr(open + 1, close - open - 1);
}

Device device_of_expression(const std::string& expression) {
    // An expression may accept several drivers. Attribute names are qualified by the driver too, as in
    // device.attributes["gpu.nvidia.com"].
    if (expression.find("gpu.nvidia.com") != std::string::npos) return Device::kGpu;
    const std::string driver = driver_in(expression);
    return driver.empty() ? Device::kUnknown : device_of_driver(driver);
}

bool has_visible_devices(const std::string& value) { return !value.empty() && value != "void" && value != "none"; }

// Reads the variables that NVIDIA's container runtime uses. A value from a valueFrom reference
// is unknown.
GpuUse gpu_use_of_environment(const Json& container) {
    const Json* variable = find(container, Path{"env"}.item("NVIDIA_VISIBLE_DEVICES"));
    if (!variable) return {};
    if (variable->contains("valueFrom")) return {true, "has NVIDIA_VISIBLE_DEVICES from an unknown source"};
    return {has_visible_devices(text_at(*variable, "value")), ""};
}

bool has_gpu_request(const Json& pod_spec) {
    const Json& containers = value_at(pod_spec, "containers");
    return containers.is_array() && std::any_of(containers.begin(), containers.end(), [&](const Json& container) {
               return gpu_use_of_resources(value_at(container, "resources"), pod_spec).has_gpu ||
                      find(container, Path{"env"}.item("NVIDIA_VISIBLE_DEVICES"));
           });
}

}  // namespace

Device device_of_resource(const std::string& name) {
    if (name.starts_with(kClassPrefix))
        return device_by_rules(kClasses, class_of_resource(name)).value_or(Device::kUnknown);
    if (const auto device = device_by_rules(kResources, name)) return *device;
    // Only the names of extended resources contain a domain.
    return name.find('/') == std::string::npos ? Device::kOther : Device::kUnknown;
}

Device device_of_driver(const std::string& driver) {
    return device_by_rules(kDrivers, driver).value_or(Device::kUnknown);
}

Device device_of_class(const std::string& name, const Json& device_class) {
    if (const auto device = device_by_rules(kClasses, name)) return *device;
    const Json& spec = value_at(device_class, "spec");
    const std::string resource = text_at(spec, "extendedResourceName");
    if (!resource.empty() && device_of_resource(resource) != Device::kUnknown) return device_of_resource(resource);
    Device device = Device::kNone;
    for (const Json& selector : items_at(spec, "selectors")) {
        const Device found = device_of_expression(text_at(value_at(selector, "cel"), "expression"));
        if (device == Device::kNone || found != Device::kUnknown) device = found;
    }
    return device == Device::kNone ? Device::kUnknown : device;
}

std::vector<std::string> classes_of_claim(const Json& claim) {
    const Json& spec = value_at(claim, "spec");
    // A ResourceClaimTemplate has an inner spec.
    const Json& inner = value_at(spec, "spec").is_object() ? value_at(spec, "spec") : spec;
    std::vector<std::string> classes;
    const auto add = [&](const Json& request) {
        const std::string name = text_at(request, "deviceClassName");
        if (!name.empty()) classes.push_back(name);
    };
    for (const Json& request : items_at(value_at(inner, "devices"), "requests")) {
        add(request);
        add(value_at(request, "exactly"));
        for (const Json& alternative : items_at(request, "firstAvailable")) add(alternative);
    }
    return classes;
}

Device device_of_allocation(const Json& claim) {
    const Json& allocation = value_at(value_at(claim, "status"), "allocation");
    Device device = Device::kNone;
    for (const Json& result : items_at(value_at(allocation, "devices"), "results")) {
        device = stronger_device(device, device_of_driver(text_at(result, "driver")));
    }
    return device == Device::kNone ? Device::kUnknown : device;
}

bool is_zero(const Json& amount) {
    if (amount.is_number()) return amount == 0;
    if (!amount.is_string()) return true;
    const std::string& text = amount.get_ref<const std::string&>();
    const std::string digits = text.substr(0, text.find_first_not_of("+.0123456789"));
    return digits.find_first_of("123456789") == std::string::npos;
}

GpuUse gpu_use_of_resources(const Json& resources, const Json& pod_spec, const KnownDevices& known) {
    GpuUse use;
    merge_amounts(use, value_at(resources, "limits"), known);
    merge_amounts(use, value_at(resources, "requests"), known);
    for (const Json& claim : items_at(resources, "claims")) {
        const std::string name = text_at(claim, "name");
        if (name.empty()) continue;
        merge_device(use, device_of_claim(name, pod_spec, known), fmt::format("claims {}, an unknown device", name));
    }
    return use;
}

GpuUse gpu_use(const Json& container, const Json& pod_spec, const KnownDevices& known) {
    GpuUse use = gpu_use_of_resources(value_at(container, "resources"), pod_spec, known);
    merge_use(use, gpu_use_of_environment(container));
    // The image may set NVIDIA_VISIBLE_DEVICES. This possibility is considered only if no container of the pod requests
    // a GPU or sets the variable.
    const bool has_runtime = text_at(pod_spec, "runtimeClassName").starts_with("nvidia");
    if (!use.has_gpu && has_runtime && !has_gpu_request(pod_spec)) {
        return {true, "has runtimeClassName " + text_at(pod_spec, "runtimeClassName") + " and requests no GPU"};
    }
    return use;
}

std::string container_with_share(const Json& annotations, const Json& pod_spec) {
    const bool has_share =
        !is_zero(value_at(annotations, "gpu-fraction")) || !is_zero(value_at(annotations, "gpu-memory"));
    if (!has_share) return "";
    const std::string named = text_at(annotations, "gpu-fraction-container-name");
    const Json& containers = value_at(pod_spec, "containers");
    if (!named.empty() || !containers.is_array() || containers.empty()) return named;
    return text_at(containers.front(), "name");
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

std::vector<std::string> unknown_resources(const Json& pod_spec) {
    std::vector<std::string> unknown;
    for (const char* list : {"containers", "initContainers"}) {
        for (const Json& container : items_at(pod_spec, list)) {
            for (const char* amounts : {"limits", "requests"}) {
                const Json& requested = value_at(value_at(container, "resources"), amounts);
                if (!requested.is_object()) continue;
                for (const auto& [name, amount] : requested.items()) {
                    const bool is_new = std::find(unknown.begin(), unknown.end(), name) == unknown.end();
                    if (is_new && !is_zero(amount) && device_of_resource(name) == Device::kUnknown) {
                        unknown.push_back(name);
                    }
                }
            }
        }
    }
    return unknown;
}

std::string class_of_resource(const std::string& resource) {
    return resource.starts_with(kClassPrefix) ? resource.substr(std::string(kClassPrefix).size()) : "";
}

}  // namespace cudafault::kube
