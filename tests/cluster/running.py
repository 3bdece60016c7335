# SPDX-License-Identifier: Apache-2.0
"""Checks inject, faults and restore with pods that run and crash. Covers each kind, a cluster whose GPUs are all in
use, and failures of nodes, the API server, ConfigMaps and the tool during a command."""

import copy
import threading
import time
from functools import partial

import permissions
import workloads
from api import ApiError
from cluster import Cluster
from groups import Group, in_cluster
from harness import Checks
from workspace import Workspace, is_injected, is_terminating, temporary_workspace

APP = "app=app"
MARK = "cudafault.dev/injected"
NO_DEVICE = 100
ECC_UNCORRECTABLE = 214
DEFAULT_STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


def create_workload(workspace: Workspace, kind: str = "Deployment", replicas: int = 2, count: int | None = None, **more) -> str:
    """Creates a workload, waits until its pods are Ready, and returns its name."""
    workspace.cluster.create(workloads.workload(kind, workspace.namespace, "app", replicas=replicas, **more))
    workspace.cluster.wait_for_pods(workspace.namespace, APP, replicas if count is None else count)
    return f"{kind.lower()}/app"


def spread_spec(**more) -> dict:
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
              "labelSelector": {"matchLabels": {"app": "app"}}, "matchLabelKeys": ["pod-template-hash"]}
    return workloads.pod_spec(workloads.server(), topologySpreadConstraints=[spread], **more)


def names(pods: list) -> list:
    return sorted(pod["metadata"]["name"] for pod in pods)


def uids(workspace: Workspace) -> set:
    return {pod["metadata"]["uid"] for pod in workspace.pods(APP)}


def object_of(workspace: Workspace, kind: str) -> dict:
    return workspace.api.get("batch/v1" if kind == "CronJob" else "apps/v1", kind, workspace.namespace, "app")


def crash_all(workspace: Workspace, pods: list, times: int = 2) -> None:
    """Sends requests until each pod has crashed `times` times, during a request or at start-up."""
    with workspace.cluster.load(workspace.namespace, APP):
        workspace.crashed_instances(names(pods), times)


def expect_restored(workspace: Workspace, checks: Checks, name: str, before: dict, snapshot, count: int = 2) -> None:
    after = object_of(workspace, before["kind"])
    checks.equal(f"{name}: the spec is exactly as before", after["spec"], before["spec"])
    workspace.expect_clean(checks, name, snapshot)
    pods = workspace.cluster.wait_for_pods(workspace.namespace, APP, count)
    checks.expect(f"{name}: no pod has the library", not any(map(is_injected, pods)), names(pods))


# Reports of faults

def check_evidence(checks: Checks, cluster: Cluster) -> None:
    """Checks that status reports the exact number of failed calls of a client that continues after errors."""
    with temporary_workspace(cluster, checks, "evidence") as workspace:
        main = workloads.container(command=["gpu_client"])
        workspace.cluster.create(workloads.deployment(workspace.namespace, "app", workloads.pod_spec(main)))
        workspace.cluster.wait_for_pods(workspace.namespace, APP, 2)
        snapshot = workspace.snapshot()
        workspace.do("inject", "deployment/app")
        for times, spec, codes in ((7, "xid=94 times=7", [ECC_UNCORRECTABLE]),
                                   (3, "xid=79 times=3", [NO_DEVICE, ECC_UNCORRECTABLE])):
            armed = workspace.json("arm", "deployment/app", spec)

            def all_fired() -> list:
                pods = list(workspace.status("deployment/app").values())
                return pods if all(pod["fired"] == times for pod in pods) else []
            pods = workspace.wait(all_fired, 15, f"{times} failed calls in each pod")
            checks.equal(f"evidence: {spec} is acknowledged, and fires exactly {times} times in each pod",
                         [(pod["acknowledged"], pod["fired"], pod["fired_is_lower_bound"], pod["restarts"]) for pod in pods],
                         [(armed["revision"], times, False, 0)] * 2)
            checks.equal(f"evidence: after {spec}, status lists the CUDA errors of all XIDs so far",
                         [pod["codes"] for pod in pods], [codes] * 2)
            all_seen = all(pod["library_seen"] for pod in pods)
            checks.expect(f"evidence: after {spec}, each pod has the library", all_seen, pods)
        workspace.do("restore", "deployment/app")
        workspace.expect_clean(checks, "evidence", snapshot)


