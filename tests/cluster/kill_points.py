# SPDX-License-Identifier: Apache-2.0
"""The tool is killed at each of its writes, before the API server has it and after it is done, in an injection and in a
restore. A `restore` from anywhere else ends exactly as it was."""

import tempfile
from functools import partial
from pathlib import Path

import workloads
from drill import Drill, changes, each_in_its_namespace, essence, history_differences

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "DynamoGraphDeployment")
FEWEST_WRITES = {"inject": 7,  # lease, record, two libraries, plan, workload, lease
                 "replace": 6,  # lease, record, library, plan, workload, lease
                 "restore": 8, "restore, inject": 8,  # lease, plan, workload, plan, two libraries, lease, record
                 "restore, record lost": 9}  # lease, plan, record, workload, ...
NODE = "kill-point-node"


def check(checks, cluster) -> None:
    cluster.install_crd("dynamographdeployments")
    each_in_its_namespace(checks, cluster, [partial(check_kind, kind=kind) for kind in KINDS])
    each_in_its_namespace(checks, cluster, [check_replacement, check_edited_between])


def check_kind(checks, cluster, namespace: str, kind: str) -> None:
    manifest = (workloads.graph_v1beta1(namespace, "graph") if kind == "DynamoGraphDeployment"
                else workloads.workload(kind, namespace, "app", replicas=0))
    drill = Drill(checks, cluster, namespace, manifest)
    verbs = ["inject", "restore"]
    if kind == "Deployment":
        verbs += ["restore, inject", "restore, record lost"]
    kill_everywhere(drill, verbs)


def check_replacement(checks, cluster, namespace: str) -> None:
    """By a pin, which has another strategy; by itself, for other workloads would have pods as soon as there is a node."""
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/arch": "amd64"}
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}})
    try:
        drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "pinned", replicas=0))
        kill_everywhere(drill, ["replace"])
    finally:
        cluster.api.delete("v1", "Node", None, NODE)


def check_edited_between(checks, cluster, namespace: str) -> None:
    """After a `restore --exact` that was killed and before the next injection, its user changes the template."""
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "edited", replicas=0))
    drill.succeeds("is injected", drill.inject())
    outcome, proxy = cluster.killed_at(5, "before", *words(drill, "restore"))
    last = proxy.writes[-1]
    drill.equal("restore --exact is killed when it would set the number back", (outcome.code, last.method, resource_of(last)),
                (-9, "PATCH", "replicasets"))
    drill.change(lambda object: object["spec"]["template"]["metadata"].setdefault("labels", {}).update(edited="yes"))
    drill.succeeds("is injected again", drill.inject())
    restored = drill.restore("--exact")
    drill.expect("is restored, and its numbers of revisions stay, for there is another one",
                 restored.code == 0 and "newer revision" in restored.output + restored.errors, restored)
    drill.succeeds("is clean", drill.run("verify-clean"))
    numbers = sorted(number for _, number, _ in drill.numbers()[1].values())
    drill.equal("no two have the same number", numbers, ["3", "6"])


def kill_everywhere(drill: Drill, verbs: list) -> None:
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as folder:
        elsewhere = {"cwd": folder, "environment": {"HOME": folder, "XDG_CACHE_HOME": folder, "XDG_STATE_HOME": folder}}
        before, history = drill.snapshot(), drill.history()
        for verb in verbs:
            for when in ("before", "after"):
                write = 1
                while kill(drill, verb, write, when, elsewhere, before, history):
                    write += 1
                drill.expect(f"{verb} killed {when} each of {write - 1} writes", write > FEWEST_WRITES[verb], write)
        drill.equal("nothing is kept elsewhere", [str(each) for each in Path(folder).iterdir()], [])


def words(drill: Drill, verb: str) -> list:
    whole = {"inject": ["inject", drill.word], "replace": ["inject", drill.word, "--replace", "--node", NODE]}
    return ["k8s", *whole.get(verb, ["restore", drill.word, "--exact"]), "-n", drill.namespace]


def prepare(drill: Drill, verb: str) -> None:
    """`restore` and an injection's change begin armed, so that disarming is among the writes."""
    if verb != "inject":
        outcome = drill.inject()
        assert outcome.code == 0, outcome
        outcome = drill.run("arm", drill.word, "xid=79")
        assert outcome.code == 0, outcome
    if verb == "restore, record lost":
        for name in (each.split()[1] for each in drill.beside_it() if "anchor" in each):
            drill.cluster.api.delete("v1", "ConfigMap", drill.namespace, name)


def resource_of(request) -> str:
    parts = request.path.split("?")[0].split("/")
    return parts[-1] if request.method == "POST" else parts[-2]


def kill(drill: Drill, verb: str, write: int, when: str, elsewhere: dict, before: dict, history: list) -> bool:
    """False if there is no such write: the tool came to its end."""
    numbers = drill.numbers()
    prepare(drill, verb)
    outcome, proxy = drill.cluster.killed_at(write, when, *words(drill, verb))
    what = f"{verb} killed {when} write {write}"
    if proxy.writes:
        what += f" ({proxy.writes[-1].method} {resource_of(proxy.writes[-1])})"
    if proxy.killed:
        drill.equal(f"{what}: it was", (outcome.code, len(proxy.writes)), (-9, write))
    else:
        # One more or less: a patch is made again where a controller was faster.
        what = f"{verb} is not killed at write {write}, for it has {len(proxy.writes)}"
        drill.expect(what, outcome.code == 0 and len(proxy.writes) < write, outcome)
    if verb == "restore, inject":
        # What the first restore has left is not the user's own state.
        outcome = drill.run("inject", drill.word, "--replace")
        drill.expect(f"{what}: injected again", outcome.code == 0, outcome)
    exact = ["--exact"] if verb in ("restore", "restore, inject") else []
    restored = drill.restore(*exact, **elsewhere)
    is_lost = verb == "restore, record lost"
    clean = drill.run("verify-clean") if is_lost else drill.verify()
    drill.expect(f"{what}: restored and clean", restored.code == 0 and clean.code == 0, (restored, clean))
    if exact:
        drill.has_numbers(f"{what}: with the numbers of revisions", numbers)
        drill.expect(f"{what}: and nothing to say of them", "revision" not in restored.output + restored.errors, restored)
    if is_lost:  # with it what it knew of managedFields
        wrong = changes(essence(before), essence(drill.get())) + history_differences(history, drill.history())
        drill.equal(f"{what}: as before", wrong + drill.beside_it(), [])
    else:
        drill.is_as(f"{what}: exactly as before", before, history)
    return proxy.killed
