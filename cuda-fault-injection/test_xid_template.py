# SPDX-License-Identifier: Apache-2.0
"""Test each XID on your workload: the pods crash with the CUDA error of the XID, and are healthy again afterwards.

    TARGET_DEPLOYMENT=vllm-worker TARGET_NAMESPACE=default pytest -v test_xid_template.py

TARGET_DEPLOYMENT  name of a DynamoGraphDeployment or, if none has this name, of a Deployment; its pods are replaced
                   and crash
TARGET_NAMESPACE   default `default`
TARGET_NODE        pins the pods to this node; default: no pin. A graph's operator keeps old pods, without the library, if
                   the new pods do not fit on the node beside them

An idle server makes no CUDA call and therefore does not fail, so every check of the pods sends them a request; see
drill_support.py. Copy the parts that you need. The fixture restores the workload even after a failed test.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import drill_support as support
from inject_into_pods import (
    create_cuda_fault_configmap,
    delete_cuda_fault_configmap,
    patch_deployment_env,
)

DEPLOYMENT = os.environ.get("TARGET_DEPLOYMENT", "")
NAMESPACE = os.environ.get("TARGET_NAMESPACE") or "default"
NODE = os.environ.get("TARGET_NODE") or None

SKIP_REASON = support.cluster_skip_reason()
pytestmark = pytest.mark.skipif(bool(SKIP_REASON), reason=SKIP_REASON or "a cluster is configured")


@dataclass
class Drill:
    deployment: str
    namespace: str
    xid_type: int

    def pods(self) -> list[support.Pod]:
        return support.pods_of(self.deployment, self.namespace)

    def fired_pods(self, code: int) -> list[support.Pod]:
        """Return the pods that run the library if each has crashed because of this CUDA error, otherwise no pods."""
        pods = [pod for pod in self.pods() if pod["phase"] != "Pending" and pod["injected"]]
        support.inference_works(pods)
        down = [pod for pod in pods if pod["fired"] and pod["codes"] == [code] and support.is_down(pod)]
        return down if len(down) == len(pods) else []

    def healthy_pods(self) -> list[support.Pod]:
        pods = self.pods()
        return pods if all(support.is_healthy(pod) and not pod["injected"] for pod in pods) else []

    def disable(self) -> None:
        patch_deployment_env(self.deployment, self.namespace, enable=False, use_configmap=True)


@pytest.fixture
def cuda_fault(request: pytest.FixtureRequest) -> Iterator[Drill]:
    """Yield the workload with the XID armed. The indirect parameter is (deployment, namespace, xid_type)."""
    drill = Drill(*request.param)
    healthy = drill.healthy_pods()
    assert healthy, f"{drill.deployment} is not healthy before the test"
    assert support.inference_works(healthy), "inference does not work before the test: check INFERENCE_ENDPOINT"
    create_cuda_fault_configmap(drill.namespace)
    try:
        patch_deployment_env(
            drill.deployment,
            drill.namespace,
            enable=True,
            use_configmap=True,
            target_node=NODE,
            xid_type=drill.xid_type,
        )
        yield drill
    finally:
        drill.disable()
        delete_cuda_fault_configmap(drill.namespace)


def xid(number: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cuda_fault", [(DEPLOYMENT, NAMESPACE, number)], ids=[f"xid{number}"], indirect=True)


def crash_and_recover(drill: Drill, code: int) -> None:
    armed = support.workload_status(drill.deployment, drill.namespace)["armed"]
    assert armed and f"xid={drill.xid_type}" in armed["spec"].split(), f"unexpected plan: {armed}"
    down = support.wait_until(f"pods crash with CUDA error {code}", lambda: drill.fired_pods(code))
    assert all(pod["acknowledged"] == armed["revision"] for pod in down), f"a pod failed because of another plan: {down}"
    assert NODE is None or all(pod["node"] == NODE for pod in down), f"a pod is not on {NODE}: {down}"
    drill.disable()
    recovered = support.wait_until("pods recover", drill.healthy_pods)
    support.wait_until("inference works again", lambda: support.inference_works(recovered))


@xid(79)
def test_xid79_gpu_fell_off_the_bus(cuda_fault: Drill) -> None:
    crash_and_recover(cuda_fault, 100)  # CUDA_ERROR_NO_DEVICE


@xid(48)
def test_xid48_double_bit_ecc_error(cuda_fault: Drill) -> None:
    crash_and_recover(cuda_fault, 214)  # CUDA_ERROR_ECC_UNCORRECTABLE


@xid(94)
def test_xid94_contained_ecc_error(cuda_fault: Drill) -> None:
    crash_and_recover(cuda_fault, 214)  # CUDA_ERROR_ECC_UNCORRECTABLE


@xid(95)
def test_xid95_uncontained_error(cuda_fault: Drill) -> None:
    crash_and_recover(cuda_fault, 999)  # CUDA_ERROR_UNKNOWN


@xid(43)
def test_xid43_gpu_stopped_responding(cuda_fault: Drill) -> None:
    crash_and_recover(cuda_fault, 702)  # CUDA_ERROR_LAUNCH_TIMEOUT


@xid(74)
def test_xid74_nvlink_error(cuda_fault: Drill) -> None:
    crash_and_recover(cuda_fault, 217)  # CUDA_ERROR_PEER_ACCESS_UNSUPPORTED