def check_shared_processes(checks: Checks, cluster: Cluster) -> None:
    """With a shared PID namespace, PID 1 does not belong to the container, so the library cannot write to the
    standard error of PID 1."""
    with temporary_workspace(cluster, checks, "shared processes") as workspace:
        spec = workloads.pod_spec(workloads.container(command=["gpu_client"]), shareProcessNamespace=True)
        workspace.cluster.create(workloads.deployment(workspace.namespace, "app", spec, replicas=1))
        workspace.cluster.wait_for_pods(workspace.namespace, APP, 1)
        snapshot = workspace.snapshot()
        workspace.do("inject", "deployment/app")
        workspace.do("arm", "deployment/app", "xid=79 times=3")

        def fired() -> list:
            return [pod for pod in workspace.status("deployment/app").values() if pod["fired"] == 3]
        pods = workspace.wait(fired, 15, "three failed calls")
        checks.equal("shared processes: status reports the library and the failed calls",
                     [pod["library_seen"] for pod in pods], [True])
        workspace.do("restore", "deployment/app")
        workspace.expect_clean(checks, "shared processes", snapshot)


def check_ended_processes(checks: Checks, cluster: Cluster) -> None:
    """Checks that processes that ended under an older plan neither count nor prevent an acknowledgement."""
    with temporary_workspace(cluster, checks, "ended processes") as workspace:
        script = "while true; do gpu_client & child=$!; sleep 2; kill -9 $child; done"
        spec = workloads.pod_spec(workloads.container(command=["sh", "-c", script]))
        workspace.cluster.create(workloads.deployment(workspace.namespace, "app", spec, replicas=1))
        workspace.cluster.wait_for_pods(workspace.namespace, APP, 1)
        workspace.do("inject", "deployment/app")
        workspace.do("arm", "deployment/app", "xid=79 times=3")

        def fired() -> list:
            return [pod for pod in workspace.status("deployment/app").values() if pod["fired"]]
        workspace.wait(fired, 15, "failed calls")
        disarmed = workspace.json("disarm", "deployment/app")
        time.sleep(3)  # at least one process starts after the plan was disarmed
        pod, = workspace.status("deployment/app").values()
        checks.equal("ended processes: the pod has acknowledged the plan, under which no call failed",
                     (pod["acknowledged"], pod["fired"], pod["fired_is_lower_bound"]), (disarmed["revision"], 0, False))
        workspace.do("restore", "deployment/app")


def check_finished_pods(checks: Checks, cluster: Cluster) -> None:
    """Checks that status shows the failed calls of a Job's finished pod, and the advice of verify-clean about the Job."""
    with temporary_workspace(cluster, checks, "finished pods") as workspace:
        main = workloads.container(command=["sh", "-c", "gpu_client & sleep 4; kill $!; exit 3"])
        job = {"backoffLimit": 0, "template": {"spec": workloads.pod_spec(main, restartPolicy="Never")}}
        spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job}}
        workspace.cluster.create({"apiVersion": "batch/v1", "kind": "CronJob",
                                  "metadata": {"name": "app", "namespace": workspace.namespace}, "spec": spec})
        snapshot = workspace.snapshot()
        workspace.do("inject", "cronjob/app")
        workspace.do("arm", "cronjob/app", "xid=79 times=3")
        workspace.cluster.kubectl("-n", workspace.namespace, "create", "job", "--from=cronjob/app", "run")

        def failed() -> list:
            return [pod for pod in workspace.pods("job-name=run") if pod["status"]["phase"] == "Failed"]
        workspace.wait(failed, 30, "the end of the Job's pod")
        shown = [(pod["phase"], pod["fired"]) for pod in workspace.status("cronjob/app").values()]
        checks.equal("finished pods: status counts the failed calls of the finished pod", shown, [("Failed", 3)])
        workspace.do("restore", "cronjob/app")
        remains = workspace.run("verify-clean")
        checks.expect("finished pods: verify-clean says how to remove the Job, which restore cannot change",
                      remains.code == 4 and f"kubectl delete job run -n {workspace.namespace}" in remains.errors, remains)
        workspace.cluster.kubectl("-n", workspace.namespace, "delete", "job", "run")
        workspace.expect_clean(checks, "finished pods", snapshot)


