// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/pod_state.hpp"

#include <algorithm>

#include "kube/api/common/json.hpp"
#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

bool has_config_map_volume(const Json& pod, const std::string& name) {
    const Json& volumes = value_at(value_at(pod, "spec"), "volumes");
    return std::any_of(volumes.begin(), volumes.end(),
                       [&](const Json& volume) { return text_at(volume, {"configMap", "name"}) == name; });
}

bool has_variable(const Json& pod, const std::string& name, const std::string& value) {
    for (const char* list : {"containers", "initContainers"}) {
        for (const Json& container : value_at(value_at(pod, "spec"), list)) {
            if (text_at(container, Path{"env"}.item(name) / "value") == value) return true;
        }
    }
    return false;
}

bool has_ended(const Json& status) {
    return number_at(status, {"restartCount"}) > 0 || find(status, {"state", "terminated"});
}

}  // namespace

bool is_injected(const Json& pod, const std::string& hash, const std::string& injection) {
    return has_config_map_volume(pod, names::kPlanPrefix + hash) &&
           (injection.empty() || has_variable(pod, names::kInjection, injection));
}

bool is_terminating(const Json& pod) { return find(pod, {"metadata", "deletionTimestamp"}) != nullptr; }

bool is_ready(const Json& pod) { return condition_status(pod, "Ready") == "True"; }

bool is_finished(const Json& pod) {
    const std::string phase = text_at(pod, {"status", "phase"});
    return phase == "Succeeded" || phase == "Failed";
}

bool has_crashed(const Json& pod) {
    const Json& statuses = items_at(pod, {"status", "containerStatuses"});
    return std::any_of(statuses.begin(), statuses.end(), has_ended);
}

bool has_run(const Json& pod) {
    const std::vector<const Json*> statuses = running_container_statuses(pod);
    return is_ready(pod) || (!statuses.empty() && std::all_of(statuses.begin(), statuses.end(), [](const Json* status) {
               return has_ended(*status) || find(*status, {"state", "running"});
           }));
}

bool is_running(const Json& pod, const std::string& container) {
    const Json* status = container_status(pod, container);
    return status && find(*status, {"state", "running"});
}

std::string pod_name(const Json& pod) { return text_at(pod, {"metadata", "name"}); }

std::string pod_namespace(const Json& pod) { return text_at(pod, {"metadata", "namespace"}); }

std::string pod_uid(const Json& pod) { return text_at(pod, {"metadata", "uid"}); }

const Json* condition_of(const Json& object, const std::string& type) {
    return find(object, Path{"status", "conditions"}.item(type, "type"));
}

std::string condition_status(const Json& object, const std::string& condition) {
    const Json* found = condition_of(object, condition);
    return found ? text_at(*found, "status") : "";
}

std::vector<const Json*> running_container_statuses(const Json& pod) {
    std::vector<const Json*> found;
    for (const Json& status : items_at(pod, {"status", "containerStatuses"})) found.push_back(&status);
    for (const Json& status : items_at(pod, {"status", "initContainerStatuses"})) {
        const Path container = Path{"spec", "initContainers"}.item(text_at(status, "name"));
        if (text_at(pod, container / "restartPolicy") == "Always") found.push_back(&status);
    }
    return found;
}

const Json* container_status(const Json& pod, const std::string& container) {
    for (const char* list : {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"}) {
        if (const Json* status = find(pod, Path{"status", list}.item(container))) return status;
    }
    return nullptr;
}

}  // namespace cudafault::kube
