# SPDX-License-Identifier: Apache-2.0
"""What the tests of exactness share: a workload of its own for each, the tool's commands on it, and a comparison of what it
was with what it is that owes nothing to `verify-clean`."""

import copy
import json
import tempfile
from pathlib import Path

import workloads

REVISIONS = ("deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history",
             "deprecated.daemonset.template.generation")
SELF_MADE = ("kube-root-ca.crt",)  # of each namespace
LIBRARY = "/cudafault/library/$PLATFORM/libcudafault.so"  # no node here says which processors there are
VARIABLES = ["CUDAFAULT_PLAN_FILE", "CUDAFAULT_LOG", "CUDAFAULT_NODE", "CUDAFAULT_POD", "CUDAFAULT_POD_UID",
             "CUDAFAULT_INJECTION"]
# What keeps its value and changes its owner, since the injection sets it and `restore` sets it back.
TAKEN = ("f:revisionHistoryLimit", "f:strategy/f:rollingUpdate/", "f:updateStrategy/f:rollingUpdate/",
         '/k:{"name":"LD_PRELOAD"}/', "f:nodeAffinity/f:requiredDuringSchedulingIgnoredDuringExecution")


class Drill:
    """One workload in a namespace of the test."""

    def __init__(self, checks, cluster, namespace: str, manifest: dict, label: str = "", options: tuple = (),
                 word: str = "") -> None:
        self.checks, self.cluster, self.namespace, self.options = checks, cluster, namespace, options
        self.version, self.kind, self.name = manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"]
        self.label = label or self.kind
        self.word = word or f"{self.kind.lower()}/{self.name}"
        self._folder = tempfile.TemporaryDirectory(prefix="drill-")
        self.file = Path(self._folder.name) / "before.json"
        cluster.create(manifest)
        self.settle()

    # The cluster

    def get(self) -> dict:
        return self.cluster.api.get(self.version, self.kind, self.namespace, self.name)

    def patch(self, change: object, *content_type: str) -> None:
        self.cluster.api.patch(self.version, self.kind, self.namespace, self.name, change, *content_type)

    def history(self) -> list:
        """The ReplicaSets and ControllerRevisions that it owns, whole."""
        uid = self.get()["metadata"]["uid"]
        both = [*self.cluster.api.list("apps/v1", "ReplicaSet", self.namespace),
                *self.cluster.api.list("apps/v1", "ControllerRevision", self.namespace)]
        return [each for each in both if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", ()))]

    def settle(self) -> None:
        """Until its controller has seen it as it is, and has written that into its history."""
        if self.version != "apps/v1":
            return

        def is_settled() -> bool:
            object = self.get()
            seen = object["status"].get("observedGeneration", 0) == object["metadata"]["generation"]
            return seen and (self.kind == "ReplicaSet" or bool(self.current_revision(object)))
        self.cluster.wait(is_settled, 30, f"{self.kind} {self.name} as its controller sees it")

    def current_revision(self, object: dict) -> dict | None:
        """What of its history has its template."""
        def template(revision: dict) -> dict:
            spec = revision.get("spec") or revision["data"]["spec"]
            return spec["template"]["spec"]["containers"]
        return next((each for each in self.history() if same_containers(template(each), object)), None)

    def beside_it(self) -> list:
        """What is in the namespace for injections: ConfigMaps and Leases."""
        found = [f"ConfigMap {each['metadata']['name']}" for each in self.cluster.api.list("v1", "ConfigMap", self.namespace)
                 if each["metadata"]["name"].startswith("cudafault")]
        return found + [f"Lease {each['metadata']['name']}" for each in
                        self.cluster.api.list("coordination.k8s.io/v1", "Lease", self.namespace)]

    # The tool

    def run(self, *words: object, **options):
        return self.cluster.cudafault("k8s", *words, "--namespace", self.namespace, **options)

    def inject(self, *more: str, **options):
        return self.run("inject", self.word, *self.options, *more, **options)

    def restore(self, *more: str, **options):
        return self.run("restore", self.word, *more, **options)

    def snapshot(self) -> dict:
        outcome = self.run("snapshot", "-o", self.file, self.word) if self.kind != "Widget" else self.run("snapshot", "-o", self.file)
        assert outcome.code == 0, outcome
        return self.get()

    def verify(self, *more: str, **options):
        return self.run("verify-clean", "--against", self.file, *more, **options)

    # Statements

    def expect(self, what: str, ok: bool, found: object = "") -> bool:
        return self.checks.expect(f"{self.label}: {what}", ok, found)

    def equal(self, what: str, found: object, expected: object) -> bool:
        return self.checks.equal(f"{self.label}: {what}", found, expected)

    def succeeds(self, what: str, outcome) -> bool:
        return self.expect(what, outcome.code == 0, outcome)

    def is_as(self, what: str, before: dict, history: list | None = None) -> bool:
        """The object is as it was, its owners of fields too, and nothing is beside it."""
        wrong = differences(before, self.get()) + self.beside_it()
        if history is not None:
            wrong += history_differences(history, self.history())
        return self.expect(what, not wrong, wrong)

    def is_clean(self, what: str) -> bool:
        outcome = self.verify()
        return self.expect(what, outcome.code == 0, outcome)


def cycle(drill: Drill, *options: str, check=None) -> None:
    """snapshot, inject, restore: exactly as before. check(object) looks at it while it is injected."""
    before, history = drill.snapshot(), drill.history()
    outcome = drill.inject(*options)
    if not drill.succeeds("is injected", outcome):
        return
    object = drill.get()
    drill.expect("has the mark", "cudafault.dev/injected" in object["metadata"].get("annotations", {}), object["metadata"])
    drill.equal("is not clean meanwhile", drill.verify().code, 4)
    if check:
        check(object)
    drill.succeeds("is restored", drill.restore())
    drill.is_as("is exactly as before", before, history)
    drill.is_clean("verify-clean says so")


# Comparison

def essence(object: dict) -> dict:
    """Without what no client can put back."""
    copied = copy.deepcopy(object)
    copied.pop("status", None)
    metadata = copied["metadata"]
    for field in ("generation", "resourceVersion", "managedFields"):
        metadata.pop(field, None)
    if any(name in metadata.get("annotations", {}) for name in REVISIONS):
        metadata["annotations"] = {name: value for name, value in metadata["annotations"].items() if name not in REVISIONS}
        if not metadata["annotations"]:
            del metadata["annotations"]
    copied.pop("revision", None)  # of a ControllerRevision
    return copied


def differences(before: dict, after: dict) -> list:
    was, now = essence(before), essence(after)
    return changes(was, now) + ownership_differences(before, after)


def changes(was: object, now: object, at: str = "") -> list:
    """What differs, and where."""
    if isinstance(was, dict) and isinstance(now, dict):
        names = [*was, *(name for name in now if name not in was)]
        return [each for name in names for each in changes(was.get(name), now.get(name), f"{at}.{name}")]
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [each for number in range(len(was)) for each in changes(was[number], now[number], f"{at}[{number}]")]
    return [] if was == now else [f"{at} was {json.dumps(was)}, is {json.dumps(now)}"]


def ownership_differences(before: dict, after: dict) -> list:
    """Who set a field before is still who set it, but for what had to be set back."""
    is_schemaless = before["apiVersion"] not in ("apps/v1", "batch/v1")  # lists are owned as a whole there
    was, now = owners(before), owners(after)
    ours = now.pop("cudafault", set())
    everybodys = set().union(*was.values())
    found = []
    for manager in was.keys() | now.keys():
        lost, won = was.get(manager, set()) - now.get(manager, set()), now.get(manager, set()) - was.get(manager, set())
        # What is left of a map that it owned more of is no field.
        found += [f"{manager} owns {field} since" for field in won if not any(each.startswith(field + "/") for each in lost)]
        found += [f"{manager} lost {field}" for field in lost if not has_been_taken(field, ours)]
    if not is_schemaless:
        found += [f"cudafault owns {field}" for field in ours if not any(each in field for each in TAKEN)]
    return found + [f"cudafault owns {field}, which was nobody's" for field in ours if not is_around(field, everybodys)]


def owners(object: dict) -> dict:
    """Fields by manager; without status and revision counters."""
    found: dict = {}
    for entry in object["metadata"].get("managedFields", ()):
        if entry.get("subresource") != "status":
            fields = {field for field in leaves(entry["fieldsV1"]) if not field.endswith(REVISIONS)}
            # Nobody but the controller sets these.
            fields.discard("f:metadata/f:annotations/.") if entry["manager"] == "kube-controller-manager" else None
            if fields:
                found.setdefault(entry["manager"], set()).update(fields)
    return found


def leaves(fields: dict, above: str = "") -> set:
    found = set()
    for name, inner in fields.items():
        path = f"{above}/{name}" if above else name
        found |= leaves(inner, path) if inner else {path}
    return found


def has_been_taken(field: str, ours: set) -> bool:
    """With its last field, a map itself (".") is nobody's."""
    above = field.removesuffix(".")
    return field in ours or (above != field and any(each.startswith(above) for each in ours)) or any(
        field.startswith(each + "/") for each in ours)


def is_around(field: str, fields: set) -> bool:
    return any(each == field or each.startswith(field + "/") or field.startswith(each + "/") for each in fields)


def history_differences(before: list, after: list) -> list:
    was, now = ({each["metadata"]["name"]: each for each in list} for list in (before, after))
    found = [f"{name} is gone" for name in was.keys() - now.keys()]
    found += [f"{name} is new" for name in now.keys() - was.keys()]
    for name in was.keys() & now.keys():
        found += changes(essence(was[name]), essence(now[name]), name)
    return found


def same_containers(containers: list, object: dict) -> bool:
    return containers == object["spec"]["template"]["spec"]["containers"]


# Workloads

def environment(container: dict) -> dict:
    """By name; a value, or where it comes from."""
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


def ray_cluster(namespace: str, name: str) -> dict:
    def template(gpus: int) -> dict:
        return workloads.template({}, workloads.pod_spec(workloads.server(gpus=gpus)))

    return {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": name, "namespace": namespace},
            "spec": {"headGroupSpec": {"rayStartParams": {}, "template": template(0)},
                     "workerGroupSpecs": [{"groupName": "gpu", "replicas": 0, "template": template(1)},
                                          {"groupName": "cpu", "replicas": 0, "template": template(0)}]}}


def pod_clique_set(namespace: str, name: str) -> dict:
    def clique(name: str, gpus: int) -> dict:
        return {"name": name, "spec": {"roleName": name, "replicas": 1, "podSpec": workloads.pod_spec(workloads.server(gpus=gpus))}}

    return {"apiVersion": "grove.io/v1alpha1", "kind": "PodCliqueSet", "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": 0, "template": {"cliques": [clique("router", 0), clique("decode", 1)]}}}


def widget(namespace: str, name: str) -> dict:
    template = workloads.template({"app": name}, workloads.pod_spec(workloads.server()))
    return {"apiVersion": "cudafault.test/v1", "kind": "Widget", "metadata": {"name": name, "namespace": namespace},
            "spec": {"size": 1, "engine": {"podTemplate": template}}}
