# SPDX-License-Identifier: Apache-2.0
"""Injection, faults and restoring with pods that run and crash: of each kind, of a full fleet, and when nodes, the API server,
ConfigMaps or the tool itself go away half-way."""

import copy
import threading
import time

import permissions
import workloads
from api import ApiError
from cluster import Cluster
from harness import Checks
from scene import Scene, is_injected, is_terminating, scene

APP = "app=app"
MARK = "cudafault.dev/injected"
NO_DEVICE = 100
ECC_UNCORRECTABLE = 214
DEFAULT_STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


def check(checks: Checks, cluster: Cluster) -> None:
    check_evidence(checks, cluster)
    check_shared_processes(checks, cluster)
    check_again_while_starting(checks, cluster)
    check_stateful_set(checks, cluster)
    check_daemon_set(checks, cluster)
    check_cron_job(checks, cluster)
    check_full_fleet(checks, cluster)
    check_reverted_strategy(checks, cluster)
    check_restart_crashed(checks, cluster)
    check_budget(checks, cluster)
    check_deleted_config_maps(checks, cluster)
    check_reverter(checks, cluster, keeps_annotations=True)
    check_reverter(checks, cluster, keeps_annotations=False)
    check_kills(checks, cluster)
    check_short_of_room(checks, cluster)
    check_short_of_room_in_order(checks, cluster)
    check_again_while_crashed(checks, cluster)
    check_roles(checks, cluster)
    check_api_server_gone(checks, cluster)
    check_node_gone(checks, cluster)


def workload(place: Scene, kind: str = "Deployment", replicas: int = 2, count: int | None = None, **more) -> str:
    """Creates it, waits until its pods are Ready, and gives its name."""
    place.cluster.create(workloads.workload(kind, place.namespace, "app", replicas=replicas, **more))
    place.cluster.wait_for_pods(place.namespace, APP, replicas if count is None else count)
    return f"{kind.lower()}/app"


def spread_spec(**more) -> dict:
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
              "labelSelector": {"matchLabels": {"app": "app"}}, "matchLabelKeys": ["pod-template-hash"]}
    return workloads.pod_spec(workloads.server(), topologySpreadConstraints=[spread], **more)


def names(pods: list) -> list:
    return sorted(pod["metadata"]["name"] for pod in pods)


def uids(place: Scene) -> set:
    return {pod["metadata"]["uid"] for pod in place.pods(APP)}


def object_of(place: Scene, kind: str) -> dict:
    return place.api.get("batch/v1" if kind == "CronJob" else "apps/v1", kind, place.namespace, "app")


def crash_all(place: Scene, pods: list, times: int = 2) -> None:
    """They crash at their next request, and while they start."""
    with place.cluster.load(place.namespace, APP):
        place.crashed_instances(names(pods), times)


def expect_restored(place: Scene, checks: Checks, name: str, before: dict, snapshot, count: int = 2) -> None:
    after = object_of(place, before["kind"])
    checks.equal(f"{name}: its spec is exactly as before", after["spec"], before["spec"])
    place.is_clean(checks, name, snapshot)
    pods = place.cluster.wait_for_pods(place.namespace, APP, count)
    checks.expect(f"{name}: its pods are without the library", not any(map(is_injected, pods)), names(pods))


# What is seen

def check_evidence(checks: Checks, cluster: Cluster) -> None:
    """A client that lives on tells exactly how often its calls failed."""
    with scene(cluster, checks, "evidence") as place:
        main = workloads.container(command=["gpu_client"])
        place.cluster.create(workloads.deployment(place.namespace, "app", workloads.pod_spec(main)))
        place.cluster.wait_for_pods(place.namespace, APP, 2)
        snapshot = place.snapshot()
        place.do("inject", "deployment/app")
        for times, spec, codes in ((7, "xid=94 times=7", [ECC_UNCORRECTABLE]),
                                   (3, "xid=79 times=3", [NO_DEVICE, ECC_UNCORRECTABLE])):
            armed = place.json("arm", "deployment/app", spec)

            def all_fired() -> list:
                pods = list(place.status("deployment/app").values())
                return pods if all(pod["fired"] == times for pod in pods) else []
            pods = place.wait(all_fired, 15, f"{times} failed calls in each pod")
            checks.equal(f"evidence: {spec} is acknowledged, and fires that often in each pod, not only at least",
                         [(pod["acknowledged"], pod["fired"], pod["fired_is_lower_bound"], pod["restarts"]) for pod in pods],
                         [(armed["revision"], times, False, 0)] * 2)
            checks.equal("evidence: ... and the CUDA errors of all XIDs so far", [pod["codes"] for pod in pods], [codes] * 2)
            checks.expect("evidence: ... and the library is seen", all(pod["library_seen"] for pod in pods), pods)
        place.do("restore", "deployment/app")
        place.is_clean(checks, "evidence", snapshot)


