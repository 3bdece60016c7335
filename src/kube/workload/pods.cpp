// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/pods.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/object/owners.hpp"
#include "kube/workload/kinds.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

using Uids = std::set<std::string>;

bool is_in_scope(const Json& pod, PodScope scope) {
    if (!is_finished(pod)) return true;
    return scope == PodScope::kWithFinished && text_at(pod, {"spec", "restartPolicy"}, "Always") != "Always";
}

std::vector<Json> list_pods(Client& client, const std::string& in_namespace, const std::string& label_selector,
                            PodScope scope) {
    const char* phases = scope == PodScope::kUnfinished ? "status.phase!=Succeeded,status.phase!=Failed" : "";
    std::vector<Json> found = client.list_all({pods(), in_namespace}, {label_selector, phases});
    std::erase_if(found, [&](const Json& pod) { return !is_in_scope(pod, scope); });
    return found;
}

std::vector<std::string> texts_of(const Json& list) {
    std::vector<std::string> texts;
    if (!list.is_array()) return texts;
    for (const Json& item : list) {
        if (item.is_string()) texts.push_back(item.get<std::string>());
    }
    return texts;
}

std::string requirement_of(const Json& expression) {
    std::string key = text_at(expression, "key");
    const std::string operation = text_at(expression, "operator");
    const std::string values = fmt::format("({})", fmt::join(texts_of(value_at(expression, "values")), ","));
    if (operation == "In") return key + " in " + values;
    if (operation == "NotIn") return key + " notin " + values;
    if (operation == "Exists") return key;
    return operation == "DoesNotExist" ? "!" + key : "";
}

// Converts a LabelSelector to the text of a query parameter.
std::string selector_text(const Json& selector) {
    std::vector<std::string> requirements;
    const Json& labels = value_at(selector, "matchLabels");
    if (labels.is_object()) {
        for (const auto& [key, value] : labels.items()) {
            if (value.is_string()) requirements.push_back(key + "=" + value.get<std::string>());
        }
    }
    const Json& expressions = value_at(selector, "matchExpressions");
    if (expressions.is_array()) {
        for (const Json& expression : expressions) requirements.push_back(requirement_of(expression));
    }
    std::erase(requirements, "");
    return fmt::format("{}", fmt::join(requirements, ","));
}

bool is_controlled_by(const Json& object, const Uids& uids) {
    const auto owner = controller_of(object);
    return owner && uids.contains(owner->uid);
}

Uids owned_by(const Uids& controllers, const std::vector<Json>& objects) {
    Uids uids;
    for (const Json& object : objects) {
        if (is_controlled_by(object, controllers)) uids.insert(uid_of(object));
    }
    return uids;
}

// Checks the owner, because another workload may have the same labels.
std::vector<Json> list_owned_pods(Client& client, const Workload& workload, const std::string& selector,
                                  const Uids& owners, PodScope scope) {
    std::vector<Json> pods = list_pods(client, workload.ref.in_namespace, selector, scope);
    std::erase_if(pods, [&](const Json& pod) { return !is_controlled_by(pod, owners); });
    return pods;
}

Json workload_reference(Client& client, const ObjectRef& rollout) {
    try {
        const auto object = client.find(rollout);
        return object ? value_at(value_at(*object, "spec"), "workloadRef") : Json();
    } catch (const ApiError& error) {
        if (!error.is_forbidden()) throw;
        return {};
    }
}

// An Argo Rollout with a workloadRef creates pods from the template of that Deployment, through its own ReplicaSets.
Uids rollouts_of(Client& client, const Workload& deployment, const std::vector<Json>& replica_sets) {
    static const Resource rollouts = {"argoproj.io", "v1alpha1", "rollouts", "rollout", "Rollout", true, {}, {}, {}};
    std::map<std::string, std::string> names;  // by UID
    for (const Json& set : replica_sets) {
        const auto owner = controller_of(set);
        if (owner && owner->resource.kind == "Rollout" && owner->resource.group == "argoproj.io")
            names[owner->uid] = owner->name;
    }
    Uids uids;
    for (const auto& [uid, name] : names) {
        const Json reference = workload_reference(client, {rollouts, deployment.ref.in_namespace, name});
        if (text_at(reference, "name") == deployment.ref.name &&
            text_at(reference, "kind") == deployment.ref.resource.kind) {
            uids.insert(uid);
        }
    }
    return uids;
}

std::vector<Json> pods_of_replica_sets(Client& client, const Workload& workload, const std::string& selector,
                                       PodScope scope) {
    const auto sets = client.list_all({replica_sets(), workload.ref.in_namespace}, {selector, ""});
    Uids controllers = rollouts_of(client, workload, sets);
    controllers.insert(workload.uid());
    return list_owned_pods(client, workload, selector, owned_by(controllers, sets), scope);
}

