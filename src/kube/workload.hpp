// SPDX-License-Identifier: Apache-2.0
// A workload: an object that has pod templates, where they lie, and which of their containers have GPUs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/client.hpp"
#include "kube/api/discovery.hpp"
#include "kube/path.hpp"

namespace cudafault::kube {

// How a change of the template reaches the pods.
enum class Replacement {
    kRolling,       // the controller replaces the pods, crashing ones too
    kOrderedReady,  // it waits for ever for a crashing one
    kOnDelete,      // it makes new ones for those that are deleted
    kNextRun,       // CronJob: those there are stay, the next run has it
};

struct ContainerSite {
    std::string name;
    Path container;               // volumeMounts and securityContext are in it; may not exist yet
    Path env;                     // the list that wins, where ours are added
    std::vector<Path> weaker_env; // lists that lose against it, the strongest first
    bool has_gpu = false;
};

struct TemplateSite {
    std::string name;  // of the component, clique or worker group; empty where a workload has one template
    Path pod_spec;     // volumes, initContainers, affinity and securityContext are in it; may not exist yet
    std::vector<ContainerSite> containers;  // without init containers
};

struct Workload {
    Target target;
    Json object;
    Replacement replacement = Replacement::kRolling;
    std::vector<TemplateSite> templates;  // those that may be injected: of a graph, without the Frontend

    std::string uid() const;
    std::string text() const;  // "deployments.apps web in namespace prod"
    std::string hash() const;  // 10 hex digits of namespace, group, kind and name: names our objects
    std::string by_name(const char* prefix) const { return prefix + hash(); }
};

// What a user says.
struct WorkloadChoice {
    std::string kind;                         // anything that Discovery::resolve understands
    std::string name;
    std::string in_namespace;
    std::vector<std::string> template_paths;  // for kinds not in the table: spec.worker.template, spec.groups[*].template
    bool climb = true;                        // to the owner that would undo our change
    bool accept_refused = false;              // also kinds that cannot be injected (Pod, Job): to look at them
};

// One request for the object, one more for each owner above it. Throws Error: no such object; a kind that cannot be
// injected, with the ways that exist; a kind that is not in the table, with no path given.
//
// DynamoGraphDeployments are read in one version, the best that is served; where none is served or there is none of
// that name, `deployment/NAME` is looked for instead if `kind` was left empty.
Workload load_workload(Client& client, Discovery& discovery, const WorkloadChoice& choice);

// The same object read anew; its templates may have changed.
Workload reload(Client& client, const Workload& workload);

// A Workload of an object that has been read: for kinds of the table. Nothing for others.
std::optional<Workload> workload_of(const Resource& resource, const Json& object);

// The templates, with those containers only that are to be injected: those that a glob matches; without a glob those
// that have GPUs. Templates without one are left out. Empty: none has a GPU, or no glob matched.
std::vector<TemplateSite> choose_containers(const Workload& workload, const std::vector<std::string>& globs);

// All pods that belong to the workload, those of old templates too, terminated ones not.
std::vector<Json> pods_of(Client& client, Discovery& discovery, const Workload& workload);

// Whether a container's resources, or those of the pod it is in, have a GPU: nvidia.com/gpu, MIG, shared, vGPU, DRA
// claims are found by their device class where `claims` knows it.
bool has_gpu(const Json& container, const Json& pod_spec);

// The kinds of the table that the server serves, as resources; for looking at everything in a namespace.
std::vector<Resource> served_kinds(Discovery& discovery);

}  // namespace cudafault::kube