def check_lost_template(checks: Checks, cluster: Cluster) -> None:
    """Checks arm and status while a rollout replaces the injected pods because another client reverted the template."""
    with temporary_workspace(cluster, checks, "lost template") as workspace:
        ref = create_workload(workspace, spec=workloads.pod_spec(workloads.server(), terminationGracePeriodSeconds=1),
                              strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
                              minReadySeconds=8)
        snapshot = workspace.snapshot()
        workspace.do("inject", ref)
        workspace.cluster.kubectl("-n", workspace.namespace, "rollout", "undo", ref)
        refused = workspace.run("arm", ref, "xid=79")
        checks.expect("lost template: arm fails and names the cause",
                      refused.code == 3 and "has removed the library" in refused.errors, refused)
        workspace.do("arm", ref, "xid=79", "--allow-empty")
        shown = workspace.do("status", ref)
        checks.expect("lost template: status shows the armed plan and the pods that still have the library",
                      "still ha" in shown and "plan: xid=79" in shown, shown)
        workspace.do("restore", ref)
        workspace.expect_clean(checks, "lost template", snapshot)


# Kinds

def check_stateful_set(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "StatefulSet") as workspace:
        name = create_workload(workspace, "StatefulSet")
        before, snapshot = object_of(workspace, "StatefulSet"), workspace.snapshot()
        workspace.do("inject", name)
        pods = workspace.cluster.wait_for_pods(workspace.namespace, APP, 2)
        checks.expect("StatefulSet: both pods are replaced", all(map(is_injected, pods)), names(pods))
        workspace.do("arm", name, "xid=79")
        crash_all(workspace, pods)
        crashed = list(workspace.status(name).values())
        checks.expect("StatefulSet: the pods crash with the XID's CUDA error", all(
            pod["codes"] == [NO_DEVICE] and pod["terminated"]["exit_code"] == 1 and pod["restarts"] > 0
            for pod in crashed), crashed)
        checks.expect("StatefulSet: the count is a lower bound, because the kubelet deletes logs of earlier instances",
                      all(pod["fired"] >= 1 and pod["fired_is_lower_bound"] for pod in crashed), crashed)
        outcome = workspace.run("restore", name, "--timeout", "4s")
        named = "--delete-pods" in outcome.errors + outcome.output and "app-" in outcome.errors + outcome.output
        checks.expect("StatefulSet: restore exits with 4, and names the crashed pods and --delete-pods",
                      outcome.code == 4 and named, outcome)
        workspace.do("restore", name, "--delete-pods")
        expect_restored(workspace, checks, "StatefulSet", before, snapshot)


def check_daemon_set(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "DaemonSet") as workspace:
        name = create_workload(workspace, "DaemonSet", count=2)
        before, snapshot = object_of(workspace, "DaemonSet"), workspace.snapshot()
        workspace.do("inject", name)
        workspace.do("arm", name, "xid=48", "--node", "node2")
        crash_all(workspace, [workspace.pod_on("node2", APP)])
        fired = {pod["node"]: (pod["fired"] > 0, pod["codes"], pod["restarts"] > 0) for pod in workspace.status(name).values()}
        checks.equal("DaemonSet: the pod on node2 crashes, and the pod on node1 does not", fired,
                     {"node1": (False, [], False), "node2": (True, [ECC_UNCORRECTABLE], True)})
        workspace.do("restore", name)
        expect_restored(workspace, checks, "DaemonSet", before, snapshot)


