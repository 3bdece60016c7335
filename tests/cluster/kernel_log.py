# SPDX-License-Identifier: Apache-2.0
"""Checks `cudafault k8s kernel-log` on a node, with a file as the target. Writes nothing to the kernel log of this machine."""

import json
import signal
import time
from pathlib import Path

from cluster import Cluster, Outcome
from groups import Group, in_cluster
from harness import Checks, cudafault
from permissions import granted_permissions, refused_paths, role_rules, used_permissions
from workspace import Workspace, temporary_workspace

NODE = "node1"
GPU = ("--gpu", "0000:65:00.0")
BUSYBOX = "rig.local/busybox:1"


def new_file(workspace: Workspace, name: str = "kern.log") -> Path:
    """Creates an empty file. The nodes share the file systems of this machine."""
    file = workspace.folder / name
    file.touch()
    return file


def local_lines(*options: object) -> list[str]:
    return cudafault("kernel-log", *options).output.splitlines()


def write(workspace: Workspace, target: object, *options: object, image: str = BUSYBOX) -> Outcome:
    return workspace.run("kernel-log", NODE, *options, *GPU, "--image", image, "--to", target)


def expect_no_pod(checks: Checks, workspace: Workspace, when: str) -> None:
    """Checks that the pod was deleted. A pod that was running may still be terminating."""
    remaining = [pod for pod in workspace.pods() if "deletionTimestamp" not in pod["metadata"]]
    checks.equal(f"the pod is deleted {when}", remaining, [])


def check_lines(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "kernel log: lines", enforce="privileged") as workspace:
        file = new_file(workspace)
        name = """it's "$(HOSTNAME)" $1 %s \\n"""
        options = (48, "--driver", 580, "--follow-ups", "--pid", 4242, "--process", name)
        outcome = write(workspace, file, *options)
        expected = local_lines(*options, *GPU)
        checks.equal("kernel-log exits with 0", (outcome.code, outcome.errors.count("\n")), (0, 1))
        checks.equal("the file has the lines that the local command prints", file.read_text().splitlines(), expected)
        checks.equal("the command prints the lines that it wrote", outcome.output.splitlines(), expected)
        expect_no_pod(checks, workspace, "after the lines are written")
        written = json.loads(write(workspace, file, 79, "--json").output)
        checks.equal("--json has the node, the target and the lines",
                     (written["node"], written["target"], [line["text"] for line in written["lines"]]),
                     (NODE, str(file), local_lines(79, *GPU)))
        checks.equal("a second command appends", file.read_text().splitlines(), expected + local_lines(79, *GPU))
        device = write(workspace, "/dev/null", 79)
        checks.expect("a device is written by a privileged pod", device.code == 0, device)


def check_role(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "kernel log: Role", enforce="privileged") as workspace:
        namespace = workspace.namespace
        rules = role_rules(cluster, "kernel-log", namespace)
        account = cluster.create_service_account(namespace, "kernel-log", rules)
        words = ("k8s", "kernel-log", NODE, 79, *GPU, "--image", BUSYBOX, "--to", new_file(workspace), "-n", namespace)
        outcome, proxy = cluster.killed_at(0, "before", *words, account=account)
        checks.expect("Role of kernel-log: suffices", outcome.code == 0, outcome)
        checks.equal("Role of kernel-log: only reading the node is refused", refused_paths(proxy.requests, namespace),
                     {f"/api/v1/nodes/{NODE}"})
        unused = granted_permissions(rules) - used_permissions(proxy.requests)
        checks.expect("Role of kernel-log: no permission is unused", unused <= {("list", "events")}, unused)


def check_refusals(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "kernel log: refusals", enforce="privileged") as workspace:
        missing = workspace.folder / "missing"
        pods_before = len(workspace.pods())
        for description, outcome, words in (
            ("an unknown node", workspace.run("kernel-log", "node7", 79, *GPU), ('node "node7" does not exist',)),
            ("a missing file", write(workspace, missing, 79), (f"node {NODE} has no file {missing}", "--to")),
            ("a file as a device", write(workspace, "/dev/cudafault-missing", 79), ("has no device", "does not create it")),
            ("an unknown image", write(workspace, new_file(workspace), 79, image="rig.local/missing:1"),
             ("rig.local/missing:1", "--image")),
            ("an image without a shell", write(workspace, new_file(workspace), 79, image="rig.local/pause:1"),
             ("exit code 128", "an image that has a shell")),
        ):
            is_explained = outcome.code == 3 and all(word in outcome.errors for word in words)
            checks.expect(f"{description} is explained in one line", is_explained and outcome.errors.count("\n") == 1, outcome)
        checks.equal("no refused command leaves a pod", pods_before, len(workspace.pods()))
        checks.expect("a missing target is not created", not missing.exists())


def check_policy(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "kernel log: policy", enforce="baseline") as workspace:
        outcome = write(workspace, new_file(workspace), 79)
        is_explained = all(word in outcome.errors for word in ("violates PodSecurity", "-n", "`cudafault kernel-log` on the node"))
        checks.expect("a namespace that forbids hostPath is explained", outcome.code == 3 and is_explained, outcome)
        checks.equal("the refused pod does not exist", workspace.pods(), [])


def check_interrupt(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "kernel log: interrupt", enforce="privileged") as workspace:
        file = new_file(workspace)
        process = workspace.start("kernel-log", NODE, 62, "--follow-ups", *GPU, "--image", BUSYBOX, "--to", file)
        workspace.wait(file.read_text, 60, "the first line")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        checks.expect("an interrupt is reported", process.returncode == 3 and "interrupted" in errors, errors)
        expect_no_pod(checks, workspace, "after an interrupt")
        workspace.wait(lambda: not workspace.pods(), 30, "the end of the pod")
        time.sleep(6)
        checks.expect("the pod writes no line after an interrupt", ": 119," not in file.read_text(), file.read_text())


def check_leftover(checks: Checks, cluster: Cluster) -> None:
    """A killed command leaves its pod, which ends by itself; scan and verify-clean find it."""
    with temporary_workspace(cluster, checks, "kernel log: leftover", enforce="privileged") as workspace:
        words = ("k8s", "kernel-log", NODE, 79, *GPU, "--image", BUSYBOX, "--to", new_file(workspace), "-n", workspace.namespace)
        cluster.killed_at(1, "after", *words)
        name = workspace.pods()[0]["metadata"]["name"]
        scanned = workspace.json("scan")
        checks.equal("scan finds the pod of a killed command", [each["object"] for each in scanned["leftovers"]],
                     [f"pod/{name} in namespace {workspace.namespace}"])
        checks.equal("verify-clean finds the pod of a killed command", workspace.run("verify-clean").code, 4)
        workspace.wait(lambda: workspace.pod(name)["status"]["phase"] == "Succeeded", 60, "the end of the pod")
        workspace.api.delete("v1", "Pod", workspace.namespace, name)


GROUPS = [
    Group(in_cluster, [check_lines, check_role, check_refusals, check_policy, check_interrupt, check_leftover]),
]
