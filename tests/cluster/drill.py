# SPDX-License-Identifier: Apache-2.0
"""Helpers for the tests without nodes: a workload, commands that run the tool on the workload, and a comparison of the
workload before and after an injection. The comparison does not use `verify-clean`."""

import contextlib
import copy
import json
import tempfile
import threading
from pathlib import Path

import workloads
from api import ApiError

REVISIONS = ("deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history",
             "deprecated.daemonset.template.generation")
LIBRARY = "/cudafault/library/$PLATFORM/libcudafault.so"  # without nodes, the architecture is unknown
VARIABLES = ["CUDAFAULT_PLAN_FILE", "CUDAFAULT_LOG", "CUDAFAULT_NODE", "CUDAFAULT_POD", "CUDAFAULT_POD_UID",
             "CUDAFAULT_INJECTION"]


class Drill:
    """A workload in the test's namespace, with the tool's commands and with checks."""

    def __init__(self, checks, cluster, namespace: str, manifest: dict, label: str = "", options: tuple = (),
                 ref: str = "") -> None:
        self.checks, self.cluster, self.namespace, self.options = checks, cluster, namespace, options
        self.version, self.kind, self.name = manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]
        self.label = label or self.kind
        self.ref = ref or f"{self.kind.lower()}/{self.name}"
        self._folder = tempfile.TemporaryDirectory(prefix="drill-")
        self.file = Path(self._folder.name) / "before.json"
        cluster.create(manifest)
        self.settle()

    # The cluster

    def get(self) -> dict:
        return self.cluster.api.get(self.version, self.kind, self.namespace, self.name)

    def patch(self, change: object, *content_type: str) -> None:
        self.cluster.api.patch(self.version, self.kind, self.namespace, self.name, change, *content_type)

    def change(self, edit) -> None:
        """Edits the workload as another client: calls edit(object) and replaces the object."""
        def is_written() -> bool:
            object = self.get()
            edit(object)
            try:
                return bool(self.cluster.api.replace(object, fieldManager="another-client"))
            except ApiError as error:
                if error.status != 409:  # not a conflict with the controller
                    raise
                return False
        self.cluster.wait(is_written, 10, f"an edit of {self.label}")
        self.settle()

    def delete(self) -> None:
        """Deletes the workload and its dependents."""
        self.cluster.api.delete(self.version, self.kind, self.namespace, self.name, propagationPolicy="Foreground")
        self.cluster.wait(lambda: not self.cluster.api.find(self.version, self.kind, self.namespace, self.name), 30,
                          f"the deletion of {self.label}")

    def history(self) -> list:
        """Returns the ReplicaSets and ControllerRevisions that the workload owns."""
        uid = self.get()["metadata"]["uid"]
        objects = [*self.cluster.api.list("apps/v1", "ReplicaSet", self.namespace),
                *self.cluster.api.list("apps/v1", "ControllerRevision", self.namespace)]
        return [each for each in objects if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", ()))]

    def revision_numbers(self) -> tuple:
        """Returns the revision annotation of the workload, and the revision fields of the objects that it owns."""
        number = "deployment.kubernetes.io/revision"
        return self.get()["metadata"].get("annotations", {}).get(number), {
            each["metadata"]["name"]: (each.get("revision"), each["metadata"].get("annotations", {}).get(number),
                                       each["metadata"].get("annotations", {}).get(f"{number}-history"))
            for each in self.history()}

    def settle(self) -> None:
        """Waits until the controller has observed the current generation and the history has the current template."""
        if self.version != "apps/v1":
            return

        def is_settled() -> bool:
            object = self.get()
            observed = object["status"].get("observedGeneration", 0) == object["metadata"]["generation"]
            return observed and (self.kind == "ReplicaSet" or bool(self.current_revision(object)))
        self.cluster.wait(is_settled, 30, f"the reconciliation of {self.kind} {self.name}")

    def current_revision(self, object: dict) -> dict | None:
        """Returns the object of the history with the same containers as the workload."""
        def containers(revision: dict) -> list:
            spec = revision.get("spec") or revision["data"]["spec"]
            return spec["template"]["spec"]["containers"]
        return next((each for each in self.history() if same_containers(containers(each), object)), None)

    def injection_objects(self) -> list:
        """Returns the ConfigMaps and Leases of injections in the namespace."""
        return injection_objects_in(self.cluster, self.namespace)

    # The tool

    def run(self, *words: object, **options):
        return self.cluster.cudafault("k8s", *words, "--namespace", self.namespace, **options)

    def inject(self, *more: str, **options):
        return self.run("inject", self.ref, *self.options, *more, **options)

    def restore(self, *more: str, **options):
        return self.run("restore", self.ref, *more, **options)

    def snapshot(self) -> dict:
        whole_namespace = self.kind == "Widget"  # the tool cannot find an object of an unknown kind by name
        outcome = self.run("snapshot", "-o", self.file, *([] if whole_namespace else [self.ref]))
        assert outcome.code == 0, outcome
        return self.get()

    def verify(self, *more: str, **options):
        return self.run("verify-clean", "--against", self.file, *more, **options)

    # Checks

    def expect(self, description: str, ok: bool, found: object = "") -> bool:
        return self.checks.expect(f"{self.label}: {description}", ok, found)

    def equal(self, description: str, found: object, expected: object) -> bool:
        return self.checks.equal(f"{self.label}: {description}", found, expected)

    def expect_success(self, description: str, outcome) -> bool:
        return self.expect(description, outcome.code == 0, outcome)

    def expect_unchanged(self, description: str, before: dict, history: list | None = None) -> bool:
        """Checks that the object and its field owners are as before, and that no object of an injection remains."""
        found = differences(before, self.get()) + self.injection_objects()
        if history is not None:
            found += history_differences(history, self.history())
        return self.expect(description, not found, found)

    def expect_revision_numbers(self, description: str, expected: tuple) -> bool:
        """Waits for the expected revision numbers, because the controller updates them with a delay."""
        with contextlib.suppress(TimeoutError):
            self.cluster.wait(lambda: self.revision_numbers() == expected, 10)
        return self.equal(description, self.revision_numbers(), expected)

    def expect_clean(self, description: str) -> bool:
        outcome = self.verify()
        return self.expect(description, outcome.code == 0, outcome)


class SharedChecks:
    """Wraps Checks for use by several threads."""

    def __init__(self, checks) -> None:
        self._checks, self._lock = checks, threading.Lock()

    def expect(self, *arguments: object) -> bool:
        with self._lock:
            return self._checks.expect(*arguments)

    def equal(self, *arguments: object) -> bool:
        with self._lock:
            return self._checks.equal(*arguments)


class Refusals:
    """Checks that `inject` is refused, does not change the object `target` and creates no object.

    The error output must have `line_count` lines: warnings of the API server, then the reason."""

    def __init__(self, checks, cluster, namespace: str) -> None:
        self.checks, self.cluster, self.namespace = checks, cluster, namespace

    def __call__(self, description: str, words: tuple, *expected: str, target: tuple = (), line_count: int = 1,
                 **options) -> None:
        before = self.client_fields(target)
        outcome = self.cluster.cudafault("k8s", "inject", *words, "-n", self.namespace, **options)
        self.checks.equal(f"{description}: inject is refused", outcome.code, 3)
        lines = outcome.errors.splitlines()
        for each in expected:
            self.checks.expect(f"{description}: the error contains {each!r}", each in lines[-1], lines)
        is_well_formed = len(lines) == line_count and lines[-1].startswith("cudafault: ")
        self.checks.expect(f"{description}: the error output has {line_count} line(s)", is_well_formed, lines)
        self.checks.equal(f"{description}: the object is not changed", changes(before, self.client_fields(target)), [])
        created = injection_objects_in(self.cluster, self.namespace)
        self.checks.equal(f"{description}: no object is created", created, [])

    def client_fields(self, target: tuple) -> dict:
        """Returns the fields that clients write, without the status, which a controller may write at any time."""
        if not target:
            return {}
        object = stable_fields(self.cluster.api.get(*target))
        return {"metadata": object["metadata"], "spec": object["spec"]}


def injection_objects_in(cluster, namespace: str) -> list:
    """Returns the ConfigMaps of cudafault and all Leases in the namespace."""
    config_maps = [each["metadata"]["name"] for each in cluster.api.list("v1", "ConfigMap", namespace)]
    leases = [each["metadata"]["name"] for each in cluster.api.list("coordination.k8s.io/v1", "Lease", namespace)]
    return [f"ConfigMap {name}" for name in config_maps if name.startswith("cudafault")] + [f"Lease {name}" for name in leases]


def check_cycle(drill: Drill, *options: str, check=None) -> None:
    """Checks that inject and restore leave the object exactly as before. check(object) inspects the injected object."""
    before, history = drill.snapshot(), drill.history()
    outcome = drill.inject(*options)
    if not drill.expect_success("inject succeeds", outcome):
        return
    object = drill.get()
    drill.expect("the object has the annotation of the injection",
                 "cudafault.dev/injected" in object["metadata"].get("annotations", {}), object["metadata"])
    drill.equal("verify-clean reports the injection", drill.verify().code, 4)
    if check:
        check(object)
    drill.expect_success("restore succeeds", drill.restore())
    drill.expect_unchanged("the object is exactly as before", before, history)
    drill.expect_clean("verify-clean finds no leftover")


# Comparison

def stable_fields(object: dict) -> dict:
    """Returns a copy of the object without the fields that no client can restore."""
    copied = copy.deepcopy(object)
    copied.pop("status", None)
    metadata = copied["metadata"]
    for field in ("generation", "resourceVersion", "managedFields"):
        metadata.pop(field, None)
    if any(name in metadata.get("annotations", {}) for name in REVISIONS):
        metadata["annotations"] = {name: value for name, value in metadata["annotations"].items() if name not in REVISIONS}
        if not metadata["annotations"]:
            del metadata["annotations"]
    copied.pop("revision", None)  # only a ControllerRevision has this field
    return copied


def differences(before: dict, after: dict) -> list:
    old, new = stable_fields(before), stable_fields(after)
    return changes(old, new) + ownership_differences(before, after)


def changes(old: object, new: object, at: str = "") -> list:
    """Returns a string for each difference, with its path."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [each for name in names for each in changes(old.get(name), new.get(name), f"{at}.{name}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [each for number in range(len(old)) for each in changes(old[number], new[number], f"{at}[{number}]")]
    return [] if old == new else [f"{at} changed from {json.dumps(old)} to {json.dumps(new)}"]


def ownership_differences(before: dict, after: dict) -> list:
    """Returns a string for each field whose owner has changed."""
    old, new = owners(before), owners(after)
    found = []
    for manager in sorted(old.keys() | new.keys()):
        old_fields, new_fields = old.get(manager, set()), new.get(manager, set())
        found += [f"{manager} now owns {field}" for field in sorted(new_fields - old_fields)]
        found += [f"{manager} lost ownership of {field}" for field in sorted(old_fields - new_fields)]
    return found


def owners(object: dict) -> dict:
    """Returns the owned fields by manager, without the status and revision numbers."""
    found: dict = {}
    for entry in object["metadata"].get("managedFields", ()):
        fields = {field for field in leaves(entry["fieldsV1"]) if not field.endswith(REVISIONS)}
        if entry.get("subresource") != "status" and fields:
            key = f"{entry['manager']} by {entry['operation']} in {entry['apiVersion']}"
            found.setdefault(key, set()).update(fields)
    return found


def leaves(fields: dict, above: str = "") -> set:
    """Returns the paths of the innermost fields in `fields`, each with the prefix `above`."""
    found: set[str] = set()
    for name, inner in fields.items():
        path = f"{above}/{name}" if above else name
        found |= leaves(inner, path) if inner else {path}
    return found


def history_differences(before: list, after: list) -> list:
    old, new = ({each["metadata"]["name"]: each for each in list} for list in (before, after))
    found = [f"{name} is missing" for name in old.keys() - new.keys()]
    found += [f"{name} is new" for name in new.keys() - old.keys()]
    for name in old.keys() & new.keys():
        found += changes(stable_fields(old[name]), stable_fields(new[name]), name)
    return found


def same_containers(containers: list, object: dict) -> bool:
    return containers == object["spec"]["template"]["spec"]["containers"]


# Workloads

def environment(container: dict) -> dict:
    """Returns the variables of the container by name, each as a value or a valueFrom object."""
    return {each["name"]: each.get("valueFrom", each.get("value", "")) for each in container.get("env", ())}


def cron_job(namespace: str, name: str) -> dict:
    spec = workloads.pod_spec(workloads.server(), restartPolicy="Never")
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name, "namespace": namespace},
            "spec": {"schedule": "0 0 1 1 *", "suspend": True,
                     "jobTemplate": {"spec": {"template": workloads.template({"app": name}, spec)}}}}


def leader_worker_set(namespace: str, name: str) -> dict:
    def template(role: str) -> dict:
        return workloads.template({"role": role}, workloads.pod_spec(workloads.server()))

    return {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": 0, "leaderWorkerTemplate": {"size": 2, "leaderTemplate": template("leader"),
                                                             "workerTemplate": template("worker")}}}


def rollout(namespace: str, name: str) -> dict:
    """Returns a Rollout of Argo Rollouts."""
    manifest = workloads.deployment(namespace, name, replicas=0, strategy={"canary": {"maxSurge": 1, "maxUnavailable": 0}})
    return manifest | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}


def clone_set(namespace: str, name: str) -> dict:
    """Returns a CloneSet of OpenKruise."""
    manifest = workloads.deployment(namespace, name, replicas=0, updateStrategy={"maxSurge": 1, "maxUnavailable": "20%"})
    return manifest | {"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet"}


def ray_cluster(namespace: str, name: str) -> dict:
    def template(gpus: int) -> dict:
        return workloads.template({}, workloads.pod_spec(workloads.server(gpus=gpus)))

    return {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": name, "namespace": namespace},
            "spec": {"headGroupSpec": {"rayStartParams": {}, "template": template(0)},
                     "workerGroupSpecs": [{"groupName": "gpu", "replicas": 0, "template": template(1)},
                                          {"groupName": "cpu", "replicas": 0, "template": template(0)}]}}


def pod_clique_set(namespace: str, name: str) -> dict:
    def clique(name: str, gpus: int) -> dict:
        spec = workloads.pod_spec(workloads.server(gpus=gpus))
        return {"name": name, "spec": {"roleName": name, "replicas": 1, "podSpec": spec}}

    return {"apiVersion": "grove.io/v1alpha1", "kind": "PodCliqueSet", "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": 0, "template": {"cliques": [clique("router", 0), clique("decode", 1)]}}}


def widget(namespace: str, name: str) -> dict:
    template = workloads.template({"app": name}, workloads.pod_spec(workloads.server()))
    return {"apiVersion": "cudafault.test/v1", "kind": "Widget", "metadata": {"name": name, "namespace": namespace},
            "spec": {"size": 1, "engine": {"podTemplate": template}}}