def check_cron_job(checks: Checks, cluster: Cluster) -> None:
    """Creates Jobs from the CronJob with kubectl instead of waiting for the schedule."""
    with temporary_workspace(cluster, checks, "CronJob") as workspace:
        spec = workloads.pod_spec(workloads.server(), restartPolicy="Never")
        job = {"backoffLimit": 0, "template": workloads.template({"app": "app"}, spec)}
        cluster.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "app", "namespace": workspace.namespace},
                        "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job}}})
        before, snapshot = object_of(workspace, "CronJob"), workspace.snapshot()
        workspace.do("inject", "cronjob/app")
        workspace.do("arm", "cronjob/app", "xid=79")
        create = ("-n", workspace.namespace, "create", "job", "--from=cronjob/app")
        cluster.kubectl(*create, "armed")
        ended = ("Failed", "Succeeded")
        pod = workspace.wait(lambda: [each for each in workspace.pods(APP) if each["status"]["phase"] in ended], 30,
                             "the end of the armed Job")[0]
        checks.equal("CronJob: a Job created during the injection fails", pod["status"]["phase"], "Failed")
        log = workspace.log(pod["metadata"]["name"])
        checks.expect("CronJob: the Job fails with the XID's CUDA error", "CUDA_ERROR_NO_DEVICE" in log, log)
        workspace.do("restore", "cronjob/app")
        checks.equal("CronJob: the spec is exactly as before", object_of(workspace, "CronJob")["spec"], before["spec"])
        outcome = workspace.run("verify-clean")
        checks.expect("CronJob: verify-clean names the Job created during the injection",
                      outcome.code == 4 and "job.batch/armed" in outcome.output, outcome)
        cluster.kubectl("-n", workspace.namespace, "delete", "job", "armed")
        workspace.wait(lambda: not workspace.pods(APP), 30, "the deletion of the armed Job's pod")
        cluster.kubectl(*create, "healthy")
        pods = cluster.wait_for_pods(workspace.namespace, APP, 1)
        checks.expect("CronJob: a Job created after restore does not have the library", not is_injected(pods[0]),
                      names(pods))
        cluster.kubectl("-n", workspace.namespace, "delete", "job", "healthy")
        workspace.expect_clean(checks, "CronJob", snapshot)


# Scarce GPUs

def check_all_gpus_used(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "all GPUs in use") as workspace:
        name = create_workload(workspace, replicas=4)
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        checks.equal("all GPUs in use: the strategy is the default", before["spec"]["strategy"], DEFAULT_STRATEGY)
        began = time.monotonic()
        workspace.do("inject", name, "--timeout", "60s")
        pods = workspace.cluster.wait_for_pods(workspace.namespace, APP, 4)
        checks.expect(f"all GPUs in use: inject replaces all pods ({time.monotonic() - began:.1f} s)",
                      all(map(is_injected, pods)),
                      names(pods))
        workspace.do("arm", name, "xid=79")
        crash_all(workspace, pods)
        began = time.monotonic()
        workspace.do("restore", name, "--timeout", "60s")
        checks.expect(f"all GPUs in use: restore replaces crash-looping pods ({time.monotonic() - began:.1f} s)", True)
        expect_restored(workspace, checks, "all GPUs in use", before, snapshot, 4)


