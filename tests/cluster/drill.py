# SPDX-License-Identifier: Apache-2.0
"""What the tests of exactness share: a workload of its own for each, the tool's commands on it, and a comparison of what it
was with what it is that owes nothing to `verify-clean`."""

import contextlib
import copy
import json
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import workloads
from api import ApiError

REVISIONS = ("deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history",
             "deprecated.daemonset.template.generation")
LIBRARY = "/cudafault/library/$PLATFORM/libcudafault.so"  # no node here says which processors there are
VARIABLES = ["CUDAFAULT_PLAN_FILE", "CUDAFAULT_LOG", "CUDAFAULT_NODE", "CUDAFAULT_POD", "CUDAFAULT_POD_UID",
             "CUDAFAULT_INJECTION"]


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

    def change(self, edit) -> None:
        """As somebody else: edit(object) and write it, whole."""
        def is_written() -> bool:
            object = self.get()
            edit(object)
            try:
                return bool(self.cluster.api.replace(object, fieldManager="somebody"))
            except ApiError as error:
                if error.status != 409:  # its controller was faster
                    raise
                return False
        self.cluster.wait(is_written, 10, f"an edit of {self.label}")
        self.settle()

    def delete(self) -> None:
        """With all that its controller made of it."""
        self.cluster.api.delete(self.version, self.kind, self.namespace, self.name, propagationPolicy="Foreground")
        self.cluster.wait(lambda: not self.cluster.api.find(self.version, self.kind, self.namespace, self.name), 30,
                          f"the end of {self.label}")

    def history(self) -> list:
        """The ReplicaSets and ControllerRevisions that it owns, whole."""
        uid = self.get()["metadata"]["uid"]
        both = [*self.cluster.api.list("apps/v1", "ReplicaSet", self.namespace),
                *self.cluster.api.list("apps/v1", "ControllerRevision", self.namespace)]
        return [each for each in both if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", ()))]

    def numbers(self) -> tuple:
        """Those of its revisions, and what of them it says itself."""
        number = "deployment.kubernetes.io/revision"
        return self.get()["metadata"].get("annotations", {}).get(number), {
            each["metadata"]["name"]: (each.get("revision"), each["metadata"].get("annotations", {}).get(number),
                                       each["metadata"].get("annotations", {}).get(f"{number}-history"))
            for each in self.history()}

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
        return in_namespace(self.cluster, self.namespace)

    # The tool

    def run(self, *words: object, **options):
        return self.cluster.cudafault("k8s", *words, "--namespace", self.namespace, **options)

    def inject(self, *more: str, **options):
        return self.run("inject", self.word, *self.options, *more, **options)

    def restore(self, *more: str, **options):
        return self.run("restore", self.word, *more, **options)

    def snapshot(self) -> dict:
        whole = self.kind == "Widget"  # nobody looks into what nobody knows
        outcome = self.run("snapshot", "-o", self.file, *([] if whole else [self.word]))
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

    def has_numbers(self, what: str, expected: tuple) -> bool:
        """A Deployment's own number is written by its controller, a moment later."""
        with contextlib.suppress(TimeoutError):
            self.cluster.wait(lambda: self.numbers() == expected, 10)
        return self.equal(what, self.numbers(), expected)

    def is_clean(self, what: str) -> bool:
        outcome = self.verify()
        return self.expect(what, outcome.code == 0, outcome)


class SharedChecks:
    """Checks that several threads make at once."""

    def __init__(self, checks) -> None:
        self._checks, self._lock = checks, threading.Lock()

    def expect(self, *statement: object) -> bool:
        with self._lock:
            return self._checks.expect(*statement)

    def equal(self, *statement: object) -> bool:
        with self._lock:
            return self._checks.equal(*statement)


def each_in_its_namespace(checks, cluster, tests: list) -> None:
    """test(checks, cluster, namespace) for each, at the same time: most of it is waiting for etcd. All are run to their ends
    before the first exception is raised."""
    shared = SharedChecks(checks)

    def run(test) -> None:
        with cluster.namespace(wait=False) as namespace:
            test(shared, cluster, namespace)

    with ThreadPoolExecutor(len(tests)) as pool:
        futures = [pool.submit(run, test) for test in tests]
    for future in futures:
        future.result()


class Refusals:
    """refuses(...): `inject` is refused, and nothing has been written: neither the object (if it is named) nor one beside it.
    The last sentence says why; one before is a warning of the server."""

    def __init__(self, checks, cluster, namespace: str) -> None:
        self.checks, self.cluster, self.namespace = checks, cluster, namespace

    def __call__(self, what: str, words: tuple, *said: str, about: tuple = (), sentences: int = 1, **options) -> None:
        before = self.written(about)
        outcome = self.cluster.cudafault("k8s", "inject", *words, "-n", self.namespace, **options)
        self.checks.equal(f"{what}: refused", outcome.code, 3)
        lines = outcome.errors.splitlines()
        for each in said:
            self.checks.expect(f"{what}: says {each!r}", each in lines[-1], lines)
        is_sentence = len(lines) == sentences and lines[-1].startswith("cudafault: ")
        self.checks.expect(f"{what}: in {sentences} sentence(s)", is_sentence, lines)
        self.checks.equal(f"{what}: nothing is written", changes(before, self.written(about)), [])
        self.checks.equal(f"{what}: nothing is beside it", in_namespace(self.cluster, self.namespace), [])

    def written(self, about: tuple) -> dict:
        """What a client writes; a controller may write status meanwhile."""
        if not about:
            return {}
        object = essence(self.cluster.api.get(*about))
        return {"metadata": object["metadata"], "spec": object["spec"]}


def in_namespace(cluster, namespace: str) -> list:
    """What of ours is there, besides workloads."""
    config_maps = [each["metadata"]["name"] for each in cluster.api.list("v1", "ConfigMap", namespace)]
    leases = [each["metadata"]["name"] for each in cluster.api.list("coordination.k8s.io/v1", "Lease", namespace)]
    return [f"ConfigMap {name}" for name in config_maps if name.startswith("cudafault")] + [f"Lease {name}" for name in leases]


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
    """Who set a field before is still who set it, and nobody else is."""
    was, now = owners(before), owners(after)
    found = []
    for manager in sorted(was.keys() | now.keys()):
        lost, won = was.get(manager, set()) - now.get(manager, set()), now.get(manager, set()) - was.get(manager, set())
        found += [f"{manager} owns {field} since" for field in sorted(won)]
        found += [f"{manager} lost {field}" for field in sorted(lost)]
    return found


def owners(object: dict) -> dict:
    """Fields by manager; without status and revision counters."""
    found: dict = {}
    for entry in object["metadata"].get("managedFields", ()):
        fields = {field for field in leaves(entry["fieldsV1"]) if not field.endswith(REVISIONS)}
        if entry.get("subresource") != "status" and fields:
            key = f"{entry['manager']} by {entry['operation']} in {entry['apiVersion']}"
            found.setdefault(key, set()).update(fields)
    return found


def leaves(fields: dict, above: str = "") -> set:
    found = set()
    for name, inner in fields.items():
        path = f"{above}/{name}" if above else name
        found |= leaves(inner, path) if inner else {path}
    return found


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


def rollout(namespace: str, name: str) -> dict:
    """Of Argo Rollouts."""
    manifest = workloads.deployment(namespace, name, replicas=0, strategy={"canary": {"maxSurge": 1, "maxUnavailable": 0}})
    return manifest | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}


def clone_set(namespace: str, name: str) -> dict:
    """Of OpenKruise."""
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
