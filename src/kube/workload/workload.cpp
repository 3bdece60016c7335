// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/workload.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"
#include "kube/object/mentions.hpp"
#include "kube/object/owners.hpp"
#include "kube/workload/device_lookup.hpp"
#include "kube/workload/kinds.hpp"

namespace cudafault::kube {

namespace {

struct FoundObject {
    ObjectRef ref;
    Json object;

    std::string text() const { return ref.text(); }
};

// Returns the resource in the version of the table, if the kind is in the table.
std::optional<Resource> resource_of(Discovery& discovery, const ObjectRef& owner) {
    const Kind* kind = kind_of(owner.resource);
    auto resource = kind ? served_version(discovery, *kind) : std::nullopt;
    return resource ? resource : discovery.find(owner.resource.api_version(), owner.resource.kind);
}

Resource resource_of(Discovery& discovery, const std::string& word) {
    Resource resource = discovery.resolve(word);
    const Kind* kind = kind_of(resource);
    if (!kind || kind->versions.front() == resource.version) return resource;
    return served_version(discovery, *kind).value_or(resource);
}

FoundObject find_by_name(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    for (const ObjectRef& ref : possible_refs(discovery, choice)) {
        try {
            if (const auto object = client.find(ref)) return {ref, *object};
        } catch (const ApiError& error) {
            // A user without permission for graphs is assumed to mean the Deployment.
            if (!error.is_permission_denied() || ref.resource.kind == "Deployment") throw;
        }
    }
    throw ApiError(
        fmt::format("neither a DynamoGraphDeployment nor a Deployment {} exists in namespace {}: {}", choice.name,
                    choice.in_namespace, "check the name and namespace, or give the kind of the workload"),
        404, nullptr);
}

FoundObject find_chosen(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    if (choice.kind.empty()) return find_by_name(client, discovery, choice);
    const ObjectRef ref = possible_refs(discovery, choice).front();
    return {ref, client.get(ref)};
}

[[noreturn]] void throw_owner_error(const FoundObject& owned, const ObjectRef& owner, const std::string& why) {
    throw Error(fmt::format("{} is owned by {}, which {}, or select only the owned object with --itself", owned.text(),
                            owner.kubectl_name(), why));
}

Json read_owner(Client& client, const ObjectRef& ref, const FoundObject& owned, const ObjectRef& owner) {
    try {
        Json object = client.get(ref);
        if (owner.uid.empty() || uid_of(object) == owner.uid) return object;
    } catch (const ApiError& error) {
        if (error.is_forbidden()) {
            throw_owner_error(owned, owner,
                              fmt::format("cannot be read: ask for the permission `get {}`", ref.resource.qualified()));
        }
        if (!error.is_not_found()) throw;
    }
    throw_owner_error(owned, owner,
                      "was deleted: wait until the garbage collector has deleted the objects that it owned");
}

// Returns true if the object itself was injected. An object created from an injected template mounts the plan of its
// owner instead.
bool has_own_plan(const FoundObject& found) {
    return has_mention(value_at(found.object, "spec"), names::kPlanPrefix + workload_hash(found.ref));
}

FoundObject top_level_controller_of(Client& client, Discovery& discovery, FoundObject at) {
    for (int step = 0; step < kMaxOwnerDepth; ++step) {
        const auto owner = controller_of(at.object);
        if (!owner) return at;
        const auto resource = resource_of(discovery, *owner);
        if (!resource) {
            throw_owner_error(at, *owner,
                              "is of a kind that the API server does not serve: install its CustomResourceDefinition");
        }
        const ObjectRef ref{*resource, at.ref.in_namespace, owner->name};
        at = {ref, read_owner(client, ref, at, *owner)};
    }
    throw Error(
        fmt::format("{} has a chain of more than {} owners: repair their ownerReferences", at.text(), kMaxOwnerDepth));
}

// The controller of a Rollout with a workloadRef creates pods from the template of the referenced Deployment.
FoundObject resolve_workload_ref(Client& client, Discovery& discovery, FoundObject found) {
    if (found.ref.resource.group != "argoproj.io" || found.ref.resource.kind != "Rollout") return found;
    const Json& reference = value_at(value_at(found.object, "spec"), "workloadRef");
    const std::string kind = text_at(reference, "kind");
    if (kind.empty()) return found;
    const auto resource = discovery.find(text_at(reference, "apiVersion"), kind);
    if (!resource) {
        throw Error(
            fmt::format("{} uses the pod template of {}/{}, whose kind the API server does not serve: install its "
                        "CustomResourceDefinition",
                        found.text(), kind, text_at(reference, "name")));
    }
    const ObjectRef ref{*resource, found.ref.in_namespace, text_at(reference, "name")};
    return {ref, client.get(ref)};
}

std::string refusal_of(const Kind* kind, const Workload& workload) {
    if (!workload.template_paths.empty()) return "";
    if (!kind) {
        return fmt::format(
            "{} is of a kind whose pod templates are unknown: give the path of a template with --template, such as {}",
            workload.text(), "spec.template or spec.groups[*].template");
    }
    if (kind->support == Support::kPossible) return "";
    std::string refusal = workload.text() + " cannot be injected: " + kind->note;
    if (kind->support != Support::kImmutable) return refusal;
    return fmt::format(
        "{}; or create it again with the library: `cudafault k8s manifest {} -n {} --create-objects | kubectl replace "
        "--force -f -`",
        refusal, workload.ref.kubectl_name(), workload.ref.in_namespace);
}

void check_paths(const Kind* kind, const Workload& workload) {
    if (workload.template_paths.empty() || !kind || kind->support == Support::kByPath) return;
    if (kind->support == Support::kImpossible || kind->support == Support::kImmutable) {
        throw Error(workload.text() + " cannot be injected, even with a template path: " + kind->note);
    }
    throw Error(fmt::format("the pod templates of {} are known: remove the template path", workload.text()));
}

void find_templates(Workload& workload) {
    const Kind* kind = kind_of(workload.ref.resource);
    std::vector<TemplateSite> sites;
    if (!workload.template_paths.empty()) {
        sites = sites_of_paths(workload.object, workload.template_paths, workload.text(), workload.devices);
    } else if (kind) {
        sites = sites_of(workload.object, kind->templates, workload.devices);
    }
    workload.templates.clear();
    workload.skipped.clear();
    for (TemplateSite& site : sites) {
        if (site.skip_reason.empty()) {
            workload.templates.push_back(std::move(site));
        } else {
            workload.skipped.push_back(std::move(site.skip_reason));
        }
    }
    if (kind) workload.replacement = kind->replacement(workload.object);
}

// Describes the relation between the chosen object and a workload that cannot be injected.
std::string itself_hint(const ObjectRef& chosen, const Workload& workload) {
    const std::string text = chosen.text();
    if (text == workload.text()) return "";
    const Kind* kind = kind_of(chosen.resource);
    const bool possible = kind && kind->support == Support::kPossible;
    return fmt::format(" ({} is owned by that workload{})", text,
                       possible ? "; to select only the owned object, use --itself" : "");
}

bool is_glob_match(const std::string& glob, const std::string& text) {
    return fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

bool is_chosen(const TemplateSite& site, const ContainerSite& container, const std::vector<std::string>& globs) {
    if (globs.empty()) return container.has_gpu;
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return is_container_match(glob, site, container); });
}

}  // namespace

