// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/kinds.hpp"

#include <strings.h>

#include <algorithm>

#include "kube/api/client/discovery.hpp"
#include "kube/api/common/encoding.hpp"

namespace cudafault::kube {

namespace {

const Path kStrategy = {"spec", "updateStrategy", "type"};

Replacement always_rolling(const Json&) { return Replacement::kRolling; }
Replacement always_on_delete(const Json&) { return Replacement::kOnDelete; }
Replacement always_next_run(const Json&) { return Replacement::kNextRun; }

Replacement replacement_by_strategy(const Json& object) {
    return text_at(object, kStrategy) == "OnDelete" ? Replacement::kOnDelete : Replacement::kRolling;
}

Replacement stateful_set_replacement(const Json& object) {
    if (text_at(object, kStrategy) == "OnDelete") return Replacement::kOnDelete;
    const bool parallel = text_at(object, Path{"spec", "podManagementPolicy"}) == "Parallel";
    return parallel ? Replacement::kRolling : Replacement::kOrderedReady;
}

Replacement ray_cluster_replacement(const Json& object) {
    const bool recreate = text_at(object, Path{"spec", "upgradeStrategy", "type"}) == "Recreate";
    return recreate ? Replacement::kRolling : Replacement::kOnDelete;
}

Replacement graph_replacement(const Json& object) {
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

// A blueGreen strategy has no limits, because it always runs both versions.
std::optional<SurgeLimits> rollout_limits(const Json& object) {
    const Path canary = {"spec", "strategy", "canary"};
    if (!find(object, canary)) return std::nullopt;
    return SurgeLimits{canary, true};
}

std::optional<SurgeLimits> clone_set_limits(const Json&) { return SurgeLimits{Path{"spec", "updateStrategy"}, false}; }

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

// A PodClique is named SET-INDEX-CLIQUE or SET-INDEX-GROUP-INDEX-CLIQUE.
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

// The labels contain the replica names in lower case.
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
        {.group = "apps",
         .kind = "Deployment",
         .versions = {"v1"},
         .templates = {{"spec.template"}},
         .replacement = always_rolling,
         .support = Support::kPossible,
         .note = "the Deployment replaces its pods gradually, according to its strategy",
         .pod_search = PodSearch::kReplicaSets,
         .surge_limits = deployment_limits,
         .history = History::kReplicaSets,
         .has_replicas = true},
        {.group = "apps",
         .kind = "StatefulSet",
         .versions = {"v1"},
         .templates = {{"spec.template"}},
         .replacement = stateful_set_replacement,
         .support = Support::kPossible,
         .note = "the StatefulSet replaces its pods one after another; with podManagementPolicy OrderedReady it never "
                 "replaces a pod that crashes: such a pod has to be deleted",
         .pod_search = PodSearch::kSelector,
         .history = History::kControllerRevisions,
         .has_replicas = true},
        {.group = "apps",
         .kind = "DaemonSet",
         .versions = {"v1"},
         .templates = {{"spec.template"}},
         .replacement = replacement_by_strategy,
         .support = Support::kPossible,
         .note = "the DaemonSet replaces its pods node by node; with updateStrategy OnDelete it replaces only deleted "
                 "pods",
         .pod_search = PodSearch::kSelector,
         .surge_limits = daemon_set_limits,
         .history = History::kControllerRevisions},
        {.group = "apps",
         .kind = "ReplicaSet",
         .versions = {"v1"},
         .templates = {{"spec.template"}},
         .replacement = always_on_delete,
         .support = Support::kPossible,
         .note = "a ReplicaSet does not replace pods when its template changes: each pod has to be deleted",
         .pod_search = PodSearch::kSelector,
         .history = History::kNone,
         .has_replicas = true},
    };
}

std::vector<Kind> core_and_batch() {
    return {
        {.group = "batch",
         .kind = "CronJob",
         .versions = {"v1", "v1beta1"},
         .templates = {{"spec.jobTemplate.spec.template"}},
         .replacement = always_next_run,
         .support = Support::kPossible,
         .note = "running Jobs do not change; the next Job uses the new template (`kubectl create job "
                 "--from=cronjob/NAME` starts a Job immediately)",
         .pod_search = PodSearch::kJobs,
         .history = History::kNone},
        {.group = "batch",
         .kind = "Job",
         .versions = {"v1"},
         .templates = {{"spec.template"}},
         .replacement = always_on_delete,
         .support = Support::kImmutable,
         .note = "the pod template of a Job is immutable; inject the CronJob that creates it, or create a suspended "
                 "CronJob from it, inject that and start it with `kubectl create job --from=cronjob/NAME`",
         .pod_search = PodSearch::kSelector,
         .history = History::kNone},
        {.group = "",
         .kind = "Pod",
         .versions = {"v1"},
         .templates = {{"spec", Shape::kPodSpec}},
         .replacement = always_on_delete,
         .support = Support::kImmutable,
         .note = "the containers of an existing Pod are immutable; inject the workload that creates it, or put it "
                 "into a Deployment and inject that",
         .pod_search = PodSearch::kItself},
    };
}

std::vector<Kind> dynamo() {
    const std::string part = "is created by a controller that would revert the change; inject ";
    return {
        {.group = "nvidia.com",
         .kind = "DynamoGraphDeployment",
         .versions = {"v1beta1", "v1alpha1"},
         .templates = {{"spec.components[*]", Shape::kGraphComponent}, {"spec.services[*]", Shape::kGraphService}},
         .replacement = graph_replacement,
         .support = Support::kPossible,
         .note =
             "only workers (worker, prefill, decode, and components of another type that request a GPU) are "
             "injected, never the Frontend; old workers may serve until all new workers are ready: arm faults after "
             "that",
         .pod_search = PodSearch::kLabels,
         .pod_labels = "nvidia.com/dynamo-graph-deployment-name={}",
         .template_of = component_of},
        {.group = "nvidia.com",
         .kind = "DynamoComponentDeployment",
         .versions = {"v1beta1", "v1alpha1"},
         .templates = {{"spec.podTemplate"}},
         .replacement = always_rolling,
         .support = Support::kImpossible,
         .note = "a DynamoComponentDeployment " + part + "its DynamoGraphDeployment"},
        {.group = "grove.io",
         .kind = "PodCliqueSet",
         .versions = {"v1alpha1"},
         .templates = {{"spec.template.cliques[*].spec.podSpec", Shape::kPodSpec}},
         .replacement = replacement_by_strategy,
         .support = Support::kPossible,
         .note = "Grove replaces pods replica by replica, or with updateStrategy OnDelete only deleted pods; it "
                 "terminates a whole gang that stays below its minAvailable for its terminationDelay",
         .pod_search = PodSearch::kLabels,
         .pod_labels = "app.kubernetes.io/part-of={},grove.io/podclique",
         .template_of = clique_of},
        {.group = "grove.io",
         .kind = "PodClique",
         .versions = {"v1alpha1"},
         .templates = {{"spec.podSpec", Shape::kPodSpec}},
         .replacement = always_rolling,
         .support = Support::kImpossible,
         .note = "a PodClique " + part + "its PodCliqueSet"},
    };
}

std::vector<Kind> serving() {
    return {
        {.group = "leaderworkerset.x-k8s.io",
         .kind = "LeaderWorkerSet",
         .versions = {"v1"},
         .templates = {{"spec.leaderWorkerTemplate.leaderTemplate", Shape::kTemplate, "leader"},
                       {"spec.leaderWorkerTemplate.workerTemplate", Shape::kTemplate, "worker"}},
         .replacement = always_rolling,
         .support = Support::kPossible,
         .note = "the LeaderWorkerSet replaces its groups one after another; with RecreateGroupOnPodRestart the crash "
                 "of one pod restarts its whole group",
         .pod_search = PodSearch::kLabels,
         .pod_labels = "leaderworkerset.sigs.k8s.io/name={}",
         .template_of = leader_or_worker},
        {.group = "serving.kserve.io",
         .kind = "InferenceService",
         .versions = {"v1beta1"},
         .templates = {},
         .replacement = always_rolling,
         .support = Support::kByPath,
         .note = "containers of an InferenceService may come from a ServingRuntime, which other services share; if it "
                 "defines its own containers, give the path of their pod spec with --template, such as spec.predictor",
         .pod_search = PodSearch::kLabels,
         .pod_labels = "serving.kserve.io/inferenceservice={}"},
        {.group = "serving.kserve.io",
         .kind = "LLMInferenceService",
         .versions = {"v1alpha2", "v1alpha1"},
         .templates = {},
         .replacement = always_rolling,
         .support = Support::kByPath,
         .note = "containers of an LLMInferenceService may come from the configurations in its baseRefs; if it defines "
                 "its own containers, give the path of their pod spec with --template: spec.template, spec.worker, "
                 "spec.prefill.template"},
    };
}

std::vector<Kind> kserve_runtimes() {
    const std::string shared =
        " belong to every InferenceService that uses it; define the containers in one InferenceService, and inject "
        "that "
        "with --template spec.predictor";
    return {
        {.group = "serving.kserve.io",
         .kind = "ServingRuntime",
         .versions = {"v1alpha1"},
         .templates = {{"spec", Shape::kPodSpec, "runtime"}, {"spec.workerSpec", Shape::kPodSpec, "worker"}},
         .replacement = always_rolling,
         .support = Support::kImpossible,
         .note = "the containers of a ServingRuntime" + shared},
        {.group = "serving.kserve.io",
         .kind = "ClusterServingRuntime",
         .versions = {"v1alpha1"},
         .templates = {{"spec", Shape::kPodSpec, "runtime"}, {"spec.workerSpec", Shape::kPodSpec, "worker"}},
         .replacement = always_rolling,
         .support = Support::kImpossible,
         .note = "the containers of a ClusterServingRuntime" + shared,
         .is_cluster_scoped = true},
    };
}

std::vector<Kind> ray() {
    const std::vector<std::string> versions = {"v1", "v1alpha1"};
    return {
        {.group = "ray.io",
         .kind = "RayCluster",
         .versions = versions,
         .templates = {{"spec.headGroupSpec.template", Shape::kTemplate, "headgroup"},
                       {"spec.workerGroupSpecs[*].template"}},
         .replacement = ray_cluster_replacement,
         .support = Support::kPossible,
         .note = "KubeRay does not replace running pods: each pod has to be deleted; with upgradeStrategy Recreate it "
                 "deletes all of them together",
         .pod_search = PodSearch::kLabels,
         .pod_labels = "ray.io/cluster={}",
         .template_of = ray_group_of},
        {.group = "ray.io",
         .kind = "RayService",
         .versions = versions,
         .templates = {{"spec.rayClusterConfig.headGroupSpec.template", Shape::kTemplate, "headgroup"},
                       {"spec.rayClusterConfig.workerGroupSpecs[*].template"}},
         .replacement = always_rolling,
         .support = Support::kByPath,
         .note =
             "a RayService creates a second cluster for each change, which needs the same number of GPUs again (with "
             "upgradeStrategy None, it does not apply the change); if these GPUs are free, give --template "
             "spec.rayClusterConfig.workerGroupSpecs[*].template; otherwise inject a RayCluster"},
        {.group = "ray.io",
         .kind = "RayJob",
         .versions = versions,
         .templates = {{"spec.rayClusterSpec.headGroupSpec.template", Shape::kTemplate, "headgroup"},
                       {"spec.rayClusterSpec.workerGroupSpecs[*].template"}},
         .replacement = always_on_delete,
         .support = Support::kImmutable,
         .note = "the cluster of a RayJob is immutable; inject a RayCluster, and run the job in it with "
                 "clusterSelector"},
    };
}

std::vector<Kind> training() {
    return {
        {.group = "kubeflow.org",
         .kind = "PyTorchJob",
         .versions = {"v1"},
         .templates = {{"spec.pytorchReplicaSpecs[*].template"}},
         .replacement = always_on_delete,
         .support = Support::kPossible,
         .note = "a PyTorchJob does not replace running pods: each pod has to be deleted; its restartPolicy and "
                 "backoffLimit determine whether a crash fails the job",
         .pod_search = PodSearch::kLabels,
         .pod_labels = "training.kubeflow.org/job-name={}",
         .template_of = replica_of},
        {.group = "kubeflow.org",
         .kind = "MPIJob",
         .versions = {"v2beta1", "v1"},
         .templates = {{"spec.mpiReplicaSpecs[*].template"}},
         .replacement = always_on_delete,
         .support = Support::kImpossible,
         .note = "sshd starts the ranks of an MPIJob without the LD_PRELOAD of the container; preload the library in "
                 "the command of mpirun (-x LD_PRELOAD), and create the MPIJob again with it"},
        {.group = "jobset.x-k8s.io",
         .kind = "JobSet",
         .versions = {"v1alpha2"},
         .templates = {{"spec.replicatedJobs[*].template.spec.template"}},
         .replacement = always_on_delete,
         .support = Support::kImmutable,
         .note = "the pod template of a JobSet is immutable"},
        {.group = "trainer.kubeflow.org",
         .kind = "TrainJob",
         .versions = {"v1alpha1"},
         .templates = {},
         .replacement = always_on_delete,
         .support = Support::kImpossible,
         .note = "the trainer of a TrainJob is immutable; delete the TrainJob and create it again with the library in "
                 "the trainer"},
        {.group = "batch.volcano.sh",
         .kind = "Job",
         .versions = {"v1alpha1"},
         .templates = {{"spec.tasks[*].template"}},
         .replacement = always_on_delete,
         .support = Support::kImmutable,
         .note = "the pod template of a Volcano Job is immutable"},
    };
}

std::vector<Kind> argo_and_kruise() {
    return {
        {.group = "argoproj.io",
         .kind = "Rollout",
         .versions = {"v1alpha1"},
         .templates = {{"spec.template"}},
         .replacement = always_rolling,
         .support = Support::kPossible,
         .note =
             "Argo Rollouts replaces the pods according to its strategy; blueGreen, and canary with traffic routing, "
             "run both versions together, which needs more GPUs; a pause step waits for `kubectl argo rollouts "
             "promote NAME`",
         .pod_search = PodSearch::kReplicaSets,
         .surge_limits = rollout_limits,
         .history = History::kReplicaSets,
         .has_replicas = true},
        {.group = "apps.kruise.io",
         .kind = "CloneSet",
         .versions = {"v1alpha1"},
         .templates = {{"spec.template"}},
         .replacement = always_rolling,
         .support = Support::kPossible,
         .note = "the CloneSet replaces its pods according to its updateStrategy; with a partition it keeps some old "
                 "pods permanently, and with type InPlaceOnly it rejects the change",
         .pod_search = PodSearch::kSelector,
         .surge_limits = clone_set_limits,
         .history = History::kControllerRevisions,
         .has_replicas = true},
        {.group = "apps.kruise.io",
         .kind = "StatefulSet",
         .versions = {"v1beta1", "v1alpha1"},
         .templates = {{"spec.template"}},
         .replacement = stateful_set_replacement,
         .support = Support::kPossible,
         .note = "the Advanced StatefulSet replaces its pods one after another, or several with maxUnavailable; with "
                 "podManagementPolicy OrderedReady it never replaces a pod that crashes: such a pod has to be deleted",
         .pod_search = PodSearch::kSelector,
         .history = History::kControllerRevisions,
         .has_replicas = true},
    };
}

std::vector<Kind> all_kinds() {
    std::vector<Kind> table;
    for (const auto& part :
         {apps(), core_and_batch(), dynamo(), serving(), kserve_runtimes(), ray(), training(), argo_and_kruise()}) {
        table.insert(table.end(), part.begin(), part.end());
    }
    return table;
}

}  // namespace

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> table = all_kinds();
    return table;
}