def check_shared_processes(checks: Checks, cluster: Cluster) -> None:
    """No container has a process 1 of its own, to whose standard error the library could write."""
    with scene(cluster, checks, "shared processes") as place:
        spec = workloads.pod_spec(workloads.container(command=["gpu_client"]), shareProcessNamespace=True)
        place.cluster.create(workloads.deployment(place.namespace, "app", spec, replicas=1))
        place.cluster.wait_for_pods(place.namespace, APP, 1)
        snapshot = place.snapshot()
        place.do("inject", "deployment/app")
        place.do("arm", "deployment/app", "xid=79 times=3")

        def fired() -> list:
            return [pod for pod in place.status("deployment/app").values() if pod["fired"] == 3]
        checks.equal("shared processes: the library is seen, and what fired", [pod["library_seen"] for pod in place.wait(
            fired, 15, "three failed calls")], [True])
        place.do("restore", "deployment/app")
        place.is_clean(checks, "shared processes", snapshot)


# Each kind

def check_stateful_set(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "StatefulSet") as place:
        name = workload(place, "StatefulSet")
        before, snapshot = object_of(place, "StatefulSet"), place.snapshot()
        place.do("inject", name)
        pods = place.cluster.wait_for_pods(place.namespace, APP, 2)
        checks.expect("StatefulSet: both pods are replaced", all(map(is_injected, pods)), names(pods))
        place.do("arm", name, "xid=79")
        crash_all(place, pods)
        crashed = list(place.status(name).values())
        checks.expect("StatefulSet: its pods crash of the XID's error", all(
            pod["codes"] == [NO_DEVICE] and pod["terminated"]["exit_code"] == 1 and pod["restarts"] > 0
            for pod in crashed), crashed)
        checks.expect("StatefulSet: so often at least, since logs of instances before are gone",
                      all(pod["fired"] >= 1 and pod["fired_is_lower_bound"] for pod in crashed), crashed)
        outcome = place.run("restore", name, "--timeout", "4s")
        told = "--delete-pods" in outcome.errors + outcome.output and "app-" in outcome.errors + outcome.output
        checks.expect("StatefulSet: that it does not replace crashed pods is told, with the way out, and is no success",
                      outcome.code == 4 and told, outcome)
        place.do("restore", name, "--delete-pods")
        expect_restored(place, checks, "StatefulSet", before, snapshot)


def check_daemon_set(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "DaemonSet") as place:
        name = workload(place, "DaemonSet", count=2)
        before, snapshot = object_of(place, "DaemonSet"), place.snapshot()
        place.do("inject", name)
        place.do("arm", name, "xid=48", "--node", "node2")
        crash_all(place, [place.pod_on("node2", APP)])
        fired = {pod["node"]: (pod["fired"] > 0, pod["codes"], pod["restarts"] > 0) for pod in place.status(name).values()}
        checks.equal("DaemonSet: the pod of node 2 crashes, that of node 1 does not", fired,
                     {"node1": (False, [], False), "node2": (True, [ECC_UNCORRECTABLE], True)})
        place.do("restore", name)
        expect_restored(place, checks, "DaemonSet", before, snapshot)


