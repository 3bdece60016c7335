// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/device_lookup.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/workload/pods.hpp"

namespace cudafault::kube {

namespace {

class DeviceLookup {
public:
    DeviceLookup(Client& client, Discovery& discovery, const Workload& workload)
        : client_(client), discovery_(discovery), workload_(workload) {}

    KnownDevices run() {
        for (const TemplateSite& site : workload_.templates) {
            const Json* pod_spec = find(workload_.object, site.pod_spec);
            if (!pod_spec) continue;
            for (const ClaimSource& source : claim_sources(*pod_spec)) {
                if (!known_.claims.contains(source)) known_.claims[source] = look_up_claim_source(source);
            }
            for (const std::string& resource : unknown_resources(*pod_spec)) {
                if (!known_.resources.contains(resource)) known_.resources[resource] = look_up_resource(resource);
            }
        }
        read_running_pods();
        return known_;
    }

private:
    // Returns the resource in the preferred version that the server serves.
    std::optional<Resource> resource_of_kind(const std::string& kind) {
        for (const char* version : {"v1", "v1beta2", "v1beta1"}) {
            auto resource = discovery_.find(std::string("resource.k8s.io/") + version, kind);
            if (resource) return resource;
        }
        return std::nullopt;
    }

    Json read(const std::string& kind, const std::string& in_namespace, const std::string& name) {
        try {
            const auto resource = resource_of_kind(kind);
            const auto object = resource ? client_.find({*resource, in_namespace, name}) : std::nullopt;
            return object.value_or(Json());
        } catch (const ApiError&) {
            return {};  // permission to read the object is optional
        }
    }

    Device look_up_class(const std::string& name) {
        const Device by_name = device_of_class(name, {});
        return by_name == Device::kUnknown ? device_of_class(name, read("DeviceClass", "", name)) : by_name;
    }

    Device look_up_claim_source(const ClaimSource& source) {
        const Json claim = read(source.kind, workload_.ref.in_namespace, source.name);
        if (claim.is_null()) return Device::kUnknown;
        Device device = Device::kNone;
        for (const std::string& name : classes_of_claim(claim)) device = stronger_device(device, look_up_class(name));
        return device == Device::kUnknown ? device_of_allocation(claim) : device;
    }

    Device look_up_resource(const std::string& resource) {
        const std::string named = class_of_resource(resource);
        if (!named.empty()) return look_up_class(named);
        Device device = Device::kUnknown;
        for (const Json& device_class : classes()) {
            if (text_at(value_at(device_class, "spec"), "extendedResourceName") == resource) {
                device = device_of_class(text_at(value_at(device_class, "metadata"), "name"), device_class);
            }
        }
        return device;
    }

    const std::vector<Json>& classes() {
        if (classes_) return *classes_;
        classes_.emplace();
        try {
            const auto resource = resource_of_kind("DeviceClass");
            if (!resource) return *classes_;
            *classes_ = client_.list_all({*resource, ""});
        } catch (const ApiError&) {
            classes_->clear();
        }
        return *classes_;
    }

    bool has_unknown_device() const {
        const auto is_unknown = [](const auto& entry) { return entry.second == Device::kUnknown; };
        return std::any_of(known_.claims.begin(), known_.claims.end(), is_unknown) ||
               std::any_of(known_.resources.begin(), known_.resources.end(), is_unknown);
    }

    // For a running pod, the allocation of the claim names the driver of the device.
    void read_running_pods() {
        if (!has_unknown_device()) return;
        try {
            for (const Json& pod : pods_of(client_, discovery_, workload_)) read_devices_of(pod);
        } catch (const ApiError&) {
            return;
        }
    }

    void read_devices_of(const Json& pod) {
        const Json& status = value_at(pod, "status");
        const Json& claims = value_at(value_at(pod, "spec"), "resourceClaims");
        for (const ClaimSource& source : claim_sources(value_at(pod, "spec"))) {
            const auto entry = known_.claims.find(source);
            if (entry == known_.claims.end() || entry->second != Device::kUnknown) continue;
            entry->second = look_up_allocation(claim_object_name(status, claim_name_in_pod(claims, source)));
        }
        const Json& extended = value_at(status, "extendedResourceClaimStatus");
        for (const Json& mapping : items_at(extended, "requestMappings")) {
            const auto entry = known_.resources.find(text_at(mapping, "resourceName"));
            if (entry == known_.resources.end() || entry->second != Device::kUnknown) continue;
            entry->second = look_up_allocation(text_at(extended, "resourceClaimName"));
        }
    }

    // Returns the name that the pod uses for the claim.
    static std::string claim_name_in_pod(const Json& claims, const ClaimSource& source) {
        for (const Json& claim : claims) {
            const std::vector<ClaimSource> sources = claim_sources({{"resourceClaims", {claim}}});
            if (sources.size() == 1 && sources.front() == source) return text_at(claim, "name");
        }
        return "";
    }

    static std::string claim_object_name(const Json& status, const std::string& name) {
        const Json* found = find(status, Path{"resourceClaimStatuses"}.item(name));
        return found ? text_at(*found, "resourceClaimName") : "";
    }

    Device look_up_allocation(const std::string& claim) {
        if (claim.empty()) return Device::kUnknown;
        return device_of_allocation(read("ResourceClaim", workload_.ref.in_namespace, claim));
    }

    Client& client_;
    Discovery& discovery_;
    const Workload& workload_;
    KnownDevices known_;
    std::optional<std::vector<Json>> classes_;
};

}  // namespace

KnownDevices look_up_devices(Client& client, Discovery& discovery, const Workload& workload) {
    return DeviceLookup(client, discovery, workload).run();
}

}  // namespace cudafault::kube
