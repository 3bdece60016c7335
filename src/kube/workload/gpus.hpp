// SPDX-License-Identifier: Apache-2.0
// Determines which containers have a GPU from the resources that they request.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "kube/object/path.hpp"

namespace cudafault::kube {

// The kind of a device that a container requests. An unknown device is treated as a GPU, with a note: the
// library has no effect in a container without a GPU, but faults never fire in a container that was skipped.
enum class Device { kNone, kOther, kUnknown, kGpu };

// The object that a pod's claim for dynamic resource allocation (DRA) refers to.
struct ClaimSource {
    std::string kind;  // ResourceClaim or ResourceClaimTemplate
    std::string name;

    auto operator<=>(const ClaimSource&) const = default;
};

// Devices that a template refers to by name, as read from the cluster. A name without an entry was not looked up.
struct KnownDevices {
    std::map<ClaimSource, Device> claims;
    std::map<std::string, Device> resources;  // extended resources that DeviceClasses define
};

// States whether a container has a GPU and, if this is an assumption, the reason.
struct GpuUse {
    bool has_gpu = false;
    std::string note = "";  // "requests acme.com/accelerator, an unknown resource", or empty
};

// Returns the device of an extended resource in the table. GPUs are nvidia.com/gpu and shared, MIG and virtual GPUs,
// but not cpu, memory, or devices of other vendors.
Device device_of_resource(const std::string& name);
inline bool is_gpu_resource(const std::string& name) { return device_of_resource(name) == Device::kGpu; }

// Returns the device of a DRA driver such as gpu.nvidia.com.
Device device_of_driver(const std::string& driver);

// Returns the device of a DeviceClass. `device_class` is the object, or null if it cannot be read.
Device device_of_class(const std::string& name, const Json& device_class);

// Returns the DeviceClasses that a ResourceClaim or ResourceClaimTemplate requests, in any API version.
std::vector<std::string> classes_of_claim(const Json& claim);

// Returns the device of the drivers that a ResourceClaim is allocated from, or kUnknown if it is not allocated.
Device device_of_allocation(const Json& claim);

// Combines devices that are requested together: a GPU if either is a GPU, else unknown if either is unknown.
inline Device stronger_device(Device a, Device b) { return std::max(a, b); }

// Returns true if the amount is 0, "0", "0.0", or not a valid amount.
bool is_zero(const Json& amount);

// Determines the GPU use from the limits, requests and claims of a container's `resources`.
GpuUse gpu_use_of_resources(const Json& resources, const Json& pod_spec, const KnownDevices& known = {});

// Like gpu_use_of_resources, but also considers the environment variables of NVIDIA's container runtime.
GpuUse gpu_use(const Json& container, const Json& pod_spec, const KnownDevices& known = {});

// Returns the container that gets the GPU share requested by annotations of its pod (gpu-fraction, gpu-memory), or
// empty.
std::string container_with_share(const Json& annotations, const Json& pod_spec);

std::vector<ClaimSource> claim_sources(const Json& pod_spec);

// Returns the extended resources that containers of the pod spec request and that are not in the table.
std::vector<std::string> unknown_resources(const Json& pod_spec);

// Returns the DeviceClass for a resource deviceclass.resource.kubernetes.io/NAME, or empty.
std::string class_of_resource(const std::string& resource);

}  // namespace cudafault::kube
