// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/kinds.hpp"

#include <strings.h>

#include <algorithm>
#include <cctype>

namespace cudafault::kube {

namespace {

const Path kStrategy = {"spec", "updateStrategy", "type"};

Replacement rolling(const Json&) { return Replacement::kRolling; }
Replacement on_delete(const Json&) { return Replacement::kOnDelete; }
Replacement next_run(const Json&) { return Replacement::kNextRun; }

Replacement by_strategy(const Json& object) {
    return text_at(object, kStrategy) == "OnDelete" ? Replacement::kOnDelete : Replacement::kRolling;
}

Replacement of_stateful_set(const Json& object) {
    if (text_at(object, kStrategy) == "OnDelete") return Replacement::kOnDelete;
    const bool parallel = text_at(object, Path{"spec", "podManagementPolicy"}) == "Parallel";
    return parallel ? Replacement::kRolling : Replacement::kOrderedReady;
}

Replacement of_ray_cluster(const Json& object) {
    const bool recreate = text_at(object, Path{"spec", "upgradeStrategy", "type"}) == "Recreate";
    return recreate ? Replacement::kRolling : Replacement::kOnDelete;
}

Replacement of_graph(const Json& object) {
    const std::string strategy = text_at(object, Path{"metadata", "annotations", "nvidia.com/grove-update-strategy"});
    return strategy == "OnDelete" ? Replacement::kOnDelete : Replacement::kRolling;
}

std::optional<SurgeLimits> rolling_limits(const Json& object, const Path& strategy, bool surges_by_default) {
    if (text_at(object, strategy / "type", "RollingUpdate") != "RollingUpdate") return std::nullopt;
    return SurgeLimits{strategy / "rollingUpdate", surges_by_default};
}

std::optional<SurgeLimits> deployment_limits(const Json& object) {
    return rolling_limits(object, Path{"spec", "strategy"}, true);
}

std::optional<SurgeLimits> daemon_set_limits(const Json& object) {
    return rolling_limits(object, Path{"spec", "updateStrategy"}, false);
}

std::string label_of(const Json& pod, const char* label) { return text_at(pod, Path{"metadata", "labels", label}); }

std::string component_of(const Json& object, const Json& pod) {
    const std::string name = label_of(pod, "nvidia.com/dynamo-component");
    const bool known =
        find(object, Path{"spec", "components"}.item(name)) || find(object, Path{"spec", "services"} / name);
    return known ? name : "";
}

std::string ray_group_of(const Json&, const Json& pod) { return label_of(pod, "ray.io/group"); }

std::string leader_or_worker(const Json& object, const Json& pod) {
    const std::string index = label_of(pod, "leaderworkerset.sigs.k8s.io/worker-index");
    if (index.empty()) return "";
    const bool has_leader = find(object, Path{"spec", "leaderWorkerTemplate", "leaderTemplate"}) != nullptr;
    return index == "0" && has_leader ? "leader" : "worker";
}

// A PodClique is called SET-INDEX-CLIQUE or SET-INDEX-GROUP-INDEX-CLIQUE.
std::string clique_of(const Json& object, const Json& pod) {
    const std::string full_name = label_of(pod, "grove.io/podclique");
    std::string longest;
    const Json* cliques = find(object, Path{"spec", "template", "cliques"});
    if (!cliques || !cliques->is_array()) return "";
    for (const Json& clique : *cliques) {
        const std::string name = text_at(clique, Path{"name"});
        if (full_name.ends_with("-" + name) && name.size() > longest.size()) longest = name;
    }
    return longest;
}

// Its labels have the names of replicas in small letters.
std::string replica_of(const Json& object, const Json& pod) {
    const std::string type = label_of(pod, "training.kubeflow.org/replica-type");
    const Json* replicas = find(object, Path{"spec", "pytorchReplicaSpecs"});
    if (!replicas || !replicas->is_object()) return "";
    for (const auto& [name, replica] : replicas->items()) {
        if (strcasecmp(name.c_str(), type.c_str()) == 0) return name;
    }
    return "";
}

std::vector<Kind> apps() {
    return {
        {"apps",
         "Deployment",
         {"v1"},
         {{"spec.template"}},
         rolling,
         Support::kPossible,
         "The Deployment replaces its pods, a few at a time as its strategy says.",
         PodSearch::kReplicaSets,
         "",
         nullptr,
         deployment_limits},
        {"apps",
         "StatefulSet",
         {"v1"},
         {{"spec.template"}},
         of_stateful_set,
         Support::kPossible,
         "The StatefulSet replaces its pods one after the other, and with podManagementPolicy OrderedReady it waits "
         "for ever for one that crashes: that one has to be deleted.",
         PodSearch::kSelector},
        {"apps",
         "DaemonSet",
         {"v1"},
         {{"spec.template"}},
         by_strategy,
         Support::kPossible,
         "The DaemonSet replaces its pods node by node, or with updateStrategy OnDelete only those that are deleted.",
         PodSearch::kSelector,
         "",
         nullptr,
         daemon_set_limits},
        {"apps",
         "ReplicaSet",
         {"v1"},
         {{"spec.template"}},
         on_delete,
         Support::kPossible,
         "A ReplicaSet never replaces a pod because of its template: each has to be deleted.",
         PodSearch::kSelector},
    };
}

std::vector<Kind> core_and_batch() {
    return {
        {"batch",
         "CronJob",
         {"v1", "v1beta1"},
         {{"spec.jobTemplate.spec.template"}},
         next_run,
         Support::kPossible,
         "Jobs that run already stay as they are; the next one has the change (`kubectl create job "
         "--from=cronjob/NAME` "
         "starts one now).",
         PodSearch::kJobs},
        {"batch",
         "Job",
         {"v1"},
         {{"spec.template"}},
         on_delete,
         Support::kImpossible,
         "the pod template of a Job cannot be changed; inject the CronJob that makes it, or make a suspended CronJob "
         "of "
         "it, inject that and start it with `kubectl create job --from=cronjob/NAME`",
         PodSearch::kSelector},
        {"",
         "Pod",
         {"v1"},
         {{"spec", Shape::kPodSpec}},
         on_delete,
         Support::kImpossible,
         "containers cannot be changed in a Pod that exists; inject the workload that makes it, or put it into a "
         "Deployment and inject that",
         PodSearch::kItself},
    };
}

std::vector<Kind> dynamo() {
    const std::string part = "is made and kept by another object that would undo the change; inject ";
    return {
        {"nvidia.com",
         "DynamoGraphDeployment",
         {"v1beta1", "v1alpha1"},
         {{"spec.components[*]", Shape::kGraphComponent}, {"spec.services[*]", Shape::kGraphService}},
         of_graph,
         Support::kPossible,
         "Workers (worker, prefill, decode) are injected, never the Frontend. Old workers may serve until all new ones "
         "are ready: faults have to be armed after that.",
         PodSearch::kLabels,
         "nvidia.com/dynamo-graph-deployment-name={}",
         component_of},
        {"nvidia.com",
         "DynamoComponentDeployment",
         {"v1beta1", "v1alpha1"},
         {{"spec.podTemplate"}},
         rolling,
         Support::kImpossible,
         "a DynamoComponentDeployment " + part + "its DynamoGraphDeployment"},
        {"grove.io",
         "PodCliqueSet",
         {"v1alpha1"},
         {{"spec.template.cliques[*].spec.podSpec", Shape::kPodSpec}},
         by_strategy,
         Support::kPossible,
         "Grove replaces pods replica by replica, or with updateStrategy OnDelete only those that are deleted; a gang "
         "that stays below its minAvailable is ended as a whole after terminationDelay.",
         PodSearch::kLabels,
         "app.kubernetes.io/part-of={},grove.io/podclique",
         clique_of},
        {"grove.io",
         "PodClique",
         {"v1alpha1"},
         {{"spec.podSpec", Shape::kPodSpec}},
         rolling,
         Support::kImpossible,
         "a PodClique " + part + "its PodCliqueSet"},
    };
}

std::vector<Kind> serving() {
    return {
        {"leaderworkerset.x-k8s.io",
         "LeaderWorkerSet",
         {"v1"},
         {{"spec.leaderWorkerTemplate.leaderTemplate", Shape::kTemplate, "leader"},
          {"spec.leaderWorkerTemplate.workerTemplate", Shape::kTemplate, "worker"}},
         rolling,
         Support::kPossible,
         "Groups are replaced one after the other, and with RecreateGroupOnPodRestart the crash of one pod restarts "
         "its "
         "whole group.",
         PodSearch::kLabels,
         "leaderworkerset.sigs.k8s.io/name={}",
         leader_or_worker},
        {"serving.kserve.io",
         "InferenceService",
         {"v1beta1"},
         {},
         rolling,
         Support::kByPath,
         "containers of an InferenceService may come from a ServingRuntime, which others share; where it has its own, "
         "give the path of the pod spec they are in, such as spec.predictor",
         PodSearch::kLabels,
         "serving.kserve.io/inferenceservice={}"},
        {"serving.kserve.io",
         "LLMInferenceService",
         {"v1alpha2", "v1alpha1"},
         {},
         rolling,
         Support::kByPath,
         "containers of an LLMInferenceService may come from the configurations in its baseRefs; where it has its own, "
         "give the path of the pod spec they are in: spec.template, spec.worker, spec.prefill.template"},
    };
}

std::vector<Kind> ray() {
    const std::vector<std::string> versions = {"v1", "v1alpha1"};
    return {
        {"ray.io",
         "RayCluster",
         versions,
         {{"spec.headGroupSpec.template", Shape::kTemplate, "headgroup"}, {"spec.workerGroupSpecs[*].template"}},
         of_ray_cluster,
         Support::kPossible,
         "KubeRay does not replace running pods, each has to be deleted; with upgradeStrategy Recreate it deletes all "
         "of them at once.",
         PodSearch::kLabels,
         "ray.io/cluster={}",
         ray_group_of},
        {"ray.io",
         "RayService",
         versions,
         {{"spec.rayClusterConfig.headGroupSpec.template", Shape::kTemplate, "headgroup"},
          {"spec.rayClusterConfig.workerGroupSpecs[*].template"}},
         rolling,
         Support::kByPath,
         "for each change a RayService makes a second cluster, which needs its GPUs once more (and with "
         "upgradeStrategy "
         "None it makes none); if there are as many, give the path "
         "spec.rayClusterConfig.workerGroupSpecs[*].template, else inject a RayCluster"},
        {"ray.io",
         "RayJob",
         versions,
         {{"spec.rayClusterSpec.headGroupSpec.template", Shape::kTemplate, "headgroup"},
          {"spec.rayClusterSpec.workerGroupSpecs[*].template"}},
         on_delete,
         Support::kImpossible,
         "the cluster of a RayJob cannot be changed; inject a RayCluster, and run the job in it with clusterSelector"},
    };
}

std::vector<Kind> training() {
    const std::string once = " cannot be changed once it is there; delete it and create it anew with the library in it";
    return {
        {"kubeflow.org",
         "PyTorchJob",
         {"v1"},
         {{"spec.pytorchReplicaSpecs[*].template"}},
         on_delete,
         Support::kPossible,
         "Running pods are not replaced, each has to be deleted; whether a crash fails the job is for its "
         "restartPolicy "
         "and backoffLimit to say.",
         PodSearch::kLabels,
         "training.kubeflow.org/job-name={}",
         replica_of},
        {"kubeflow.org",
         "MPIJob",
         {"v2beta1", "v1"},
         {{"spec.mpiReplicaSpecs[*].template"}},
         on_delete,
         Support::kImpossible,
         "the ranks of an MPIJob are started by sshd, which does not give them the LD_PRELOAD of the container; "
         "preload "
         "the library in the command of mpirun (-x LD_PRELOAD), and create the MPIJob anew with it"},
        {"jobset.x-k8s.io",
         "JobSet",
         {"v1alpha2"},
         {{"spec.replicatedJobs[*].template.spec.template"}},
         on_delete,
         Support::kImpossible,
         "the pod template of a JobSet" + once},
        {"trainer.kubeflow.org",
         "TrainJob",
         {"v1alpha1"},
         {},
         on_delete,
         Support::kImpossible,
         "the trainer of a TrainJob" + once},
        {"batch.volcano.sh",
         "Job",
         {"v1alpha1"},
         {{"spec.tasks[*].template"}},
         on_delete,
         Support::kImpossible,
         "the pod template of a Volcano Job" + once},
    };
}

std::vector<Kind> all() {
    std::vector<Kind> table;
    for (const auto& part : {apps(), core_and_batch(), dynamo(), serving(), ray(), training()}) {
        table.insert(table.end(), part.begin(), part.end());
    }
    return table;
}

}  // namespace

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> table = all();
    return table;
}

