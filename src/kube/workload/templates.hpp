// SPDX-License-Identifier: Apache-2.0
// Finds the pod templates in an object.
#pragma once

#include <string>
#include <vector>

#include "kube/object/path.hpp"
#include "kube/workload/gpus.hpp"

namespace cudafault::kube {

struct ContainerSite {
    std::string name;
    Path container;                // contains volumeMounts and securityContext; may not exist yet
    Path env;                      // the list with the highest precedence, to which cudafault's variables are added
    std::vector<Path> weaker_env;  // lists with lower precedence, highest first
    bool has_gpu = false;
    std::string env_secret = "";  // name of a Secret whose keys become variables, as with envFrom
    std::string gpu_note = "";    // the reason if has_gpu is an assumption; otherwise empty
};

// Returns an item of an `env` list.
inline Json variable(const std::string& name, const std::string& value) { return {{"name", name}, {"value", value}}; }

struct TemplateSite {
    std::string name;  // name of the component, clique or worker group; empty if the workload has one template
    Path pod_spec;     // contains volumes, initContainers, affinity and securityContext; may not exist yet
    std::vector<ContainerSite> containers;            // includes sidecars: init containers with restartPolicy Always
    std::vector<ContainerSite> init_containers = {};  // other init containers, which are not injected
    std::string skip_reason = "";                     // one sentence; empty if the template may be injected
    std::string note = "";                            // one sentence, or empty
};

// How the pods of a changed template are replaced.
enum class Replacement {
    kRolling,       // the controller replaces all pods, including crashing pods
    kOrderedReady,  // the controller does not continue past a crashing pod
    kOnDelete,      // the controller uses the new template only for pods that replace deleted pods
    kNextRun,       // CronJob: running pods do not change, and the next run uses the new template
};

enum class Shape {
    kTemplate,        // a PodTemplateSpec
    kPodSpec,         // a PodSpec
    kGraphComponent,  // a component of a DynamoGraphDeployment v1beta1; only workers are injected
    kGraphService,    // a service of a DynamoGraphDeployment v1alpha1; only workers are injected
};

// `[*]` matches each item of a list, identified by its name or groupName, or each field of an object. These
// names become the names of the templates. Without `[*]`, the template's name is `name`.
struct TemplatePattern {
    std::string path;  // spec.groups[*].template
    Shape shape = Shape::kTemplate;
    std::string name = {};
};

// Skips missing and malformed fields.
std::vector<TemplateSite> sites_of(const Json& object, const std::vector<TemplatePattern>& patterns,
                                   const KnownDevices& known = {});

// Returns the templates at `paths`, which are the paths of PodTemplateSpecs or PodSpecs on the command line. If a path
// is invalid, throws an Error that names the existing fields; `text` describes the object in this error.
std::vector<TemplateSite> sites_of_paths(const Json& object, const std::vector<std::string>& paths,
                                         const std::string& text, const KnownDevices& known = {});

}  // namespace cudafault::kube
