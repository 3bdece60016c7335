# SPDX-License-Identifier: Apache-2.0
"""Test that an inference service recovers on another node after its GPU falls off the bus.

    TARGET_DEPLOYMENT=vllm-worker TARGET_NAMESPACE=default pytest -v -s examples/test_xid79_cuda_fault.py

TARGET_DEPLOYMENT  name of a DynamoGraphDeployment or, if none has this name, of a Deployment; its pods are replaced
                   and crash
TARGET_NAMESPACE   default `default`
TARGET_NODE        the node whose GPU is lost; default: the node of the first pod. The node is cordoned and drained,
                   including pods of other workloads, and uncordoned at the end. All pods of the workload must fit on
                   this node; for a graph, beside the old pods
INFERENCE_ENDPOINT, INFERENCE_BODY, MODEL_NAME  the inference request, see cuda-fault-injection/drill_support.py

All pods of the workload must also fit on the other nodes. The test restores the workload and the node even if a step
fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

CUDA_INJECTION_DIR = Path(__file__).resolve().parent.parent / "cuda-fault-injection"
sys.path.insert(0, str(CUDA_INJECTION_DIR))
import drill_support as support
from inject_into_pods import (
    create_cuda_fault_configmap,
    cudafault_k8s,
    delete_cuda_fault_configmap,
    patch_deployment_env,
)

DEPLOYMENT = os.environ.get("TARGET_DEPLOYMENT", "")
NAMESPACE = os.environ.get("TARGET_NAMESPACE") or "default"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE

SKIP_REASON = support.cluster_skip_reason()
pytestmark = pytest.mark.skipif(bool(SKIP_REASON), reason=SKIP_REASON or "a cluster is configured")


@dataclass
class Drill:
    node: str
    snapshot: Path

    def pods(self) -> list[support.Pod]:
        return support.pods_of(DEPLOYMENT, NAMESPACE)

    def pods_on_node(self) -> list[support.Pod]:
        return [pod for pod in self.pods() if pod["node"] == self.node]

    def break_gpu(self) -> None:
        create_cuda_fault_configmap(NAMESPACE)
        patch_deployment_env(
            DEPLOYMENT, NAMESPACE, enable=True, use_configmap=True, target_node=self.node, xid_type=79
        )
        elsewhere = [pod for pod in self.pods() if pod["node"] not in (self.node, "", None)]
        assert not elsewhere, f"not all pods fit on {self.node}; these pods are on other nodes: {elsewhere}"
        assert self.pods_on_node(), f"no pod is on {self.node}"

    def all_down(self) -> bool:
        pods = self.pods_on_node()
        return bool(pods) and all(support.is_down(pod) and pod["codes"] == [NO_DEVICE] for pod in pods)

    def all_unschedulable(self) -> bool:
        pods = self.pods()
        return bool(pods) and all(pod["phase"] == "Pending" for pod in pods)

    def inference_fails(self) -> bool:
        return support.inference_fails(self.pods())

    def drain(self) -> None:
        cudafault_k8s("node", "cordon", self.node)
        cudafault_k8s("node", "drain", self.node)
        support.wait_until("all pods leave the drained node", lambda: not self.pods_on_node())

    def unpin(self) -> None:
        patch_deployment_env(DEPLOYMENT, NAMESPACE, enable=False, use_configmap=True)

    def recovered_pods(self) -> list[support.Pod]:
        """Return all pods if all are healthy, without the library and on other nodes; otherwise an empty list."""
        pods = self.pods()
        recovered = all(support.is_healthy(pod) and not pod["injected"] and pod["node"] != self.node for pod in pods)
        return pods if recovered else []

    def uncordon(self) -> None:
        cudafault_k8s("node", "uncordon", self.node)


def step(title: str) -> None:
    print(f"\n== {title}", flush=True)


def start_drill(folder: Path) -> Drill:
    pods = support.pods_of(DEPLOYMENT, NAMESPACE)
    assert pods and all(map(support.is_healthy, pods)), f"the pods are not healthy before the drill: {pods}"
    assert not any(pod["injected"] for pod in pods), f"a pod still has the library from an earlier test: {pods}"
    assert support.inference_works(pods), "inference does not work before the drill"
    snapshot = folder / "snapshot.json"
    cudafault_k8s("snapshot", "-o", str(snapshot), "-n", NAMESPACE)
    return Drill(os.environ.get("TARGET_NODE") or pods[0]["node"], snapshot)


def test_xid79_gpu_fell_off_the_bus(tmp_path: Path) -> None:
    step("build the library")
    subprocess.run(["make"], cwd=CUDA_INJECTION_DIR, check=True)
    assert (CUDA_INJECTION_DIR / "fake_cuda_xid79.so").exists()

    step("check that the service works, and take a snapshot")
    drill = start_drill(tmp_path)

    with ExitStack() as cleanup:  # runs the callbacks in reverse order
        cleanup.callback(delete_cuda_fault_configmap, NAMESPACE)
        cleanup.callback(drill.unpin)

        step(f"the GPUs of {drill.node} fall off the bus: inference fails, pods crash")
        drill.break_gpu()
        support.wait_until("inference fails", drill.inference_fails)
        support.wait_until("every pod is down with CUDA_ERROR_NO_DEVICE", drill.all_down)

        step(f"{drill.node} is cordoned and drained, as after a detected XID")
        cleanup.callback(drill.uncordon)
        drill.drain()
        support.wait_until("all pinned pods are unschedulable", drill.all_unschedulable)
        assert drill.inference_fails(), "inference works although no pod can be scheduled"

        step("the pods are unpinned and start on other nodes, and inference works again")
        drill.unpin()
        pods = support.wait_until("the pods are healthy on other nodes", drill.recovered_pods)
        support.wait_until("inference works again", lambda: support.inference_works(pods))

    step("verify that all objects and changes of cudafault are removed")
    cudafault_k8s("verify-clean", "--against", str(drill.snapshot), "-n", NAMESPACE)