const Kind* kind_of(const std::string& group, const std::string& kind) {
    const auto found = std::find_if(kinds().begin(), kinds().end(),
                                    [&](const Kind& row) { return row.group == group && row.kind == kind; });
    return found == kinds().end() ? nullptr : &*found;
}

std::string resource_of(const Kind& kind) {
    std::string plural = kind.kind + "s";
    std::transform(plural.begin(), plural.end(), plural.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    return kind.group.empty() ? plural : plural + "." + kind.group;
}

std::optional<Resource> served_version(Discovery& discovery, const Kind& kind) {
    for (const std::string& version : kind.versions) {
        auto resource = discovery.find(kind.group.empty() ? version : kind.group + "/" + version, kind.kind);
        if (resource) return resource;
    }
    return std::nullopt;
}

std::vector<Resource> served_kinds(Discovery& discovery) {
    std::vector<Resource> served;
    for (Kind kind : kinds()) {
        // Most clusters have few of these: what is not announced is not asked for.
        const std::vector<std::string> announced = discovery.versions_of(kind.group);
        std::erase_if(kind.versions, [&](const std::string& version) {
            return std::find(announced.begin(), announced.end(), version) == announced.end();
        });
        if (auto resource = served_version(discovery, kind)) served.push_back(std::move(*resource));
    }
    return served;
}

}  // namespace cudafault::kube