def check_cron_job(checks: Checks, cluster: Cluster) -> None:
    """A run as the controller would make one, without the wait for the minute."""
    with scene(cluster, checks, "CronJob") as place:
        spec = workloads.pod_spec(workloads.server(), restartPolicy="Never")
        job = {"backoffLimit": 0, "template": workloads.template({"app": "app"}, spec)}
        cluster.create({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "app", "namespace": place.namespace},
                        "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job}}})
        before, snapshot = object_of(place, "CronJob"), place.snapshot()
        place.do("inject", "cronjob/app")
        place.do("arm", "cronjob/app", "xid=79")
        run = ("-n", place.namespace, "create", "job", "--from=cronjob/app")
        cluster.kubectl(*run, "armed")
        pod = place.wait(lambda: [each for each in place.pods(APP) if each["status"]["phase"] in ("Failed", "Succeeded")], 30,
                         "the end of the armed run")[0]
        checks.equal("CronJob: the next run fails", pod["status"]["phase"], "Failed")
        log = place.log(pod["metadata"]["name"])
        checks.expect("CronJob: ... of the XID's error", "CUDA_ERROR_NO_DEVICE" in log, log)
        place.do("restore", "cronjob/app")
        checks.equal("CronJob: its spec is exactly as before", object_of(place, "CronJob")["spec"], before["spec"])
        outcome = place.run("verify-clean")
        checks.expect("CronJob: a run that was made meanwhile still has it, and that is named",
                      outcome.code == 4 and "jobs.batch armed" in outcome.output, outcome)
        cluster.kubectl("-n", place.namespace, "delete", "job", "armed")
        place.wait(lambda: not place.pods(APP), 30, "the end of the armed run's pod")
        cluster.kubectl(*run, "healthy")
        pods = cluster.wait_for_pods(place.namespace, APP, 1)
        checks.expect("CronJob: the run after that is healthy", not is_injected(pods[0]), names(pods))
        cluster.kubectl("-n", place.namespace, "delete", "job", "healthy")
        place.is_clean(checks, "CronJob", snapshot)


# A fleet that has all GPUs

def check_full_fleet(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "a full fleet") as place:
        name = workload(place, replicas=4)
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        checks.equal("a full fleet: the strategy is the default", before["spec"]["strategy"], DEFAULT_STRATEGY)
        began = time.monotonic()
        place.do("inject", name, "--timeout", "60s")
        pods = place.cluster.wait_for_pods(place.namespace, APP, 4)
        checks.expect(f"a full fleet: inject replaces all pods ({time.monotonic() - began:.1f} s)", all(map(is_injected, pods)),
                      names(pods))
        place.do("arm", name, "xid=79")
        crash_all(place, pods)
        began = time.monotonic()
        place.do("restore", name, "--timeout", "60s")
        checks.expect(f"a full fleet: restore replaces crash-looping pods ({time.monotonic() - began:.1f} s)", True)
        expect_restored(place, checks, "a full fleet", before, snapshot, 4)


def check_reverted_strategy(checks: Checks, cluster: Cluster) -> None:
    """A GitOps tool puts the strategy back while every GPU is in use: a surge pod of the revert could never start."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    with scene(cluster, checks, "a reverted strategy") as place:
        name = workload(place, replicas=4, strategy=strategy)
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        place.do("inject", name, "--timeout", "60s")
        place.api.patch("apps/v1", "Deployment", place.namespace, "app", {"spec": {"strategy": strategy}})
        began = time.monotonic()
        place.do("restore", name, "--timeout", "60s")
        checks.expect(f"a reverted strategy: restore makes room ({time.monotonic() - began:.1f} s)", True)
        expect_restored(place, checks, "a reverted strategy", before, snapshot, 4)


def check_restart_crashed(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "disarm --restart-crashed") as place:
        name = workload(place)
        place.do("inject", name)
        old = place.cluster.wait_for_pods(place.namespace, APP, 2)
        place.do("arm", name, "xid=95")
        crash_all(place, old)
        began = time.monotonic()
        place.do("disarm", name, "--restart-crashed")
        pods = place.cluster.wait_for_pods(place.namespace, APP, 2)
        taken = time.monotonic() - began
        replaced = not set(names(pods)) & set(names(old)) and all(map(is_injected, pods))
        checks.expect(f"disarm --restart-crashed: new pods instead of the old ones' back-off of 10 s ({taken:.1f} s)", replaced,
                      (names(old), names(pods)))
        began = time.time()
        with cluster.load(place.namespace, APP) as load:
            for pod in pods:
                load.wait_for(lambda each: each.ok and each.pod == pod["metadata"]["name"])
        failed = [each for each in load.requests(began) if each.status == 500]
        checks.expect("disarm --restart-crashed: they serve", not failed, failed[:3])
        place.do("restore", name)


def check_budget(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "a budget") as place:
        name = workload(place, spec=spread_spec())
        cluster.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                        "metadata": {"name": "all", "namespace": place.namespace},
                        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "app"}}}})
        snapshot = place.snapshot()
        place.do("inject", name)
        place.do("arm", name, "xid=79", "--node", "node1")
        broken = place.pod_on("node1", APP)
        crash_all(place, [broken])
        try:
            outcome = place.run("node", "drain", "node1", "--timeout", "3s")
            told = all(word in outcome.errors for word in ("PodDisruptionBudget", "all", "--delete-unhealthy"))
            checks.expect("a budget: keeps a crash-looping pod, and that is explained", outcome.code == 3 and told, outcome)
            place.do("node", "drain", "node1", "--delete-unhealthy")
            left = [pod for pod in place.pods(APP) if pod["spec"].get("nodeName") == "node1"]
            checks.equal("a budget: --delete-unhealthy passes it", names(left), [])
        finally:
            place.do("node", "uncordon", "node1")
        place.do("restore", name)
        place.is_clean(checks, "a budget", snapshot)


def check_short_of_room(checks: Checks, cluster: Cluster) -> None:
    """Three pods for a node with two GPUs, which the user wants there: two serve, one is named."""
    with scene(cluster, checks, "short of room") as place:
        name = workload(place, replicas=3)
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        made = place.json("inject", name, "--node", "node1")
        pending = [each["pod"] for each in made["pending"]]
        checks.equal("short of room: two have the library", [pod["node"] for pod in made["pods"] if pod["library_seen"]],
                     ["node1"] * 2)
        checks.expect("short of room: one is pending, named, and told why",
                      len(pending) == 1 and "GPU" in made["pending"][0]["why"], made["pending"])
        armed = place.json("arm", name, "xid=79")
        checks.equal("short of room: those that run are armed", len([pod for pod in armed["pods"] if pod["pod"] not in pending]), 2)
        place.do("restore", name)
        expect_restored(place, checks, "short of room", before, snapshot, count=3)


def check_short_of_room_in_order(checks: Checks, cluster: Cluster) -> None:
    """A StatefulSet's controller waits for each new pod, and keeps the old ones until then."""
    with scene(cluster, checks, "short of room, in order") as place:
        name = workload(place, "StatefulSet", replicas=3)
        before, snapshot = object_of(place, "StatefulSet"), place.snapshot()
        old = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in place.pods(APP)}
        node = old["app-2"]  # the first to be replaced
        made = place.json("inject", name, "--node", node)
        seen = [pod["node"] for pod in made["pods"] if pod["library_seen"]]
        checks.expect("short of room, in order: what has a place is there, has the library, and is on the node",
                      0 < len(seen) <= 2 and set(seen) == {node}, made)
        checks.equal("short of room, in order: the pending one is named", len(made["pending"]), 1)
        checks.equal("short of room, in order: and so is each old one that stays",
                     sorted(made["old_pods"] + [pod["pod"] for pod in made["pods"]]), sorted(old))
        armed = place.json("arm", name, "xid=79")
        checks.equal("short of room, in order: those that run with the library are armed",
                     len([pod for pod in armed["pods"] if pod["acknowledged"]]), len(seen))
        place.do("restore", name, "--delete-pods")  # its controller waits for the pending one, too
        expect_restored(place, checks, "short of room, in order", before, snapshot, count=3)


