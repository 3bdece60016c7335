# SPDX-License-Identifier: Apache-2.0
"""Helpers for the tests with nodes: they run the tool in a namespace, observe pods, and time the parts of a test."""

import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

from api import ApiError
from cluster import Cluster, Outcome
from harness import Checks

TEST_FAILURES = (ApiError, OSError, RuntimeError, LookupError, AssertionError, ValueError, subprocess.SubprocessError)


@contextlib.contextmanager
def temporary_workspace(cluster: Cluster, checks: Checks, name: str, enforce: str | None = "restricted"):
    """Yields a Workspace in a new namespace, after the pods of deleted namespaces have released their GPUs. Deletes the
    namespace afterwards, and runs the block as a `timed_part`."""
    with timed_part(checks, name), tempfile.TemporaryDirectory(prefix="cudafault-workspace-") as folder:
        cluster.wait(lambda: not pods_of_deleted_namespaces(cluster), 60, "the deletion of other tests' pods")
        with cluster.namespace(enforce=enforce, wait=False) as namespace:
            yield Workspace(cluster, namespace, Path(folder))


def pods_of_deleted_namespaces(cluster: Cluster) -> list:
    ending = {each["metadata"]["name"] for each in cluster.api.list("v1", "Namespace") if is_terminating(each)}
    return [pod for pod in cluster.api.list("v1", "Pod") if pod["metadata"]["namespace"] in ending]


class CommandFailed(AssertionError):
    """Raised if a command fails that was expected to succeed."""


@contextlib.contextmanager
def timed_part(checks: Checks, name: str):
    """Times a part of a test. An exception in the part is reported as a failed check, and the test continues."""
    began = time.monotonic()
    try:
        yield
    except TEST_FAILURES as error:
        checks.expect(f"{name}: runs without an exception", False, f"{type(error).__name__}: {error}")
    print(f"---- {name}: {time.monotonic() - began:.1f} s", flush=True)


class Workspace:
    """Runs `cudafault k8s` on the workloads of a namespace."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster, self.api, self.namespace, self.folder = cluster, cluster.api, namespace, folder
        self._snapshots = 0

    def run(self, *words: object, **options) -> Outcome:
        return self.cluster.cudafault("k8s", *words, "-n", self.namespace, **options)

    def start(self, *words: object, **options) -> subprocess.Popen:
        return self.cluster.start_cudafault("k8s", *words, "-n", self.namespace, **options)

    def do(self, *words: object, **options) -> str:
        """Runs a command and returns its output. Raises CommandFailed with the whole output if the command fails."""
        outcome = self.run(*words, **options)
        if outcome.code != 0:
            command = " ".join(map(str, words))
            details = f"{outcome.errors}{outcome.output}"
            raise CommandFailed(f"`cudafault k8s {command}` exited with {outcome.code}: {details}")
        return outcome.output

    def json(self, *words: object, **options) -> dict:
        return json.loads(self.do(*words, "--json", **options))

    def status(self, workload: str) -> dict:
        """Returns the entry of each pod in the workload's status, by pod name."""
        return {pod["pod"]: pod for pod in self.json("status", workload)["pods"]}

    def snapshot(self) -> Path:
        self._snapshots += 1
        file = self.folder / f"{self.namespace}-{self._snapshots}.json"
        self.do("snapshot", "-o", file)
        return file

    def expect_clean(self, checks: Checks, name: str, snapshot: Path) -> bool:
        outcome = self.run("verify-clean", "--against", snapshot)
        return checks.expect(f"{name}: verify-clean --against finds no leftover", outcome.code == 0,
                             outcome.output + outcome.errors)

    def pods(self, selector: str = "") -> list:
        return self.cluster.pods(self.namespace, selector)

    def pod_on(self, node: str, selector: str) -> dict:
        found = [pod for pod in self.pods(selector) if pod["spec"].get("nodeName") == node and not is_terminating(pod)]
        if len(found) != 1:
            raise AssertionError(f"expected one pod {selector} on {node}, found {len(found)}")
        return found[0]

    def pod(self, name: str) -> dict:
        return self.api.get("v1", "Pod", self.namespace, name)

    def log(self, pod: str, *options: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, "logs", pod, *options)

    def crashed_instances(self, pods: list[str], count: int, timeout: float = 60) -> list:
        """Waits until `count` instances of each pod's container have ended, and returns their exit codes for each pod.

        All pods are polled together, because a pod's status contains only the last two instances, and the next instance
        may start only after a long back-off."""
        ended: list[dict] = [{} for _ in pods]

        def all_have_ended() -> bool:
            for pod, instances in zip(pods, ended):
                for status in self.pod(pod)["status"].get("containerStatuses", ()):
                    for state in (status.get("lastState", {}), status.get("state", {})):
                        if terminated := state.get("terminated"):
                            instances.setdefault(terminated["containerID"], terminated["exitCode"])
            return all(len(instances) >= count for instances in ended)
        self.cluster.wait(all_have_ended, timeout, f"{count} crashes of pods {', '.join(pods)}")
        return [list(instances.values()) for instances in ended]

    def wait(self, condition, timeout: float = 60, description: str = "the expected condition"):
        return self.cluster.wait(condition, timeout, description)


def is_terminating(object: dict) -> bool:
    return "deletionTimestamp" in object["metadata"]


def is_injected(pod: dict) -> bool:
    entries = [entry for container in pod["spec"]["containers"] for entry in container.get("env", ())]
    return any(entry["name"] == "LD_PRELOAD" and "cuda" in entry.get("value", "") for entry in entries)


def restarts(pod: dict) -> int:
    return sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ()))
