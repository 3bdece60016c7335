// SPDX-License-Identifier: Apache-2.0
// A workload: an object that has pod templates, where they lie, and which of their containers have GPUs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/resource.hpp"
#include "kube/object/workload_hash.hpp"
#include "kube/workload/templates.hpp"

namespace cudafault::kube {

class Client;
class Discovery;

// clang-tidy 14 takes the move of a Json for one that may throw.
struct Workload {  // NOLINT(bugprone-exception-escape)
    ObjectRef ref;
    Json object;
    Replacement replacement = Replacement::kRolling;
    std::vector<TemplateSite> templates;      // those that may be injected: of a graph, without the Frontend
    std::vector<std::string> template_paths;  // as the user gave them, for a kind not in the table
    std::vector<std::string> skipped;         // why each other template is not among them
    KnownDevices devices;                     // that its templates name, as they were looked up
    std::string refusal;                      // why it cannot be injected, with the ways there are; empty if it can
    std::string note;                         // what a user has to know of the kind, or empty

    const std::string& uid() const { return ref.uid; }
    std::string text() const { return ref.text(); }
    std::string hash() const { return workload_hash(ref); }
    std::string own_name(const char* prefix) const { return prefix + hash(); }  // of an object created for it

    // Replaces `object` by what the server has now. `templates` stay as they are: see `reload`.
    void update(Json newer);
};

// What a user says.
struct WorkloadChoice {
    std::string kind;  // anything that Discovery::resolve understands, or empty
    std::string name;
    std::string in_namespace;
    std::vector<std::string> template_paths;  // for kinds not in the table: spec.a.template, spec.groups[*].template
    bool climb = true;            // to the owner that would undo our change, unless the object was injected by itself
    bool accept_refused = false;  // also kinds that cannot be injected (Pod, Job): to look at them
};

// The objects that a choice may mean, in the order in which they are tried: the one of its kind, in the best version
// served; without a kind, the DynamoGraphDeployment of that name and then the Deployment, as far as these are served.
// Throws Error for a kind that is not served.
std::vector<ObjectRef> possible_refs(Discovery& discovery, const WorkloadChoice& choice);

// One request for the object, one more for each owner above it, and some for the claims and unknown devices in its
// templates. Throws Error for a kind that cannot be injected, with the ways that exist, for a kind that is not in the
// table without a path, and for an owner that cannot be read; ApiError if there is no such object. A Rollout with a
// workloadRef stands for the Deployment that has its template.
//
// Without a kind, it is the first of `possible_refs` that exists.
Workload load_workload(Client& client, Discovery& discovery, const WorkloadChoice& choice);

// The same object read anew; its templates may have changed.
Workload reload(Client& client, const Workload& workload);

// A Workload of an object that has been read: for kinds of the table, those that cannot be injected too. Nothing for
// others. Devices that only a look-up would tell count as GPUs.
std::optional<Workload> workload_of(const Resource& resource, const Json& object);

// The templates, with those containers only that are to be injected: those that a glob matches, by their name or by
// template/container; without a glob those that have GPUs. Templates without one are left out. Empty: none has a GPU,
// or no glob matched.
std::vector<TemplateSite> choose_containers(const Workload& workload, const std::vector<std::string>& globs);

// Whether the glob matches a container's name, or template/container.
bool matches_container(const std::string& glob, const TemplateSite& site, const ContainerSite& container);

}  // namespace cudafault::kube
