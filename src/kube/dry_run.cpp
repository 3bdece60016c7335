// SPDX-License-Identifier: Apache-2.0
#include "kube/dry_run.hpp"

#include <fmt/format.h>

#include "kube/api/api_error.hpp"
#include "kube/resources.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kNoPermission = "no permission to create pods, so it was not tried whether one would be admitted";
constexpr const char* kFullQuota =
    "the namespace's quota for pods is full; pods are replaced and not added, so that is no obstacle";

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
    return Json{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata}, {"spec", *spec}};
}

bool is_full_pod_quota(const ApiError& error) {
    const std::string text = error.what();
    return error.code == 403 && text.find("exceeded quota") != std::string::npos &&
           text.find("requested: ") != std::string::npos && text.find("pods=1") != std::string::npos;
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

void dry_run_pod(Client& client, const Json& pod, std::vector<std::string>& notes) {
    try {
        client.create(pods(), pod, dry_run());
    } catch (const ApiError& error) {
        const std::string text = error.what();
        if (is_full_pod_quota(error)) return notes.push_back(kFullQuota);
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
        if (!pod) continue;
        check_user(*pod, notes);
        dry_run_pod(client, *pod, notes);
    }
}

}  // namespace cudafault::kube
