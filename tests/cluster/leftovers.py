# SPDX-License-Identifier: Apache-2.0
"""Checks that `verify-clean` exits with 4 for each possible leftover and names the leftover."""

import copy
import json

import workloads
from drill import Drill, cron_job
from groups import Group, in_one_namespace

HASH = "0123456789"
VARIABLE = {"name": "CUDAFAULT_NODE", "value": "n"}
APPS = "apps/v1"


def expect_found(checks, cluster, namespace: str, description: str, *words: str, options: tuple = ()) -> None:
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, "--json", *options)
    traces = json.loads(outcome.output)["traces"]
    named = [each for each in traces if all(word in each["sentence"] for word in words)]
    checks.expect(f"verify-clean finds and names the {description}", outcome.code == 4 and bool(named), outcome)


def expect_clean(checks, cluster, namespace: str, when: str) -> None:
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, "--json")
    is_clean = outcome.code == 0 and json.loads(outcome.output)["clean"]
    checks.expect(f"verify-clean finds no leftover {when}", is_clean, outcome)


def check_objects(checks, cluster, namespace: str) -> None:
    """Checks leftover objects other than workloads."""
    expect_clean(checks, cluster, namespace, "in a new namespace")

    def config_map(name: str, **metadata: object) -> dict:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **metadata}}

    lease = config_map(f"cudafault-{HASH}") | {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    injected = workloads.pod_spec(workloads.server(env=[VARIABLE]))
    template = workloads.workload("ReplicaSet", namespace, "rs", injected, replicas=0)
    volume = {"name": "cudafault-plan", "configMap": {"name": f"cudafault-plan-{HASH}"}}
    data = {"spec": {"template": {"spec": {"volumes": [volume]}}}}
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
        "ConfigMap with cudafault's label": config_map("x", labels={"app.kubernetes.io/managed-by": "cudafault"}),
        "Lease": lease,
        "ReplicaSet with an injected template": template,
        "ControllerRevision with an injected template": revision,
        "pod with a nudge": pod,
    }
    for description, manifest in planted.items():
        cluster.create(manifest)
        metadata = manifest["metadata"]
        expect_found(checks, cluster, namespace, description, f"/{metadata['name']} in namespace {namespace}")
        cluster.api.delete(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"], gracePeriodSeconds=0)
        cluster.wait(lambda: not cluster.api.find(manifest["apiVersion"], manifest["kind"], namespace, metadata["name"]))
        expect_clean(checks, cluster, namespace, f"after the deletion of the {description}")


def check_workloads(checks, cluster, namespace: str) -> None:
    """Checks leftovers in the specs and annotations of workloads."""
    volume = {"name": "cudafault-plan", "configMap": {"name": f"cudafault-plan-{HASH}"}}
    mount = {"name": "cudafault-plan", "mountPath": "/cudafault/plan"}
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
        "mount": (workloads.pod_spec(workloads.server(volumeMounts=[mount]), volumes=[volume]),
                  "volume mount /cudafault/plan"),
        "init container": (workloads.pod_spec(workloads.server(), initContainers=[compiler]), "init container"),
    }
    for number, (description, (spec, words)) in enumerate(cases.items()):
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            manifest = workloads.workload(kind, namespace, f"planted-{number}", spec, replicas=0)
            cluster.create(manifest)
            expect_found(checks, cluster, namespace, f"{description} in a {kind}", words, manifest["metadata"]["name"])
            cluster.api.delete(APPS, kind, namespace, manifest["metadata"]["name"], propagationPolicy="Background")
        wait_until_deleted(cluster, namespace)
    expect_clean(checks, cluster, namespace, "after the deletion of the planted workloads")
    annotation = {"metadata": {"annotations": {"cudafault.dev/injected": "run=1 edition=1"}}}
    for manifest in (*(workloads.workload(kind, namespace, "marked", replicas=0)
                       for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
                     cron_job(namespace, "marked"), workloads.graph_v1beta1(namespace, "marked")):
        target = manifest["apiVersion"], manifest["kind"], namespace, "marked"
        cluster.create(manifest)
        cluster.api.patch(*target, annotation)
        expect_found(checks, cluster, namespace, f"annotation on a {manifest['kind']}",
                     "annotation cudafault.dev/injected")
        cluster.api.delete(*target, propagationPolicy="Background")
        wait_until_deleted(cluster, namespace)
    expect_clean(checks, cluster, namespace, "after the deletion of the annotated workloads")


def wait_until_deleted(cluster, namespace: str) -> None:
    """Waits until the workloads and the objects of their controllers are deleted."""
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision")
    cluster.wait(lambda: not any(cluster.api.list(APPS, kind, namespace) for kind in kinds), 30,
                 "the deletion of the workloads")


def check_managers(checks, cluster, namespace: str) -> None:
    """Checks fields that cudafault owns according to managedFields."""
    cluster.create(workloads.workload("Deployment", namespace, "managed", replicas=0))
    target = APPS, "Deployment", namespace, "managed"
    cluster.api.patch(*target, {"spec": {"minReadySeconds": 1}}, fieldManager="cudafault")
    for options in ((), ("--exact",)):
        expect_found(checks, cluster, namespace, f"field manager {' '.join(options)}", "field manager cudafault",
                     options=options)
    cluster.api.delete(*target, propagationPolicy="Background")
    wait_until_deleted(cluster, namespace)


def check_differences(checks, cluster, namespace: str) -> None:
    """With --against, verify-clean reports every difference from the snapshot."""
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "app", replicas=0), "difference")
    original = drill.snapshot()
    drill.expect_clean("verify-clean finds no difference before a change")

    def pod(object: dict) -> dict:
        return object["spec"]["template"]["spec"]

    cases = {
        "spec.paused": lambda object: object["spec"].update(paused=True),
        "metadata.annotations": lambda object: object["metadata"].setdefault("annotations", {}).update(a="b"),
        "metadata.labels": lambda object: object["metadata"].setdefault("labels", {}).update(a="b"),
        "spec.template.spec.containers[main].image": lambda object: pod(object)["containers"][0].update(image="other"),
        "spec.template.spec.containers[main].env": lambda object: pod(object)["containers"][0].update(
            env=[{"name": "A", "value": "b"}]),
        "spec.strategy.rollingUpdate.maxSurge": lambda object: object["spec"]["strategy"]["rollingUpdate"].update(maxSurge=0),
        "spec.revisionHistoryLimit": lambda object: object["spec"].update(revisionHistoryLimit=20),
        "spec.template.spec.affinity": lambda object: pod(object).update(affinity={"podAntiAffinity": {}}),
    }
    for description, change in cases.items():
        drill.change(change)
        outcome = drill.verify("--json")
        found = [each["path"] for each in json.loads(outcome.output)["differences"]
                 if each["object"].startswith("deployment.apps/app ") and "managedFields" not in each["path"]]
        is_reported = outcome.code == 4 and len(found) == 1 and found[0].startswith(description)
        drill.expect(f"verify-clean reports {description} and no other path", is_reported, found)

        def revert(object: dict) -> None:
            object["spec"] = copy.deepcopy(original["spec"])
            object["metadata"]["labels"] = original["metadata"].get("labels", {})
            annotations = {name: value for name, value in object["metadata"]["annotations"].items() if name != "a"}
            object["metadata"]["annotations"] = annotations
        drill.change(revert)
    extra = workloads.workload("ReplicaSet", namespace, "extra", replicas=0)
    cluster.create(extra)
    saved = cluster.cudafault("k8s", "snapshot", "-o", drill.file, "-n", namespace)
    checks.equal("snapshot of the namespace succeeds", saved.code, 0)
    cluster.api.delete(APPS, "ReplicaSet", namespace, "extra")
    cluster.wait(lambda: not cluster.api.find(APPS, "ReplicaSet", namespace, "extra"))
    outcome = drill.verify("--json")
    drill.expect("verify-clean reports a deleted object", outcome.code == 4 and "extra" in outcome.output, outcome)


CRDS = ("dynamographdeployments",)
GROUPS = [Group(in_one_namespace, [check_objects, check_workloads, check_managers, check_differences])]