def check_again_while_starting(checks: Checks, cluster: Cluster) -> None:
    """The same injection once more waits for pods that start slowly, as the first would have."""
    with scene(cluster, checks, "again while starting") as place:
        slow = workloads.container("slow", "busybox", gpus=0, command=["sleep", "6"])
        spec = workloads.pod_spec(workloads.server(), initContainers=[slow])
        name = workload(place, spec=spec)
        snapshot = place.snapshot()
        place.do("inject", name, "--no-wait")
        again = place.json("inject", name)
        checks.expect("again while starting: all pods are there and have the library",
                      len(again["pods"]) == 2 and all(pod["library_seen"] for pod in again["pods"]), again)
        place.do("restore", name)
        place.is_clean(checks, "again while starting", snapshot)


def check_again_while_crashed(checks: Checks, cluster: Cluster) -> None:
    """The same injection once more, while its pods wait out their back-off."""
    with scene(cluster, checks, "again while crashed") as place:
        name = workload(place)
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        place.do("inject", name)
        place.do("arm", name, "xid=79")
        crash_all(place, place.pods(APP), times=3)
        began = time.monotonic()
        again = place.json("inject", name, "--replace")
        checks.expect("again while crashed: it does not wait for the back-off", again["complete"] and time.monotonic() - began < 20,
                      (again, time.monotonic() - began))
        place.do("restore", name)
        expect_restored(place, checks, "again while crashed", before, snapshot)


