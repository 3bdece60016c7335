# SPDX-License-Identifier: Apache-2.0
"""Measure the Kubernetes figures on the two-node cluster of tests/cluster, with the default kubelet sync frequency."""

import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]
import workloads
from cluster import Cluster
from harness import Skip  # noqa: F401

TRIALS = 50
PAUSE_SECONDS = 3  # between trials, because a kubelet delays consecutive syncs
SETTLE_SECONDS = 5  # after the rollout, because new pods react more slowly
PODS, WORKLOADS = 5000, 500
INJECTED = 200  # workloads to restore


def run(cluster, *words, timeout=300):
    outcome = cluster.cudafault("k8s", *words, timeout=timeout)
    if outcome.code != 0:
        raise RuntimeError(f"cudafault k8s {' '.join(words)} exited with {outcome.code}: {outcome.errors}")
    return outcome.output


def client_deployment(namespace):
    """Return a Deployment whose program uses its GPU every 5 ms and continues after errors."""
    container = workloads.container(command=["gpu_client"])
    return workloads.deployment(namespace, "client", workloads.pod_spec(container), replicas=1)


def first_failing_call_ns(cluster, namespace, revision):
    """Return the time at which the library logged the first failing call, or None."""
    for line in cluster.kubectl("logs", "-n", namespace, "-l", "app=client", "--tail=200").splitlines():
        at = line.find('{"cudafault":"fired"')
        if at >= 0:
            event = json.loads(line[at:])
            if event.get("plan_revision") == revision:
                return event["time_ns"]
    return None


def arm_seconds(cluster, namespace):
    """Return, for each trial, the seconds from the start of the command to the first failing call."""
    measured = []
    for _ in range(TRIALS):
        time.sleep(PAUSE_SECONDS)
        started = time.time_ns()
        armed = json.loads(run(cluster, "arm", "deployment/client", "xid=79", "-n", namespace, "--json"))
        fired = cluster.wait(lambda: first_failing_call_ns(cluster, namespace, armed["revision"]), 30, "a failing call")
        measured.append((fired - started) / 1e9)
        run(cluster, "disarm", "deployment/client", "-n", namespace, "--json")
    return measured


def distribution(seconds):
    low, median, high = statistics.quantiles(seconds, n=4)
    return (f"median {median:.2f} s, maximum {max(seconds):.2f} s "
            f"(minimum {min(seconds):.2f}, quartiles {low:.2f} and {high:.2f}, {len(seconds)} trials)")


def arm_latency(cluster, figure):
    with cluster.namespace() as namespace:
        cluster.apply(client_deployment(namespace))
        cluster.wait_for_rollout(namespace, "deployment/client")
        run(cluster, "inject", "deployment/client", "-n", namespace)
        time.sleep(SETTLE_SECONDS)
        seconds = arm_seconds(cluster, namespace)
        run(cluster, "restore", "deployment/client", "-n", namespace)
    yield figure("k8s: arm to the first failing call", "<= 0.7 s / 1.5 s", distribution(seconds),
                 statistics.median(seconds) <= 0.7 and max(seconds) <= 1.5)


def seconds_of(action):
    started = time.monotonic()
    action()
    return time.monotonic() - started


def inject_and_restore(cluster, figure):
    """Measure inject and restore with four replicas on four GPUs, where each new pod waits for an old pod's GPU."""
    before = ROOT / "build" / "bench" / "before.json"
    before.parent.mkdir(parents=True, exist_ok=True)
    injected, restored = [], []
    with cluster.namespace() as namespace:
        cluster.apply(workloads.deployment(namespace, "web", replicas=4))
        cluster.wait_for_rollout(namespace, "deployment/web")
        in_namespace = ("-n", namespace)
        for _ in range(3):
            run(cluster, "snapshot", "-o", str(before), *in_namespace)
            injected.append(seconds_of(lambda: run(cluster, "inject", "deployment/web", *in_namespace)))
            restored.append(seconds_of(lambda: (run(cluster, "restore", "deployment/web", *in_namespace),
                                           run(cluster, "verify-clean", "--against", str(before), *in_namespace))))
            cluster.wait_for_rollout(namespace, "deployment/web")
    yield figure("k8s: inject a Deployment with 4 replicas", "<= 15 s",
                 f"{max(injected):.1f} s, the longest of {len(injected)}", max(injected) <= 15)
    yield figure("k8s: restore and verify that Deployment", "<= 15 s",
                 f"{max(restored):.1f} s, the longest of {len(restored)}", max(restored) <= 15)


def count_requests(cluster, figure):
    with cluster.namespace() as namespace:
        cluster.apply(workloads.deployment(namespace, "web", replicas=0))
        _, proxy = cluster.killed_at(0, "before", "k8s", "inject", "deployment/web", "-n", namespace)
        patches = [number for number, request in enumerate(proxy.requests, 1)
                   if request.write and request.method == "PATCH" and "/deployments/" in request.path]
        run(cluster, "restore", "deployment/web", "-n", namespace)
    yield figure("k8s: requests that inject sends before the patch", "<= 14", str(patches[0]), patches[0] <= 14)


def fill_namespace(cluster, namespace):
    """Create workloads and pods. The pods name a scheduler that does not exist, so they stay Pending."""
    for number in range(WORKLOADS):
        cluster.create(workloads.deployment(namespace, f"web-{number}", replicas=0))
    spec = workloads.pod_spec(workloads.server()) | {"schedulerName": "none"}
    for number in range(PODS):
        cluster.create({"apiVersion": "v1", "kind": "Pod", "spec": spec,
                        "metadata": {"name": f"pod-{number}", "namespace": namespace, "labels": {"app": "pod"}}})


def scan(cluster, figure):
    with cluster.namespace() as namespace:
        fill_namespace(cluster, namespace)
        started = time.monotonic()
        process = cluster.start_cudafault("k8s", "scan", "-n", namespace, "--json")
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds, mebibytes = time.monotonic() - started, usage.ru_maxrss / 1024
    yield figure(f"k8s: scan of {PODS} pods and {WORKLOADS} workloads", "<= 10 s / 64 MiB",
                 f"{seconds:.1f} s, {mebibytes:.0f} MiB", status == 0 and seconds <= 10 and mebibytes <= 64)


def restores(cluster, figure):
    """Measure the restore of workloads without pods, so that the figure does not include waiting for pods."""
    names = [f"web-{number}" for number in range(INJECTED)]
    with cluster.namespace() as namespace:
        in_namespace = ("-n", namespace)
        for name in names:
            cluster.create(workloads.deployment(namespace, name, replicas=0))
        run(cluster, "inject", "deployment", *names, *in_namespace)
        run(cluster, "arm", "deployment", *names, "xid=79", *in_namespace)
        seconds = seconds_of(lambda: run(cluster, "restore", "deployment", *names, *in_namespace))
        run(cluster, "verify-clean", *in_namespace)
    yield figure(f"k8s: restore {INJECTED} armed workloads without pods", "<= 60 s", f"{seconds:.1f} s", seconds <= 60)


def figures(figure):
    with Cluster(nodes=False) as cluster:
        yield from count_requests(cluster, figure)
        yield from scan(cluster, figure)
        yield from restores(cluster, figure)
    with Cluster(gpus=2) as cluster:
        yield from arm_latency(cluster, figure)
        yield from inject_and_restore(cluster, figure)
