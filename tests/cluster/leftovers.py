# SPDX-License-Identifier: Apache-2.0
"""`verify-clean` ends with 4 for each thing that could have been left behind, and names it."""

import copy
import json

import workloads
from drill import Drill, cron_job

HASH = "0123456789"
VARIABLE = {"name": "CUDAFAULT_NODE", "value": "n"}
APPS = "apps/v1"


def check(checks, cluster) -> None:
    cluster.install_crd("dynamographdeployments")
    with cluster.namespace() as namespace:
        check_objects(checks, cluster, namespace)
        check_workloads(checks, cluster, namespace)
        check_managers(checks, cluster, namespace)
        check_differences(checks, cluster, namespace)


def expect_found(checks, cluster, namespace: str, what: str, *words: str, more: tuple = ()) -> None:
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, "--json", *more)
    traces = json.loads(outcome.output)["traces"]
    named = [each for each in traces if all(word in each["sentence"] for word in words)]
    checks.expect(f"leftover {what}: found and named", outcome.code == 4 and bool(named), outcome)


def expect_clean(checks, cluster, namespace: str, what: str) -> None:
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, "--json")
    checks.expect(f"without the {what}: clean", outcome.code == 0 and json.loads(outcome.output)["clean"], outcome)


def check_objects(checks, cluster, namespace: str) -> None:
    """What would stand beside a workload."""
    expect_clean(checks, cluster, namespace, "leftovers")

    def config_map(name: str, **metadata: object) -> dict:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **metadata}}

    lease = config_map(f"cudafault-{HASH}") | {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    template = workloads.workload("ReplicaSet", namespace, "rs", workloads.pod_spec(workloads.server(env=[VARIABLE])), replicas=0)
    data = {"spec": {"template": {"spec": {"volumes": [{"name": "cudafault-plan", "configMap": {"name": f"cudafault-plan-{HASH}"}}]}}}}
    revision = {"apiVersion": APPS, "kind": "ControllerRevision", "metadata": {"name": "cr", "namespace": namespace},
                "revision": 1, "data": data}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": "nudged", "namespace": namespace, "annotations": {"cudafault.dev/nudge": "1"}},
        "spec": workloads.pod_spec(workloads.server())}
    planted = {
        "anchor": config_map(f"cudafault-anchor-{HASH}"),
        "plan": config_map(f"cudafault-plan-{HASH}"),
        "library": config_map(f"cudafault-library-{HASH}-amd64"),
        "source": config_map("cuda-fault-injection-lib"),
        "ConfigMap with our label": config_map("x", labels={"app.kubernetes.io/managed-by": "cudafault"}),
        "Lease": lease,
        "ReplicaSet with an injected template": template,
        "ControllerRevision with an injected template": revision,
        "pod with a nudge": pod,
    }
    for what, manifest in planted.items():
        cluster.create(manifest)
        metadata = manifest["metadata"]
        expect_found(checks, cluster, namespace, what, f" {metadata['name']} in namespace {namespace}")
        cluster.api.delete(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"], gracePeriodSeconds=0)
        cluster.wait(lambda: not cluster.api.find(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"]))
        expect_clean(checks, cluster, namespace, what)


def check_workloads(checks, cluster, namespace: str) -> None:
    """What would stand in one."""
    volume = {"name": "cudafault-plan", "configMap": {"name": f"cudafault-plan-{HASH}"}}
    mount = {"name": "theirs", "mountPath": "/cudafault/plan"}
    theirs = {"name": "theirs", "emptyDir": {}}
    compiler = workloads.container("compile-cuda-fault-lib", gpus=0)
    helper = {"name": "LD_PRELOAD", "value": "$(CUDAFAULT_LD_PRELOAD)"}
    preload = {"name": "LD_PRELOAD", "value": "/opt/a.so:/cudafault/library/libcudafault.so"}
    cases = {
        "variable": (workloads.pod_spec(workloads.server(env=[VARIABLE])), "variable CUDAFAULT_NODE"),
        "variable of the contract": (workloads.pod_spec(workloads.server(env=[{"name": "CUDA_XID_TYPE", "value": "79"}])),
                                     "variable CUDA_XID_TYPE"),
        "library in LD_PRELOAD": (workloads.pod_spec(workloads.server(env=[preload])), "library in LD_PRELOAD"),
        "helper in LD_PRELOAD": (workloads.pod_spec(workloads.server(env=[helper])), "library in LD_PRELOAD"),
        "volume": (workloads.pod_spec(workloads.server(), volumes=[volume]), "volume cudafault-plan"),
        "mount": (workloads.pod_spec(workloads.server(volumeMounts=[mount]), volumes=[theirs]), "volume mount /cudafault/plan"),
        "init container": (workloads.pod_spec(workloads.server(), initContainers=[compiler]), "init container"),
    }
    for number, (what, (spec, words)) in enumerate(cases.items()):
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            manifest = workloads.workload(kind, namespace, f"planted-{number}", spec, replicas=0)
            cluster.create(manifest)
            expect_found(checks, cluster, namespace, f"{what} in a {kind}", words, manifest["metadata"]["name"])
            cluster.api.delete(APPS, kind, namespace, manifest["metadata"]["name"], propagationPolicy="Background")
        wait_until_gone(cluster, namespace)
    expect_clean(checks, cluster, namespace, "planted workloads")
    mark = {"metadata": {"annotations": {"cudafault.dev/injected": "run=1 edition=1"}}}
    for manifest in (*(workloads.workload(kind, namespace, "marked", replicas=0)
                       for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
                     cron_job(namespace, "marked"), workloads.graph_v1beta1(namespace, "marked")):
        about = manifest["apiVersion"], manifest["kind"], namespace, "marked"
        cluster.create(manifest)
        cluster.api.patch(*about, mark)
        expect_found(checks, cluster, namespace, f"mark on a {manifest['kind']}", "annotation cudafault.dev/injected")
        cluster.api.delete(*about, propagationPolicy="Background")
        wait_until_gone(cluster, namespace)
    expect_clean(checks, cluster, namespace, "marks")


def wait_until_gone(cluster, namespace: str) -> None:
    """Everything that a workload and its controller made."""
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision")
    cluster.wait(lambda: not any(cluster.api.list(APPS, kind, namespace) for kind in kinds), 30, "the end of the workloads")


def check_managers(checks, cluster, namespace: str) -> None:
    """A field manager of ours is a leftover with --exact, and else a note."""
    cluster.create(workloads.workload("Deployment", namespace, "managed", replicas=0))
    drill_path = APPS, "Deployment", namespace, "managed"
    cluster.api.patch(*drill_path, {"spec": {"minReadySeconds": 1}}, fieldManager="cudafault")
    expect_found(checks, cluster, namespace, "field manager", "field manager cudafault", more=("--exact",))
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, "--json")
    answer = json.loads(outcome.output)
    checks.expect("a field manager is a note without --exact",
                  outcome.code == 0 and any("field manager cudafault" in each for each in answer["notes"]), outcome)
    cluster.api.delete(*drill_path, propagationPolicy="Background")
    wait_until_gone(cluster, namespace)


def check_differences(checks, cluster, namespace: str) -> None:
    """Against a snapshot, whatever is not as it was counts."""
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "app", replicas=0), "difference")
    original = drill.snapshot()
    drill.is_clean("none at first")

    def changed(change) -> dict:
        object = copy.deepcopy(drill.get())
        change(object)
        return object

    def pod(object: dict) -> dict:
        return object["spec"]["template"]["spec"]

    cases = {
        "replicas": lambda object: object["spec"].update(replicas=1, paused=True),
        "an annotation": lambda object: object["metadata"].setdefault("annotations", {}).update(a="b"),
        "a label": lambda object: object["metadata"].setdefault("labels", {}).update(a="b"),
        "the image": lambda object: pod(object)["containers"][0].update(image="other"),
        "a variable": lambda object: pod(object)["containers"][0].update(env=[{"name": "A", "value": "b"}]),
        "the strategy": lambda object: object["spec"]["strategy"]["rollingUpdate"].update(maxSurge=0),
        "the history limit": lambda object: object["spec"].update(revisionHistoryLimit=20),
        "an affinity": lambda object: pod(object).update(affinity={"podAntiAffinity": {}}),
    }
    for what, change in cases.items():
        cluster.api.replace(changed(change), fieldManager="kubectl")
        outcome = drill.verify("--json")
        found = json.loads(outcome.output)["differences"]
        drill.expect(f"{what}: found", outcome.code == 4 and any(
            each["object"].startswith("deployments.apps app ") for each in found), outcome)

        def put_back(object: dict) -> None:
            object["spec"] = copy.deepcopy(original["spec"])
            object["metadata"]["labels"] = original["metadata"].get("labels", {})
            own = {name: value for name, value in object["metadata"]["annotations"].items() if name != "a"}
            object["metadata"]["annotations"] = own
        cluster.api.replace(changed(put_back), fieldManager="kubectl")
        drill.settle()
    extra = workloads.workload("ReplicaSet", namespace, "extra", replicas=0)
    cluster.create(extra)
    wholes = cluster.cudafault("k8s", "snapshot", "-o", drill.file, "-n", namespace)
    checks.equal("a snapshot of the namespace", wholes.code, 0)
    cluster.api.delete(APPS, "ReplicaSet", namespace, "extra")
    cluster.wait(lambda: not cluster.api.find(APPS, "ReplicaSet", namespace, "extra"))
    outcome = drill.verify("--json")
    drill.expect("an object that is gone: found", outcome.code == 4 and "extra" in outcome.output, outcome)