def check_roles(checks: Checks, cluster: Cluster) -> None:
    """Idle pods acknowledge nothing, so those who arm look again."""
    with scene(cluster, checks, "Roles with pods") as place:
        name = workload(place)
        snapshot = place.snapshot()
        for words in (["inject", name], ["arm", name, "xid=79"], ["status", name], ["disarm", name], ["restore", name]):
            rules = permissions.role(cluster, words[0], place.namespace)
            account = cluster.service_account(place.namespace, words[0], rules)
            outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, "-n", place.namespace, account=account)
            refused = permissions.refusals(proxy.requests, place.namespace)
            checks.expect(f"Roles with pods: that of {words[0]} suffices", outcome.code == 0 and not refused, (outcome, refused))
        place.is_clean(checks, "Roles with pods", snapshot)


# What goes away

def check_deleted_config_maps(checks: Checks, cluster: Cluster) -> None:
    """By hand, with pods that mount them."""
    with scene(cluster, checks, "deleted ConfigMaps") as place:
        name = workload(place)
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        place.do("inject", name)

        def plans_and_libraries() -> set[str]:
            found = names(place.api.list("v1", "ConfigMap", place.namespace))
            return {each for each in found if each.startswith(("cudafault-plan", "cudafault-library"))}
        ours = plans_and_libraries()
        checks.equal("deleted ConfigMaps: a plan and a library are there", len(ours), 2)
        for each in ours:
            place.api.delete("v1", "ConfigMap", place.namespace, each)
        victim = place.cluster.wait_for_pods(place.namespace, APP, 2)[0]["metadata"]["name"]
        place.api.delete("v1", "Pod", place.namespace, victim)
        place.wait(lambda: victim not in names(place.pods(APP)), 30, "the end of a pod")
        pods = place.cluster.wait_for_pods(place.namespace, APP, 2)
        checks.expect("deleted ConfigMaps: keep no pod from starting", all(map(is_injected, pods)), names(pods))
        outcome = place.run("arm", name, "xid=79")
        checks.expect("deleted ConfigMaps: arming says that the plan is gone, and what to do",
                      outcome.code == 3 and "plan" in outcome.errors and "restore" in outcome.errors, outcome)
        outcome = place.run("inject", name, "--replace")
        checks.expect("deleted ConfigMaps: injected again, they are back", plans_and_libraries() == ours, outcome)
        place.do("restore", name)
        expect_restored(place, checks, "deleted ConfigMaps", before, snapshot)


def check_reverter(checks: Checks, cluster: Cluster, keeps_annotations: bool) -> None:
    """As Argo CD with selfHeal does, for which annotations of others are no drift; other tools replace the whole."""
    with scene(cluster, checks, "GitOps") as place:
        name = workload(place)
        wanted = copy.deepcopy(object_of(place, "Deployment"))
        ended = threading.Event()
        reverted: list = []

        def heal() -> None:
            while not ended.wait(0.3):
                now = object_of(place, "Deployment")
                if now["spec"]["template"] == wanted["spec"]["template"]:
                    continue
                now["spec"] = wanted["spec"]
                if not keeps_annotations:
                    now["metadata"]["annotations"] = wanted["metadata"].get("annotations", {})
                try:
                    place.api.replace(now, fieldManager="argocd-controller")
                    reverted.append(time.monotonic())
                except ApiError as error:
                    if error.status != 409:
                        raise
        healer = threading.Thread(target=heal, daemon=True)
        healer.start()
        try:
            outcome = place.run("inject", name, "--timeout", "60s")
            ended_at = time.monotonic()
        finally:
            ended.set()
            healer.join()
        checks.expect("GitOps: the tool is told of, by name, and what to do", outcome.code == 3 and
                      "argocd-controller" in outcome.errors and "Argo CD" in outcome.errors, outcome)
        late = ended_at - reverted[0] if reverted else None
        checks.expect("GitOps: ... within seconds of it", late is not None and late < 30, late)
        place.do("restore", name)
        outcome = place.run("verify-clean")
        # The controller copies an annotation that is kept to the user's own ReplicaSet.
        checks.expect("GitOps: nothing is left in the end", outcome.code == 0, outcome)