std::vector<Json> pods_of_jobs(Client& client, const Workload& workload, PodScope scope) {
    const auto all = client.list_all({jobs(), workload.ref.in_namespace}, {});
    return list_owned_pods(client, workload, pod_selector(workload), owned_by({workload.uid()}, all), scope);
}

std::vector<Json> find_pod(Client& client, const Workload& workload, PodScope scope) {
    const auto pod = client.find(workload.ref);
    if (!pod || !is_in_scope(*pod, scope)) return {};
    return {*pod};
}

// Follows owner references upward. Reads each owner only once.
class OwnerChains {
public:
    OwnerChains(Client& client, Discovery& discovery, std::string in_namespace)
        : client_(client), discovery_(discovery), in_namespace_(std::move(in_namespace)) {}

    bool is_ancestor(const std::string& uid, const Json& object) {
        auto owner = controller_of(object);
        for (int step = 0; owner && step < kMaxOwnerDepth; ++step) {
            if (owner->uid == uid) return true;
            owner = controller_above(*owner);
        }
        return false;
    }

private:
    std::optional<ObjectRef> controller_above(const ObjectRef& owner) {
        const auto known = controllers_above_.find(owner.uid);
        if (known != controllers_above_.end()) return known->second;
        return controllers_above_[owner.uid] = read_controller_above(owner);
    }

    // If an owner cannot be read, the pod is treated as a pod of another workload.
    std::optional<ObjectRef> read_controller_above(const ObjectRef& owner) {
        try {
            const auto resource = discovery_.find(owner.resource.api_version(), owner.resource.kind);
            const auto object = resource ? client_.find({*resource, in_namespace_, owner.name}) : std::nullopt;
            return object && uid_of(*object) == owner.uid ? controller_of(*object) : std::nullopt;
        } catch (const ApiError& error) {
            if (!error.is_forbidden()) throw;
            return std::nullopt;
        }
    }

    Client& client_;
    Discovery& discovery_;
    std::string in_namespace_;
    std::map<std::string, std::optional<ObjectRef>> controllers_above_;  // by the UID of the controlled object
};

std::vector<Json> pods_by_owners(Client& client, Discovery& discovery, const Workload& workload, PodScope scope) {
    std::vector<Json> pods = list_pods(client, workload.ref.in_namespace, "", scope);
    OwnerChains chains(client, discovery, workload.ref.in_namespace);
    std::erase_if(pods, [&](const Json& pod) { return !chains.is_ancestor(workload.uid(), pod); });
    return pods;
}

std::vector<Json> search(Client& client, Discovery& discovery, const Workload& workload, PodScope scope) {
    const Kind* kind = kind_of(workload.ref.resource);
    const std::string selector = pod_selector(workload);
    switch (kind ? kind->pod_search : PodSearch::kOwners) {
        case PodSearch::kSelector: return list_owned_pods(client, workload, selector, {workload.uid()}, scope);
        case PodSearch::kReplicaSets: return pods_of_replica_sets(client, workload, selector, scope);
        case PodSearch::kJobs: return pods_of_jobs(client, workload, scope);
        case PodSearch::kLabels: return list_pods(client, workload.ref.in_namespace, selector, scope);
        case PodSearch::kItself: return find_pod(client, workload, scope);
        case PodSearch::kOwners: break;
    }
    return pods_by_owners(client, discovery, workload, scope);
}

bool has_chosen_template(const Workload& workload, const Json& pod) {
    const Kind* kind = kind_of(workload.ref.resource);
    const std::string name = kind && kind->template_of ? kind->template_of(workload.object, pod) : "";
    return name.empty() || workload.templates.empty() ||
           std::any_of(workload.templates.begin(), workload.templates.end(),
                       [&](const TemplateSite& site) { return site.name == name; });
}

}  // namespace

std::string pod_selector(const Workload& workload) {
    const Kind* kind = kind_of(workload.ref.resource);
    switch (kind ? kind->pod_search : PodSearch::kOwners) {
        case PodSearch::kSelector:
        case PodSearch::kReplicaSets: return selector_text(value_at(value_at(workload.object, "spec"), "selector"));
        case PodSearch::kJobs: return "job-name";
        case PodSearch::kLabels: return fmt::format(fmt::runtime(kind->pod_labels), workload.ref.name);
        default: return "";
    }
}

std::vector<Json> pods_of(Client& client, Discovery& discovery, const Workload& workload, PodScope scope) {
    std::vector<Json> pods = search(client, discovery, workload, scope);
    std::erase_if(pods, [&](const Json& pod) { return !has_chosen_template(workload, pod); });
    return pods;
}

}  // namespace cudafault::kube