const Kind* kind_of(const std::string& group, const std::string& kind) {
    const auto found = std::find_if(kinds().begin(), kinds().end(),
                                    [&](const Kind& row) { return row.group == group && row.kind == kind; });
    return found == kinds().end() ? nullptr : &*found;
}

const Kind* kind_of_object(const Json& object) {
    const std::string version = text_at(object, Path{"apiVersion"});
    const size_t slash = version.find('/');
    return kind_of(slash == std::string::npos ? "" : version.substr(0, slash), text_at(object, Path{"kind"}));
}

bool is_immutable(const Resource& resource) {
    const Kind* kind = kind_of(resource);
    return kind && kind->support == Support::kImmutable;
}

std::string resource_of(const Kind& kind) {
    const std::string plural = lower_case(kind.kind + "s");
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
        // Most clusters have only a few of these groups. Groups that are not in the discovery document are not
        // requested.
        const std::vector<std::string> announced = discovery.versions_of(kind.group);
        std::erase_if(kind.versions, [&](const std::string& version) {
            return std::find(announced.begin(), announced.end(), version) == announced.end();
        });
        if (kind.is_cluster_scoped) continue;
        if (auto resource = served_version(discovery, kind)) served.push_back(std::move(*resource));
    }
    return served;
}

std::vector<Resource> histories_of(const std::string& group, const std::string& kind) {
    const Kind* known = kind_of(group, kind);
    switch (known ? known->history : History::kUnknown) {
        case History::kNone: return {};
        case History::kReplicaSets: return {replica_sets()};
        case History::kControllerRevisions: return {controller_revisions()};
        case History::kUnknown: break;
    }
    return {replica_sets(), controller_revisions()};
}

}  // namespace cudafault::kube
