// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/workload.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cstdint>

#include "kube/api/common/json_text.hpp"
#include "kube/names.hpp"
#include "kube/object/mentions.hpp"
#include "kube/object/owners.hpp"
#include "kube/workload/device_lookup.hpp"

namespace cudafault::kube {

namespace {

struct Found {
    Target target;
    Json object;

    std::string text() const { return subject_of("get", target).text(); }
};

// In the version of the table, for a kind that is in it.
std::optional<Resource> resource_of(Discovery& discovery, const Owner& owner) {
    const Kind* kind = kind_of(owner.group(), owner.kind);
    auto resource = kind ? served_version(discovery, *kind) : std::nullopt;
    return resource ? resource : discovery.find(owner.api_version, owner.kind);
}

Resource resource_of(Discovery& discovery, const std::string& word) {
    Resource resource = discovery.resolve(word);
    const Kind* kind = kind_of(resource);
    if (!kind || kind->versions.front() == resource.version) return resource;
    return served_version(discovery, *kind).value_or(resource);
}

std::optional<Found> find_one(Client& client, Discovery& discovery, const char* group, const char* kind,
                              const WorkloadChoice& choice) {
    const auto resource = served_version(discovery, *kind_of(group, kind));
    if (!resource) return std::nullopt;
    const Target target{*resource, choice.in_namespace, choice.name};
    const auto object = client.find(target);
    if (!object) return std::nullopt;
    return Found{target, *object};
}

Found find_by_name(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    try {
        if (auto graph = find_one(client, discovery, "nvidia.com", "DynamoGraphDeployment", choice)) return *graph;
    } catch (const ApiError& error) {
        if (!error.is_no_permission()) throw;  // who may not read graphs means a Deployment
    }
    if (auto deployment = find_one(client, discovery, "apps", "Deployment", choice)) return *deployment;
    throw ApiError(
        fmt::format("there is neither a DynamoGraphDeployment nor a Deployment {} in namespace {}: {}", choice.name,
                    choice.in_namespace, "check its name and namespace, and give its kind if it is of another"),
        404, nullptr);
}

Found find_chosen(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    if (choice.kind.empty()) return find_by_name(client, discovery, choice);
    const Target target{resource_of(discovery, choice.kind), choice.in_namespace, choice.name};
    return {target, client.get(target)};
}

[[noreturn]] void refuse_owner(const Found& owned, const Owner& owner, const std::string& why) {
    throw Error(fmt::format("{} is owned by {} {} ({}), which {}, or choose it alone with --itself", owned.text(),
                            owner.kind, owner.name, owner.api_version, why));
}

Json read_owner(Client& client, const Target& target, const Found& owned, const Owner& owner) {
    try {
        Json object = client.get(target);
        if (owner.uid.empty() || uid_of(object) == owner.uid) return object;
    } catch (const ApiError& error) {
        if (error.code == 403) {
            refuse_owner(owned, owner,
                         fmt::format("cannot be read: get permission `get {}`", target.resource.qualified()));
        }
        if (!error.is_not_found()) throw;
    }
    refuse_owner(owned, owner,
                 "no longer exists: wait until the garbage collector has deleted the objects that it owned");
}

// It was injected by itself: copies of a template that was injected mount the plan of another.
bool mounts_own_plan(const Found& found) {
    Workload workload;
    workload.target = found.target;
    return mentions(value_at(found.object, "spec"), workload.by_name(names::kPlanPrefix));
}

Found climb(Client& client, Discovery& discovery, Found at) {
    for (int step = 0; step < kMostOwners; ++step) {
        const auto owner = controller_of(at.object);
        if (!owner) return at;
        const auto resource = resource_of(discovery, *owner);
        if (!resource) {
            refuse_owner(at, *owner, "is of a kind that the API server does not serve: install its definition");
        }
        const Target target{*resource, at.target.in_namespace, owner->name};
        at = {target, read_owner(client, target, at, *owner)};
    }
    throw Error(
        fmt::format("{} has a chain of more than {} owners: repair their ownerReferences", at.text(), kMostOwners));
}

// The Rollout's controller makes its pods of the template that the referenced Deployment has.
Found template_holder(Client& client, Discovery& discovery, Found found) {
    if (found.target.resource.group != "argoproj.io" || found.target.resource.kind != "Rollout") return found;
    const Json& reference = value_at(value_at(found.object, "spec"), "workloadRef");
    const std::string kind = text_at(reference, "kind");
    if (kind.empty()) return found;
    const auto resource = discovery.find(text_at(reference, "apiVersion"), kind);
    if (!resource) {
        throw Error(fmt::format("{} takes its pod template from {} {}, a kind that the API server does not serve",
                                found.text(), kind, text_at(reference, "name")));
    }
    const Target target{*resource, found.target.in_namespace, text_at(reference, "name")};
    return {target, client.get(target)};
}

std::string refusal_of(const Kind* kind, const Workload& workload) {
    if (!workload.template_paths.empty()) return "";
    if (!kind) {
        return fmt::format(
            "{} is of a kind whose pod templates are not known: give the path of one with --template, such as {}",
            workload.text(), "spec.template or spec.groups[*].template");
    }
    return kind->support == Support::kPossible ? "" : workload.text() + " cannot be injected: " + kind->note;
}

void check_paths(const Kind* kind, const Workload& workload) {
    if (workload.template_paths.empty() || !kind || kind->support == Support::kByPath) return;
    if (kind->support == Support::kImpossible) {
        throw Error(workload.text() + " cannot be injected, by no path: " + kind->note);
    }
    throw Error(fmt::format("the pod templates of {} are known: leave the template path out", workload.text()));
}

void find_templates(Workload& workload) {
    const Kind* kind = kind_of(workload.target.resource);
    std::vector<TemplateSite> sites;
    if (!workload.template_paths.empty()) {
        sites = sites_of_paths(workload.object, workload.template_paths, workload.text(), workload.devices);
    } else if (kind) {
        sites = sites_of(workload.object, kind->templates, workload.devices);
    }
    workload.templates.clear();
    workload.skipped.clear();
    for (TemplateSite& site : sites) {
        if (site.why_skipped.empty()) {
            workload.templates.push_back(std::move(site));
        } else {
            workload.skipped.push_back(std::move(site.why_skipped));
        }
    }
    if (kind) workload.replacement = kind->replacement(workload.object);
}

Workload build(const Target& target, const Json& object, const std::vector<std::string>& template_paths,
               const KnownDevices& devices) {
    Workload workload;
    workload.target = target;
    workload.object = object;
    workload.template_paths = template_paths;
    workload.devices = devices;
    const Kind* kind = kind_of(target.resource);
    check_paths(kind, workload);
    workload.refusal = refusal_of(kind, workload);
    if (kind && kind->support == Support::kPossible) workload.note = kind->note;
    find_templates(workload);
    return workload;
}

// How the user comes from what was chosen to a workload that is refused.
std::string owned_text(const Target& chosen, const Workload& workload) {
    const std::string text = subject_of("get", chosen).text();
    if (text == workload.text()) return "";
    const Kind* kind = kind_of(chosen.resource);
    const bool possible = kind && kind->support == Support::kPossible;
    return fmt::format(" ({} is owned by it{})", text, possible ? "; choose that alone with --itself" : "");
}

bool matches(const std::string& glob, const std::string& text) { return fnmatch(glob.c_str(), text.c_str(), 0) == 0; }

bool is_chosen(const TemplateSite& site, const ContainerSite& container, const std::vector<std::string>& globs) {
    if (globs.empty()) return container.has_gpu;
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return matches_container(glob, site, container); });
}

