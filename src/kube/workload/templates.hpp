// SPDX-License-Identifier: Apache-2.0
// Where the pod templates of an object lie.
#pragma once

#include <string>
#include <vector>

#include "kube/object/path.hpp"
#include "kube/workload/gpus.hpp"

namespace cudafault::kube {

struct ContainerSite {
    std::string name;
    Path container;                // volumeMounts and securityContext are in it; may not exist yet
    Path env;                      // the list that wins, where ours are added
    std::vector<Path> weaker_env;  // lists that lose against it, the strongest first
    bool has_gpu = false;
    std::string env_secret = "";  // one whose keys are variables too, as of an envFrom
    std::string gpu_note = "";    // why it counts as one with a GPU, if that is a guess
};

// An item of such a list.
inline Json variable(const std::string& name, const std::string& value) { return {{"name", name}, {"value", value}}; }

struct TemplateSite {
    std::string name;  // of the component, clique or worker group; empty where a workload has one template
    Path pod_spec;     // volumes, initContainers, affinity and securityContext are in it; may not exist yet
    std::vector<ContainerSite> containers;            // also sidecars: init containers with restartPolicy Always
    std::vector<ContainerSite> init_containers = {};  // the others, which are not injected
    std::string why_skipped = "";                     // a sentence; empty: it may be injected
    std::string note = "";                            // a sentence, or empty
};

// How a change of the template reaches the pods.
enum class Replacement {
    kRolling,       // the controller replaces all pods, crashing ones too
    kOrderedReady,  // the controller never gets past a crashing pod
    kOnDelete,      // the controller uses the new template for successors of deleted pods
    kNextRun,       // CronJob: running pods stay as they are, the next run has the new template
};

enum class Shape {
    kTemplate,        // a PodTemplateSpec
    kPodSpec,         // a PodSpec
    kGraphComponent,  // of a DynamoGraphDeployment v1beta1; others than workers are skipped
    kGraphService,    // of a DynamoGraphDeployment v1alpha1; others than workers are skipped
};

// `[*]` stands for each item of a list, which is told by its name or groupName, or each field of an object; these name
// the template. `name` is its name otherwise.
struct TemplatePattern {
    std::string path;  // spec.groups[*].template
    Shape shape = Shape::kTemplate;
    std::string name = {};
};

// What is not there, or not as it should be, is passed over.
std::vector<TemplateSite> sites_of(const Json& object, const std::vector<TemplatePattern>& patterns,
                                   const KnownDevices& known = {});

// Of paths as a user gives them, to PodTemplateSpecs or PodSpecs. Throws Error that says what is there instead; `text`
// is the object's for it.
std::vector<TemplateSite> sites_of_paths(const Json& object, const std::vector<std::string>& paths,
                                         const std::string& text, const KnownDevices& known = {});

}  // namespace cudafault::kube
