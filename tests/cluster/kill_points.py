# SPDX-License-Identifier: Apache-2.0
"""Kills the tool at each write of inject and restore: before the API server receives the write, and after the API
server has completed it. A `restore` with another home directory must then restore the exact state."""

import tempfile
from functools import partial
from pathlib import Path

import workloads
from drill import Drill, changes, history_differences, stable_fields
from groups import Group, in_own_namespaces

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "DynamoGraphDeployment")
MIN_WRITES = {"inject": 7,  # lease, record, two libraries, plan, workload, lease
                 "replace": 6,  # lease, record, library, plan, workload, lease
                 "restore": 8, "restore, inject": 8,  # lease, plan, workload, plan, two libraries, lease, record
                 "restore, record lost": 9}  # lease, plan, record, workload, ...
NODE = "kill-point-node"


def check_kind(checks, cluster, namespace: str, kind: str) -> None:
    manifest = (workloads.graph_v1beta1(namespace, "graph") if kind == "DynamoGraphDeployment"
                else workloads.workload(kind, namespace, "app", replicas=0))
    drill = Drill(checks, cluster, namespace, manifest)
    verbs = ["inject", "restore"]
    if kind == "Deployment":
        verbs += ["restore, inject", "restore, record lost"]
    kill_at_each_write(drill, verbs)


def check_replacement(checks, cluster, namespace: str) -> None:
    """Replaces the injection with a pinned one, which needs a node. Runs separately, because other workloads would
    create pods on that node."""
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/arch": "amd64"}
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}})
    try:
        drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "pinned", replicas=0))
        kill_at_each_write(drill, ["replace"])
    finally:
        cluster.api.delete("v1", "Node", None, NODE)


def check_edit_between_commands(checks, cluster, namespace: str) -> None:
    """Another client changes the template between a killed `restore --exact` and the next inject."""
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "edited", replicas=0))
    drill.expect_success("inject succeeds", drill.inject())
    outcome, proxy = cluster.killed_at(5, "before", *command(drill, "restore"))
    last = proxy.writes[-1]
    drill.equal("restore --exact is killed before it restores the revision number",
                (outcome.code, last.method, resource_of(last)), (-9, "PATCH", "replicasets"))
    drill.change(lambda object: object["spec"]["template"]["metadata"].setdefault("labels", {}).update(edited="yes"))
    drill.expect_success("inject succeeds again", drill.inject())
    restored = drill.restore("--exact")
    drill.expect("restore --exact keeps the revision numbers and reports the newer revision",
                 restored.code == 0 and "newer revision" in restored.output + restored.errors, restored)
    drill.expect_success("verify-clean succeeds", drill.run("verify-clean"))
    numbers = sorted(number for _, number, _ in drill.revision_numbers()[1].values())
    drill.equal("no two revisions have the same number", numbers, ["3", "6"])


def kill_at_each_write(drill: Drill, verbs: list) -> None:
    with tempfile.TemporaryDirectory(prefix="other-home-") as folder:
        variables = {"HOME": folder, "XDG_CACHE_HOME": folder, "XDG_STATE_HOME": folder}
        other_home = {"cwd": folder, "environment": variables}
        before, history = drill.snapshot(), drill.history()
        for verb in verbs:
            for when in ("before", "after"):
                write = 1
                while kill_and_restore(drill, verb, write, when, other_home, before, history):
                    write += 1
                drill.expect(f"{verb} killed {when} each of {write - 1} writes", write > MIN_WRITES[verb], write)
        drill.equal("restore creates no file in the other home directory",
                    [str(each) for each in Path(folder).iterdir()], [])


def command(drill: Drill, verb: str) -> list:
    commands = {"inject": ["inject", drill.ref], "replace": ["inject", drill.ref, "--replace", "--node", NODE]}
    return ["k8s", *commands.get(verb, ["restore", drill.ref, "--exact"]), "-n", drill.namespace]


def prepare(drill: Drill, verb: str) -> None:
    """Injects and arms for all verbs except inject, so that their writes include the disarm."""
    if verb != "inject":
        outcome = drill.inject()
        assert outcome.code == 0, outcome
        outcome = drill.run("arm", drill.ref, "xid=79")
        assert outcome.code == 0, outcome
    if verb == "restore, record lost":
        for name in (each.split()[1] for each in drill.injection_objects() if "anchor" in each):
            drill.cluster.api.delete("v1", "ConfigMap", drill.namespace, name)


def resource_of(request) -> str:
    parts = request.path.split("?")[0].split("/")
    return parts[-1] if request.method == "POST" else parts[-2]


def kill_and_restore(drill: Drill, verb: str, write: int, when: str, other_home: dict, before: dict,
                     history: list) -> bool:
    """Kills the tool at the write, restores, and checks the state. Returns False if the tool exits before that
    write."""
    numbers = drill.revision_numbers()
    prepare(drill, verb)
    outcome, proxy = drill.cluster.killed_at(write, when, *command(drill, verb))
    description = f"{verb} killed {when} write {write}"
    if proxy.writes:
        description += f" ({proxy.writes[-1].method} {resource_of(proxy.writes[-1])})"
    if proxy.killed:
        drill.equal(f"{description}: the tool is killed", (outcome.code, len(proxy.writes)), (-9, write))
    else:
        # The number of writes varies, because a patch is repeated after a conflict with a controller.
        description = f"{verb} succeeds after {len(proxy.writes)} writes without a kill at write {write}"
        drill.expect(description, outcome.code == 0 and len(proxy.writes) < write, outcome)
    if verb == "restore, inject":
        # The second inject must not record the state of the incomplete restore as the original state.
        outcome = drill.run("inject", drill.ref, "--replace")
        drill.expect(f"{description}: inject succeeds again", outcome.code == 0, outcome)
    exact = ["--exact"] if verb in ("restore", "restore, inject") else []
    restored = drill.restore(*exact, **other_home)
    is_lost = verb == "restore, record lost"
    clean = drill.run("verify-clean") if is_lost else drill.verify()
    drill.expect(f"{description}: restore succeeds and verify-clean finds no leftover",
                 restored.code == 0 and clean.code == 0, (restored, clean))
    if exact:
        drill.expect_revision_numbers(f"{description}: the revision numbers are as before", numbers)
        is_unmentioned = "revision" not in restored.output + restored.errors
        drill.expect(f"{description}: restore reports no problem with revisions", is_unmentioned, restored)
    if is_lost:  # without the record, restore cannot restore managedFields
        found = changes(stable_fields(before), stable_fields(drill.get()))
        found += history_differences(history, drill.history())
        drill.equal(f"{description}: the object is as before", found + drill.injection_objects(), [])
    else:
        drill.expect_unchanged(f"{description}: the object is exactly as before", before, history)
    return proxy.killed


CRDS = ("dynamographdeployments",)
GROUPS = [
    Group(in_own_namespaces, [partial(check_kind, kind=kind) for kind in KINDS]),
    Group(in_own_namespaces, [check_replacement, check_edit_between_commands]),
]
