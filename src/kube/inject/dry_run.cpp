// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/dry_run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/client/client.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kNoPermission =
    "no permission to create pods, so no dry run checked whether a pod would be admitted";
constexpr const char* kComposed =
    "the operator composes the pods of {}, so no dry run checked whether a pod would be admitted";
constexpr const char* kFullQuota =
    "the namespace's quota for {} is full; this does not block the injection, because pods are replaced and not added";

// The controllers of StatefulSets and LeaderWorkerSets add a volume to each pod for each of the volumeClaimTemplates
// next to the pod template.
void add_claimed_volumes(const Json& changed, const TemplateSite& site, Json& spec) {
    for (const Json& claim : items_at(changed, site.pod_spec.parent().parent() / "volumeClaimTemplates")) {
        const std::string name = text_at(claim, {"metadata", "name"});
        if (!find(spec, Path{"volumes"}.item(name))) {
            spec["volumes"].push_back({{"name", name}, {"emptyDir", Json::object()}});
        }
    }
}

// Returns a pod of the template, or std::nullopt if the pod spec is incomplete: graphs in short form have no containers
// list.
std::optional<Json> pod_of(const Workload& workload, const Json& changed, const TemplateSite& site) {
    const Json* spec = find(changed, site.pod_spec);
    const Json* containers = spec ? find(*spec, {"containers"}) : nullptr;
    if (!containers || !containers->is_array() || containers->empty()) return {};
    Json metadata = {{"generateName", names::kDryRunPrefix}, {"namespace", workload.ref.in_namespace}};
    for (const char* field : {"labels", "annotations"}) {
        const Json* found = find(changed, site.pod_spec.parent() / "metadata" / field);
        if (found && found->is_object()) metadata[field] = *found;
    }
    Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata}, {"spec", *spec}};
    add_claimed_volumes(changed, site, pod["spec"]);
    return pod;
}

// Parsed from "exceeded quota: q, requested: pods=1,requests.cpu=2, used: pods=5,requests.cpu=10, limited: ...".
struct ExceededQuota {
    std::string requested, used;

    bool is_only_for_pods() const {
        return requested == "pods=1" || requested == "count/pods=1" || requested == "count/pods=1,pods=1";
    }
    // True if existing pods use the quota, so that deleting a pod frees a part of the quota.
    bool is_used() const { return !used.empty() && (used + ",").find("=0,") == std::string::npos; }
};

std::string part_of(const std::string& text, const std::string& start) {
    const size_t at = text.find(start);
    if (at == std::string::npos) return "";
    const std::string part = text.substr(at + start.size());
    return part.substr(0, part.find(", "));
}

std::optional<ExceededQuota> exceeded_quota(const ApiError& error) {
    const std::string text = error.what();
    if (!error.is_forbidden() || text.find("exceeded quota") == std::string::npos) return {};
    return ExceededQuota{part_of(text, "requested: "), part_of(text, "used: ")};
}

// Returns "pods and requests.nvidia.com/gpu" for "pods=1,requests.nvidia.com/gpu=1".
std::string resources_in(const std::string& amounts) {
    std::string names;
    for (size_t at = 0; at < amounts.size();) {
        const size_t end = std::min(amounts.find(',', at), amounts.size());
        const std::string amount = amounts.substr(at, end - at);
        names += (names.empty() ? "" : " and ") + amount.substr(0, amount.find('='));
        at = end + 1;
    }
    return names;
}

// The injection forbids surge for all built-in kinds of Kubernetes; other operators may still surge.
bool can_surge(const Workload& workload) {
    const std::string& group = workload.ref.resource.group;
    return group != "apps" && group != "batch" && workload.replacement != Replacement::kOnDelete;
}

// Adds a note for each container whose runAsNonRoot only the node can check, because the user is that of the image.
void check_user(const Json& pod, std::vector<std::string>& notes) {
    const auto setting = [&](const Json& owner, const char* field) { return find(owner, {"securityContext", field}); };
    const Json& spec = pod.at("spec");
    const Json* containers = find(spec, {"containers"});
    for (const Json& container : *containers) {
        const Json* non_root = setting(container, "runAsNonRoot");
        if (!non_root) non_root = setting(spec, "runAsNonRoot");
        const bool has_user = setting(container, "runAsUser") || setting(spec, "runAsUser");
        if (!non_root || *non_root != true || has_user) continue;
        notes.push_back(fmt::format(
            "container {} has runAsNonRoot without runAsUser: only the node can check whether the image's user is root",
            text_at(container, {"name"})));
    }
}

// True if the unchanged pod would exceed the same quota. The injected pod then fits when it replaces that pod.
bool is_quota_exceeded_without_injection(Client& client, const std::optional<Json>& pod, const ExceededQuota& quota) {
    if (!pod || !quota.is_used()) return false;
    try {
        client.create(pods(), *pod, dry_run());
    } catch (const ApiError& error) {
        const auto unchanged_quota = exceeded_quota(error);
        return unchanged_quota && unchanged_quota->requested == quota.requested;
    }
    return false;
}

void dry_run_pod(Client& client, const Json& pod, const std::optional<Json>& unchanged_pod, bool surges,
                 std::vector<std::string>& notes) {
    try {
        client.create(pods(), pod, dry_run());
    } catch (const ApiError& error) {
        const std::string text = error.what();
        const auto quota = surges ? std::nullopt : exceeded_quota(error);
        if (quota &&
            (quota->is_only_for_pods() || is_quota_exceeded_without_injection(client, unchanged_pod, *quota))) {
            return notes.push_back(fmt::format(kFullQuota, resources_in(quota->requested)));
        }
        if (error.is_forbidden() && text.find("cannot create resource") != std::string::npos) {
            return notes.push_back(kNoPermission);
        }
        throw Error(fmt::format("the API server would reject the injected pods, so nothing was changed: {}", text));
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
        dry_run_pod(client, *pod, pod_of(workload, workload.object, site), can_surge(workload), notes);
    }
}

}  // namespace cudafault::kube
