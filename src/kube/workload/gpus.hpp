// SPDX-License-Identifier: Apache-2.0
// Which containers have a GPU, by what they request.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// What is known of a device that a container requests. An unknown device counts as a GPU, with a note: a library in a
// container without a GPU does nothing, and a container that is passed over never fails.
enum class Device { kNone, kOther, kUnknown, kGpu };

// The source of a pod's claim of dynamic resource allocation.
struct ClaimSource {
    std::string kind;  // ResourceClaim or ResourceClaimTemplate
    std::string name;

    auto operator<=>(const ClaimSource&) const = default;
};

// What the cluster says of devices that a template only names. What is missing here was not looked up.
struct KnownDevices {
    std::map<ClaimSource, Device> claims;
    std::map<std::string, Device> resources;  // extended resources of DeviceClasses
};

// Whether a container has a GPU, and for a guess why it counts.
struct GpuUse {
    bool has_gpu = false;
    std::string note = "";  // "requests acme.com/accelerator, an unknown resource", or empty
};

// By the table: nvidia.com/gpu, shared, MIG and virtual GPUs; not cpu, memory, and the devices of other vendors.
Device device_of_resource(const std::string& name);
inline bool is_gpu_resource(const std::string& name) { return device_of_resource(name) == Device::kGpu; }

// The driver of dynamic resource allocation, such as gpu.nvidia.com.
Device device_of_driver(const std::string& driver);

// `device_class`: a DeviceClass, or null if it cannot be read.
Device device_of_class(const std::string& name, const Json& device_class);

// The DeviceClasses that a ResourceClaim or ResourceClaimTemplate of any version requests.
std::vector<std::string> classes_of_claim(const Json& claim);

// By the drivers that a ResourceClaim is allocated from; unknown while it is not.
Device device_of_allocation(const Json& claim);

// Of devices that are requested together: a GPU if one is, else unknown if one is.
inline Device most_of(Device one, Device other) { return std::max(one, other); }

// Whether an amount is none: 0, "0", "0.0", or no amount at all.
bool is_zero(const Json& amount);

// Of limits, requests and claims (a container's `resources`).
GpuUse gpu_use_of_resources(const Json& resources, const Json& pod_spec, const KnownDevices& known = {});

// Also by the environment that a container runtime of NVIDIA reads.
GpuUse gpu_use(const Json& container, const Json& pod_spec, const KnownDevices& known = {});

// The container that gets the GPU share which annotations of its pod request (gpu-fraction, gpu-memory), or empty.
std::string container_with_share(const Json& annotations, const Json& pod_spec);

std::vector<ClaimSource> claim_sources(const Json& pod_spec);

// The extended resources that containers of the pod spec request and that the table does not know.
std::vector<std::string> unknown_resources(const Json& pod_spec);

// The DeviceClass that deviceclass.resource.kubernetes.io/NAME stands for, or empty.
std::string class_of_resource(const std::string& resource);

}  // namespace cudafault::kube