void Workload::update(Json newer) {
    ref.uid = uid_of(newer);
    object = std::move(newer);
}

WorkloadChoice choice_of(const ObjectRef& ref) {
    WorkloadChoice choice;
    choice.kind = ref.resource.qualified_kind();
    choice.name = ref.name;
    choice.in_namespace = ref.in_namespace;
    return choice;
}

std::vector<ObjectRef> possible_refs(Discovery& discovery, const WorkloadChoice& choice) {
    if (!choice.kind.empty()) return {{resource_of(discovery, choice.kind), choice.in_namespace, choice.name}};
    std::vector<ObjectRef> refs;
    for (const Kind* kind : {kind_of("nvidia.com", "DynamoGraphDeployment"), kind_of("apps", "Deployment")}) {
        if (const auto resource = served_version(discovery, *kind)) {
            refs.push_back({*resource, choice.in_namespace, choice.name});
        }
    }
    return refs;
}

Workload load_workload(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    FoundObject found = find_chosen(client, discovery, choice);
    const ObjectRef chosen = found.ref;
    if (choice.use_top_level_controller && !has_own_plan(found))
        found = top_level_controller_of(client, discovery, std::move(found));
    found = resolve_workload_ref(client, discovery, std::move(found));
    Workload workload = make_workload(found.ref, found.object, choice.template_paths, {});
    const bool is_accepted = choice.accept_refused || (choice.accept_immutable && is_immutable(workload.ref.resource));
    if (!workload.refusal.empty() && !is_accepted) throw Error(workload.refusal + itself_hint(chosen, workload));
    workload.devices = look_up_devices(client, discovery, workload);
    find_templates(workload);
    return workload;
}

Workload reload(Client& client, const Workload& workload) {
    return make_workload(workload.ref, client.get(workload.ref), workload.template_paths, workload.devices);
}

Workload make_workload(const ObjectRef& ref, const Json& object, const std::vector<std::string>& template_paths,
                       const KnownDevices& devices) {
    Workload workload;
    workload.ref = ref;
    workload.update(object);
    workload.template_paths = template_paths;
    workload.devices = devices;
    const Kind* kind = kind_of(ref.resource);
    check_paths(kind, workload);
    workload.refusal = refusal_of(kind, workload);
    if (kind && kind->support == Support::kPossible) workload.note = kind->note;
    find_templates(workload);
    return workload;
}

bool is_container_match(const std::string& glob, const TemplateSite& site, const ContainerSite& container) {
    return is_glob_match(glob, container.name) || is_glob_match(glob, site.name + "/" + container.name);
}

std::vector<TemplateSite> choose_containers(const Workload& workload, const std::vector<std::string>& globs) {
    std::vector<TemplateSite> chosen;
    for (TemplateSite site : workload.templates) {
        std::erase_if(site.containers,
                      [&](const ContainerSite& container) { return !is_chosen(site, container, globs); });
        if (!site.containers.empty()) chosen.push_back(std::move(site));
    }
    return chosen;
}

}  // namespace cudafault::kube