def check_kills(checks: Checks, cluster: Cluster) -> None:
    """kill -9 of the tool while pods are being replaced."""
    for kind in ("Deployment", "StatefulSet"):
        with scene(cluster, checks, f"kill -9, {kind}") as place:
            name = workload(place, kind)
            before, snapshot = object_of(place, kind), place.snapshot()

            def is_marked() -> bool:
                return MARK in object_of(place, kind)["metadata"].get("annotations", {})
            old = uids(place)
            kill_when(place, ("inject", name), lambda: is_marked() and uids(place) != old)
            place.do("restore", name, cwd="/")
            expect_restored(place, checks, f"kill -9 of inject, {kind}", before, snapshot)
            place.do("inject", name)
            old = uids(place)
            kill_when(place, ("restore", name), lambda: not is_marked() and uids(place) != old)
            left = place.run("verify-clean")
            checks.equal(f"kill -9 of restore, {kind}: something is left, and found", left.code, 4)
            place.do("restore", "--all", cwd="/")
            expect_restored(place, checks, f"kill -9 of restore, {kind}", before, snapshot)


def kill_when(place: Scene, words: tuple, is_time) -> None:
    """SIGKILL at the first moment that is_time(); it must come before the command ends."""
    process = place.start(*words)
    try:
        place.wait(is_time, 30, f"the moment to kill {words[0]}")
        was_running = process.poll() is None
    finally:
        process.kill()
        process.communicate()
    assert was_running and process.returncode == -9, f"{words[0]} had ended with {process.returncode} before it was killed"


def check_api_server_gone(checks: Checks, cluster: Cluster) -> None:
    """While the second pod waits for the first to be available for long enough."""
    with scene(cluster, checks, "the API server goes away") as place:
        name = workload(place, minReadySeconds=3)
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        for verb in ("inject", "restore"):
            process = place.start(verb, name)
            told = next((line for line in process.stderr if "1 of 2 pods replaced" in line), "")
            with cluster.without_api_server():
                running = process.poll() is None
                refused = cluster.cudafault("k8s", "status", name, "-n", place.namespace, "--timeout", "2s")
            output, errors = process.communicate(timeout=90)
            checks.expect(f"the API server goes away and comes back: {verb} goes on to its end",
                          told and running and process.returncode == 0, (told, running, process.returncode, output, errors))
            checks.expect("the API server goes away: a command says so",
                          refused.code == 3 and "10.97.0.1" in refused.errors, refused)
        expect_restored(place, checks, "the API server goes away", before, snapshot)


def check_node_gone(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "a node vanishes") as place:
        name = workload(place, spec=spread_spec())
        before, snapshot = object_of(place, "Deployment"), place.snapshot()
        place.do("inject", name)
        lost = place.pod_on("node2", APP)["metadata"]["name"]
        place.do("arm", name, "xid=79", "--node", "node2")
        cluster.stop_node(2)
        try:
            place.wait(lambda: is_terminating(place.pod(lost)), 60, "the eviction of the lost node's pod")
            status = place.status(name)[lost]
            checks.equal("a node vanishes: what fired there is unknown, not nothing",
                         (status["fired"], status["library_seen"], status["terminating"]), (None, None, True))
            outcome = place.run("restore", name, "--timeout", "8s")
            told = "node2" in outcome.output + outcome.errors and lost in outcome.output + outcome.errors
            checks.expect("a node vanishes: what is left on it is named", outcome.code == 4 and told, outcome)
            checks.expect("a node vanishes: the workload itself is restored",
                          MARK not in object_of(place, "Deployment")["metadata"].get("annotations", {}), "")
        finally:
            cluster.start_node(2)
        place.do("restore", name)
        expect_restored(place, checks, "a node vanishes", before, snapshot)