def check_reverted_strategy(checks: Checks, cluster: Cluster) -> None:
    """Reverts the strategy as a GitOps tool does, while every GPU is in use, so that a surge pod would be
    unschedulable."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    with temporary_workspace(cluster, checks, "a reverted strategy") as workspace:
        name = create_workload(workspace, replicas=4, strategy=strategy)
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        workspace.do("inject", name, "--timeout", "60s")
        workspace.api.patch("apps/v1", "Deployment", workspace.namespace, "app", {"spec": {"strategy": strategy}})
        began = time.monotonic()
        workspace.do("restore", name, "--timeout", "60s")
        checks.expect(f"a reverted strategy: restore succeeds ({time.monotonic() - began:.1f} s)", True)
        expect_restored(workspace, checks, "a reverted strategy", before, snapshot, 4)


def check_restart_crashed(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "disarm --restart-crashed") as workspace:
        name = create_workload(workspace)
        workspace.do("inject", name)
        old = workspace.cluster.wait_for_pods(workspace.namespace, APP, 2)
        workspace.do("arm", name, "xid=95")
        crash_all(workspace, old)
        began = time.monotonic()
        workspace.do("disarm", name, "--restart-crashed")
        pods = workspace.cluster.wait_for_pods(workspace.namespace, APP, 2)
        seconds = time.monotonic() - began
        replaced = not set(names(pods)) & set(names(old)) and all(map(is_injected, pods))
        checks.expect(f"disarm --restart-crashed: the pods are replaced without the back-off of 10 s ({seconds:.1f} s)",
                      replaced, (names(old), names(pods)))
        began = time.time()
        with cluster.load(workspace.namespace, APP) as load:
            for pod in pods:
                load.wait_for(lambda each: each.ok and each.pod == pod["metadata"]["name"])
        failed = [each for each in load.requests(began) if each.status == 500]
        checks.expect("disarm --restart-crashed: the new pods serve", not failed, failed[:3])
        workspace.do("restore", name)


def check_budget(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "a budget") as workspace:
        name = create_workload(workspace, spec=spread_spec())
        cluster.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                        "metadata": {"name": "all", "namespace": workspace.namespace},
                        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "app"}}}})
        snapshot = workspace.snapshot()
        workspace.do("inject", name)
        workspace.do("arm", name, "xid=79", "--node", "node1")
        broken = workspace.pod_on("node1", APP)
        crash_all(workspace, [broken])
        try:
            outcome = workspace.run("node", "drain", "node1", "--timeout", "3s")
            named = all(word in outcome.errors for word in ("PodDisruptionBudget", "all", "--delete-unhealthy"))
            checks.expect("a budget: drain fails, and names the budget and --delete-unhealthy",
                          outcome.code == 3 and named, outcome)
            workspace.do("node", "drain", "node1", "--delete-unhealthy")
            remaining = [pod for pod in workspace.pods(APP) if pod["spec"].get("nodeName") == "node1"]
            checks.equal("a budget: drain --delete-unhealthy deletes the crash-looping pod", names(remaining), [])
        finally:
            workspace.do("node", "uncordon", "node1")
        workspace.do("restore", name)
        workspace.expect_clean(checks, "a budget", snapshot)


def check_too_few_gpus(checks: Checks, cluster: Cluster) -> None:
    """Pins three pods to a node with two GPUs. Two pods must run, and inject must name the unschedulable pod."""
    with temporary_workspace(cluster, checks, "too few GPUs") as workspace:
        name = create_workload(workspace, replicas=3)
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        injected = workspace.json("inject", name, "--node", "node1")
        pending = [each["pod"] for each in injected["pending"]]
        checks.equal("too few GPUs: two pods have the library",
                     [pod["node"] for pod in injected["pods"] if pod["library_seen"]], ["node1"] * 2)
        checks.expect("too few GPUs: inject names the pending pod and the reason",
                      len(pending) == 1 and "GPU" in injected["pending"][0]["why"], injected["pending"])
        armed = workspace.json("arm", name, "xid=79")
        running = [pod for pod in armed["pods"] if pod["pod"] not in pending]
        checks.equal("too few GPUs: the running pods are armed", len(running), 2)
        workspace.do("restore", name)
        expect_restored(workspace, checks, "too few GPUs", before, snapshot, count=3)


def check_too_few_gpus_stateful_set(checks: Checks, cluster: Cluster) -> None:
    """The StatefulSet controller keeps an old pod until the previous new pod is Ready."""
    with temporary_workspace(cluster, checks, "too few GPUs, StatefulSet") as workspace:
        name = create_workload(workspace, "StatefulSet", replicas=3)
        before, snapshot = object_of(workspace, "StatefulSet"), workspace.snapshot()
        old = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in workspace.pods(APP)}
        node = old["app-2"]  # the controller replaces this pod first
        injected = workspace.json("inject", name, "--node", node)
        nodes = [pod["node"] for pod in injected["pods"] if pod["library_seen"]]
        checks.expect("too few GPUs, StatefulSet: the scheduled new pods have the library and are on the node",
                      0 < len(nodes) <= 2 and set(nodes) == {node}, injected)
        checks.equal("too few GPUs, StatefulSet: inject names the pending pod", len(injected["pending"]), 1)
        checks.equal("too few GPUs, StatefulSet: inject names each remaining old pod",
                     sorted(injected["old_pods"] + [pod["pod"] for pod in injected["pods"]]), sorted(old))
        armed = workspace.json("arm", name, "xid=79")
        checks.equal("too few GPUs, StatefulSet: the running pods with the library are armed",
                     len([pod for pod in armed["pods"] if pod["acknowledged"]]), len(nodes))
        workspace.do("restore", name, "--delete-pods")  # without this option, the controller waits for the pending pod
        expect_restored(workspace, checks, "too few GPUs, StatefulSet", before, snapshot, count=3)


def check_repeated_inject_while_starting(checks: Checks, cluster: Cluster) -> None:
    """Checks that an identical inject waits for pods that start slowly, if the first inject did not wait."""
    with temporary_workspace(cluster, checks, "repeated inject while starting") as workspace:
        slow = workloads.container("slow", "busybox", gpus=0, command=["sleep", "6"])
        spec = workloads.pod_spec(workloads.server(), initContainers=[slow])
        name = create_workload(workspace, spec=spec)
        snapshot = workspace.snapshot()
        workspace.do("inject", name, "--no-wait")
        repeated = workspace.json("inject", name)
        checks.expect("repeated inject while starting: both pods exist and have the library",
                      len(repeated["pods"]) == 2 and all(pod["library_seen"] for pod in repeated["pods"]), repeated)
        workspace.do("restore", name)
        workspace.expect_clean(checks, "repeated inject while starting", snapshot)


def check_repeated_inject_while_crashed(checks: Checks, cluster: Cluster) -> None:
    """Repeats inject while the pods are in back-off."""
    with temporary_workspace(cluster, checks, "repeated inject while crashed") as workspace:
        name = create_workload(workspace)
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        workspace.do("inject", name)
        workspace.do("arm", name, "xid=79")
        crash_all(workspace, workspace.pods(APP), times=3)
        began = time.monotonic()
        repeated = workspace.json("inject", name, "--replace")
        seconds = time.monotonic() - began
        checks.expect("repeated inject while crashed: inject does not wait for the back-off",
                      repeated["complete"] and seconds < 20, (repeated, seconds))
        workspace.do("restore", name)
        expect_restored(workspace, checks, "repeated inject while crashed", before, snapshot)


def check_roles(checks: Checks, cluster: Cluster) -> None:
    """Runs each verb with its Role. Idle pods do not acknowledge a plan, so the verbs read the pods again."""
    with temporary_workspace(cluster, checks, "Roles with pods") as workspace:
        name = create_workload(workspace)
        snapshot = workspace.snapshot()
        for words in (["inject", name], ["arm", name, "xid=79"], ["status", name], ["disarm", name], ["restore", name]):
            rules = permissions.role_rules(cluster, words[0], workspace.namespace)
            account = cluster.create_service_account(workspace.namespace, words[0], rules)
            outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, "-n", workspace.namespace, account=account)
            refused = permissions.refused_paths(proxy.requests, workspace.namespace)
            checks.expect(f"Roles with pods: the Role of {words[0]} suffices", outcome.code == 0 and not refused,
                          (outcome, refused))
        workspace.expect_clean(checks, "Roles with pods", snapshot)


# Failures during a command

def check_deleted_config_maps(checks: Checks, cluster: Cluster) -> None:
    """Another client deletes the ConfigMaps that the pods mount."""
    with temporary_workspace(cluster, checks, "deleted ConfigMaps") as workspace:
        name = create_workload(workspace)
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        workspace.do("inject", name)

        def plans_and_libraries() -> set[str]:
            found = names(workspace.api.list("v1", "ConfigMap", workspace.namespace))
            return {each for each in found if each.startswith(("cudafault-plan", "cudafault-library"))}
        created = plans_and_libraries()
        checks.equal("deleted ConfigMaps: inject has created a plan and a library", len(created), 2)
        for each in created:
            workspace.api.delete("v1", "ConfigMap", workspace.namespace, each)
        deleted_pod = workspace.cluster.wait_for_pods(workspace.namespace, APP, 2)[0]["metadata"]["name"]
        workspace.api.delete("v1", "Pod", workspace.namespace, deleted_pod)
        workspace.wait(lambda: deleted_pod not in names(workspace.pods(APP)), 30, "the deletion of a pod")
        pods = workspace.cluster.wait_for_pods(workspace.namespace, APP, 2)
        checks.expect("deleted ConfigMaps: a new pod starts without the ConfigMaps", all(map(is_injected, pods)),
                      names(pods))
        outcome = workspace.run("arm", name, "xid=79")
        checks.expect("deleted ConfigMaps: arm fails, and names the missing plan and restore",
                      outcome.code == 3 and "plan" in outcome.errors and "restore" in outcome.errors, outcome)
        outcome = workspace.run("inject", name, "--replace")
        checks.expect("deleted ConfigMaps: inject --replace recreates the ConfigMaps", plans_and_libraries() == created,
                      outcome)
        workspace.do("restore", name)
        expect_restored(workspace, checks, "deleted ConfigMaps", before, snapshot)


def check_gitops_revert(checks: Checks, cluster: Cluster, keeps_annotations: bool) -> None:
    """Another client reverts the template, as Argo CD with selfHeal does. Argo CD keeps annotations of other clients;
    other tools revert annotations too."""
    with temporary_workspace(cluster, checks, "GitOps") as workspace:
        name = create_workload(workspace)
        original = copy.deepcopy(object_of(workspace, "Deployment"))
        ended = threading.Event()
        reverted: list = []

        def revert() -> None:
            while not ended.wait(0.3):
                current = object_of(workspace, "Deployment")
                if current["spec"]["template"] == original["spec"]["template"]:
                    continue
                current["spec"] = original["spec"]
                if not keeps_annotations:
                    current["metadata"]["annotations"] = original["metadata"].get("annotations", {})
                try:
                    workspace.api.replace(current, fieldManager="argocd-controller")
                    reverted.append(time.monotonic())
                except ApiError as error:
                    if error.status != 409:
                        raise
        reverter = threading.Thread(target=revert, daemon=True)
        reverter.start()
        try:
            outcome = workspace.run("inject", name, "--timeout", "60s")
            ended_at = time.monotonic()
        finally:
            ended.set()
            reverter.join()
        checks.expect("GitOps: inject fails, and names the field manager and Argo CD", outcome.code == 3 and
                      "argocd-controller" in outcome.errors and "Argo CD" in outcome.errors, outcome)
        seconds = ended_at - reverted[0] if reverted else None
        checks.expect("GitOps: inject fails within 30 s of the first revert", seconds is not None and seconds < 30,
                      seconds)
        workspace.do("restore", name)
        outcome = workspace.run("verify-clean")
        # The Deployment controller copies a kept annotation to the ReplicaSet of the original template.
        checks.expect("GitOps: verify-clean finds no leftover after restore", outcome.code == 0, outcome)


def check_killed_commands(checks: Checks, cluster: Cluster) -> None:
    """Kills the tool with SIGKILL while pods are being replaced."""
    for kind in ("Deployment", "StatefulSet"):
        with temporary_workspace(cluster, checks, f"kill -9, {kind}") as workspace:
            name = create_workload(workspace, kind)
            before, snapshot = object_of(workspace, kind), workspace.snapshot()

            def is_marked() -> bool:
                return MARK in object_of(workspace, kind)["metadata"].get("annotations", {})
            old = uids(workspace)
            kill_when(workspace, ("inject", name), lambda: is_marked() and uids(workspace) != old)
            workspace.do("restore", name, cwd="/")
            expect_restored(workspace, checks, f"kill -9 of inject, {kind}", before, snapshot)
            workspace.do("inject", name)
            old = uids(workspace)
            kill_when(workspace, ("restore", name), lambda: not is_marked() and uids(workspace) != old)
            outcome = workspace.run("verify-clean")
            checks.equal(f"kill -9 of restore, {kind}: verify-clean finds the remaining objects", outcome.code, 4)
            workspace.do("restore", "--all", cwd="/")
            expect_restored(workspace, checks, f"kill -9 of restore, {kind}", before, snapshot)


def kill_when(workspace: Workspace, words: tuple, condition) -> None:
    """Kills the command with SIGKILL as soon as condition() is true, which must happen before the command ends."""
    process = workspace.start(*words)
    try:
        workspace.wait(condition, 30, f"the condition to kill {words[0]}")
        was_running = process.poll() is None
    finally:
        process.kill()
        process.communicate()
    assert was_running and process.returncode == -9, f"{words[0]} exited with {process.returncode} before it was killed"


def check_stopped_api_server(checks: Checks, cluster: Cluster) -> None:
    """Stops the API server while the second pod waits for minReadySeconds of the first."""
    with temporary_workspace(cluster, checks, "stopped API server") as workspace:
        name = create_workload(workspace, minReadySeconds=3)
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        for verb in ("inject", "restore"):
            process = workspace.start(verb, name)
            progress = next((line for line in process.stderr if "1 of 2 pods replaced" in line), "")
            with cluster.without_api_server():
                running = process.poll() is None
                refused = cluster.cudafault("k8s", "status", name, "-n", workspace.namespace, "--timeout", "2s")
            output, errors = process.communicate(timeout=90)
            checks.expect(f"stopped API server: {verb} continues after the server restarts, and succeeds",
                          progress and running and process.returncode == 0,
                          (progress, running, process.returncode, output, errors))
            checks.expect("stopped API server: status fails and names the address",
                          refused.code == 3 and "10.97.0.1" in refused.errors, refused)
        expect_restored(workspace, checks, "stopped API server", before, snapshot)


def check_stopped_node(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "stopped node") as workspace:
        name = create_workload(workspace, spec=spread_spec())
        before, snapshot = object_of(workspace, "Deployment"), workspace.snapshot()
        workspace.do("inject", name)
        lost = workspace.pod_on("node2", APP)["metadata"]["name"]
        workspace.do("arm", name, "xid=79", "--node", "node2")
        cluster.stop_node(2)
        try:
            workspace.wait(lambda: is_terminating(workspace.pod(lost)), 60, "the eviction of the stopped node's pod")
            status = workspace.status(name)[lost]
            checks.equal("stopped node: status reports null instead of 0 for its pod",
                         (status["fired"], status["library_seen"], status["terminating"]), (None, None, True))
            outcome = workspace.run("restore", name, "--timeout", "8s")
            named = "node2" in outcome.output + outcome.errors and lost in outcome.output + outcome.errors
            checks.expect("stopped node: restore names the node and its remaining pod", outcome.code == 4 and named,
                          outcome)
            checks.expect("stopped node: the workload is restored",
                          MARK not in object_of(workspace, "Deployment")["metadata"].get("annotations", {}), "")
        finally:
            cluster.start_node(2)
        workspace.do("restore", name)
        expect_restored(workspace, checks, "stopped node", before, snapshot)


GROUPS = [
    Group(in_cluster, [
        check_evidence,
        check_shared_processes,
        check_ended_processes,
        check_finished_pods,
        check_lost_template,
        check_repeated_inject_while_starting,
        check_stateful_set,
        check_daemon_set,
        check_cron_job,
        check_all_gpus_used,
        check_reverted_strategy,
        check_restart_crashed,
        check_budget,
        check_deleted_config_maps,
        partial(check_gitops_revert, keeps_annotations=True),
        partial(check_gitops_revert, keeps_annotations=False),
        check_killed_commands,
        check_too_few_gpus,
        check_too_few_gpus_stateful_set,
        check_repeated_inject_while_crashed,
        check_roles,
        check_stopped_api_server,
        check_stopped_node,
    ]),
]
