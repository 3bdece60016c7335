// SPDX-License-Identifier: Apache-2.0
#include "kube/dry_run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/api_error.hpp"
#include "kube/api/resources.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kNoPermission = "no permission to create pods, so it was not tried whether one would be admitted";
constexpr const char* kComposed =
    "the operator composes the pods of {}, so it was not tried whether one would be admitted";
constexpr const char* kFullQuota =
    "the namespace's quota for pods is full; pods are replaced and not added, so that is no obstacle";

// The controller gives each pod a volume for each claim template that lies beside its own: StatefulSet,
// LeaderWorkerSet.
void add_claimed_volumes(const Json& changed, const TemplateSite& site, Json& spec) {
    const Json* claims = find(changed, site.pod_spec.parent().parent() / "volumeClaimTemplates");
    for (const Json& claim : claims && claims->is_array() ? *claims : Json::array()) {
        const std::string name = text_at(claim, {"metadata", "name"});
        if (!find(spec, Path{"volumes"}.item(name))) {
            spec["volumes"].push_back({{"name", name}, {"emptyDir", Json::object()}});
        }
    }
}

// A pod spec that stands by itself: graphs in short form have no containers list, and get no dry run.
std::optional<Json> pod_of(const Workload& workload, const Json& changed, const TemplateSite& site) {
    const Json* spec = find(changed, site.pod_spec);
    const Json* containers = spec ? find(*spec, {"containers"}) : nullptr;
    if (!containers || !containers->is_array() || containers->empty()) return {};
    Json metadata = {{"generateName", "cudafault-dry-run-"}, {"namespace", workload.target.in_namespace}};
    for (const char* field : {"labels", "annotations"}) {
        const Json* found = find(changed, site.pod_spec.parent() / "metadata" / field);
        if (found && found->is_object()) metadata[field] = *found;
    }
    Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata}, {"spec", *spec}};
    add_claimed_volumes(changed, site, pod["spec"]);
    return pod;
}

// Of "exceeded quota: q, requested: pods=1,requests.cpu=2, used: pods=5,...": whether it is the number of pods alone.
bool is_full_pod_quota(const ApiError& error) {
    const std::string text = error.what(), start = "requested: ";
    const size_t at = text.find(start);
    if (error.code != 403 || text.find("exceeded quota") == std::string::npos || at == std::string::npos) return false;
    std::string requested = text.substr(at + start.size());
    requested.erase(std::min(requested.size(), requested.find(", ")));
    return requested == "pods=1" || requested == "count/pods=1" || requested == "count/pods=1,pods=1";
}

// Of the kinds of Kubernetes itself none makes a pod more than there were, once injected.
bool may_surge(const Workload& workload) {
    const std::string& group = workload.target.resource.group;
    return group != "apps" && group != "batch" && workload.replacement != Replacement::kOnDelete;
}

// Nobody but the node knows the image's user.
void check_user(const Json& pod, std::vector<std::string>& notes) {
    const auto setting = [&](const Json& of, const char* field) { return find(of, {"securityContext", field}); };
    const Json& spec = pod.at("spec");
    const Json* containers = find(spec, {"containers"});
    for (const Json& container : *containers) {
        const Json* non_root = setting(container, "runAsNonRoot");
        if (!non_root) non_root = setting(spec, "runAsNonRoot");
        const bool has_user = setting(container, "runAsUser") || setting(spec, "runAsUser");
        if (!non_root || *non_root != true || has_user) continue;
        notes.push_back(
            fmt::format("container {} has runAsNonRoot without runAsUser: whether its image's user is root "
                        "only the node finds out",
                        text_at(container, {"name"})));
    }
}

void dry_run_pod(Client& client, const Json& pod, bool surges, std::vector<std::string>& notes) {
    try {
        client.create(pods(), pod, dry_run());
    } catch (const ApiError& error) {
        const std::string text = error.what();
        if (!surges && is_full_pod_quota(error)) return notes.push_back(kFullQuota);
        if (error.code == 403 && text.find("cannot create resource") != std::string::npos) {
            return notes.push_back(kNoPermission);
        }
        throw Error(fmt::format("the cluster would refuse the injected pods, so nothing was changed: {}", text));
    }
}

}  // namespace

void dry_run_pods(Client& client, const Workload& workload, const Json& changed,
                  const std::vector<TemplateSite>& templates, std::vector<std::string>& notes) {
    for (const TemplateSite& site : templates) {
        const std::optional<Json> pod = pod_of(workload, changed, site);
        if (!pod) {
            notes.push_back(fmt::format(kComposed, site.name));
            continue;
        }
        check_user(*pod, notes);
        dry_run_pod(client, *pod, may_surge(workload), notes);
    }
}

}  // namespace cudafault::kube
