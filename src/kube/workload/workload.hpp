// SPDX-License-Identifier: Apache-2.0
// Loads a workload: an object with pod templates, their paths, and the containers that have GPUs.
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

struct Workload {
    ObjectRef ref;
    Json object;
    Replacement replacement = Replacement::kRolling;
    std::vector<TemplateSite> templates;      // templates that may be injected; for a graph, this excludes the Frontend
    std::vector<std::string> template_paths;  // as given on the command line, for a kind that is not in the table
    std::vector<std::string> skipped;         // for each excluded template, the reason
    KnownDevices devices;                     // devices that the templates name, as looked up in the cluster
    std::string refusal;  // why the workload cannot be injected, with the alternatives; empty if it can be injected
    std::string note;     // how the controller of the kind replaces pods, or empty

    const std::string& uid() const { return ref.uid; }
    std::string text() const { return ref.text(); }
    std::string hash() const { return workload_hash(ref); }
    // Returns the name of the object with that prefix that cudafault creates for the workload.
    std::string own_name(const char* prefix) const { return prefix + hash(); }

    // Replaces `object` with the newer version from the server. Does not update `templates`: see `reload`.
    void update(Json newer);
};

// The choice of a workload on the command line.
struct WorkloadChoice {
    std::string kind;  // any text that Discovery::resolve accepts, or empty
    std::string name;
    std::string in_namespace;
    std::vector<std::string> template_paths;  // for kinds not in the table: spec.a.template, spec.groups[*].template
    // Loads the top-level controller instead, unless the object itself was injected.
    bool use_top_level_controller = true;
    bool accept_refused = false;    // also accept kinds that cannot be injected (Pod, Job), to inspect them
    bool accept_immutable = false;  // also accept immutable kinds (Pod, Job), to print a changed manifest
};

// Returns the choice of an object by its kind and name.
WorkloadChoice choice_of(const ObjectRef& ref);

// Returns the objects that a choice may mean, in the order in which they are tried. With a kind, this is one object in
// the preferred version that the server has. Without a kind, these are the DynamoGraphDeployment of that name and then
// the Deployment, if the server has these kinds. Throws Error for a kind that the server does not have.
std::vector<ObjectRef> possible_refs(Discovery& discovery, const WorkloadChoice& choice);

// Loads the chosen workload. Without a kind, this is the first of `possible_refs` that exists. For a Rollout with a
// workloadRef, this is the Deployment that has its template. Sends one request for the object, one for each owner above
// it, and several for the claims and unknown devices in its templates.
//
// Throws Error for a kind that cannot be injected (with the alternatives), for a kind that is not in the table if no
// path is given, and for an owner that cannot be read. Throws ApiError if the object does not exist.
Workload load_workload(Client& client, Discovery& discovery, const WorkloadChoice& choice);

// Reads the object of the workload again and finds its templates, which may have changed.
Workload reload(Client& client, const Workload& workload);

// Returns the Workload of an object that was already read, of any kind: see `refusal`. A device that a template names
// and `devices` does not know is treated as a GPU.
Workload make_workload(const ObjectRef& ref, const Json& object, const std::vector<std::string>& template_paths,
                       const KnownDevices& devices);

// Returns the templates with only the containers to inject: containers whose name or template/container matches a glob
// or, without globs, containers that have GPUs. Templates without such a container are
// omitted. The result is empty if no container has a GPU or no glob matches.
std::vector<TemplateSite> choose_containers(const Workload& workload, const std::vector<std::string>& globs);

// Returns true if the glob matches the container's name or template/container.
bool is_container_match(const std::string& glob, const TemplateSite& site, const ContainerSite& container);

}  // namespace cudafault::kube