// FNV-1a. Names objects in clusters: it must stay as it is.
uint64_t fnv(const std::string& bytes) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return hash;
}

}  // namespace

std::string Workload::uid() const { return uid_of(object); }

std::string Workload::text() const { return subject_of("get", target).text(); }

std::string Workload::hash() const {
    const std::string end(1, '\0');
    const std::string identity =
        target.in_namespace + end + target.resource.group + end + target.resource.kind + end + target.name;
    return fmt::format("{:010x}", fnv(identity) & 0xff'ffff'ffff);
}

Workload load_workload(Client& client, Discovery& discovery, const WorkloadChoice& choice) {
    Found found = find_chosen(client, discovery, choice);
    const Target chosen = found.target;
    if (choice.climb && !mounts_own_plan(found)) found = climb(client, discovery, std::move(found));
    found = template_holder(client, discovery, std::move(found));
    Workload workload = build(found.target, found.object, choice.template_paths, {});
    if (!workload.refusal.empty() && !choice.accept_refused)
        throw Error(workload.refusal + owned_text(chosen, workload));
    workload.devices = look_up_devices(client, discovery, workload);
    find_templates(workload);
    return workload;
}

Workload reload(Client& client, const Workload& workload) {
    return build(workload.target, client.get(workload.target), workload.template_paths, workload.devices);
}

std::optional<Workload> workload_of(const Resource& resource, const Json& object) {
    const Json& metadata = value_at(object, "metadata");
    const std::string name = text_at(metadata, "name");
    if (!kind_of(resource) || name.empty()) return std::nullopt;
    return build({resource, text_at(metadata, "namespace"), name}, object, {}, {});
}

bool matches_container(const std::string& glob, const TemplateSite& site, const ContainerSite& container) {
    return matches(glob, container.name) || matches(glob, site.name + "/" + container.name);
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
