# SPDX-License-Identifier: Apache-2.0
"""Helpers for tests on a cluster: the state of a workload's pods, inference requests, and waiting.

Environment: INFERENCE_ENDPOINT is the URL for inference requests. If it contains `{address}`, each pod gets a request,
otherwise only the service that the URL names gets a request; default http://{address}:8000/v1/completions.
INFERENCE_BODY is the request body; default: a completion request for MODEL_NAME.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inject_into_pods import DEFAULT_TIMEOUT, cudafault_json

IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
REQUEST_TIMEOUT = 5
POLL_INTERVAL = 0.5

Pod = dict[str, Any]


def cluster_skip_reason() -> str:
    """Return the reason why tests on a cluster cannot run here, or an empty string if they can."""
    if not os.environ.get("TARGET_DEPLOYMENT"):
        return "TARGET_DEPLOYMENT is not set: name a workload whose pods may crash"
    if os.environ.get("KUBECONFIG") or os.environ.get(IN_CLUSTER) or (Path.home() / ".kube" / "config").exists():
        return ""
    return "no cluster is configured: KUBECONFIG is not set and ~/.kube/config does not exist"


def workload_status(deployment: str, namespace: str) -> dict[str, Any]:
    return cudafault_json("status", deployment, "-n", namespace)


def pods_of(deployment: str, namespace: str) -> list[Pod]:
    """Return the pods of the workload's GPU workers."""
    return workload_status(deployment, namespace)["pods"]


def is_down(pod: Pod) -> bool:
    """Return whether the pod's program has ended. (The reason CrashLoopBackOff appears only after a second crash.)"""
    return pod["restarts"] > 0 or pod["terminated"] is not None


def is_healthy(pod: Pod) -> bool:
    return pod["phase"] == "Running" and not pod["trouble"]


def wait_until(event: str, condition: Callable[[], Any]) -> Any:
    """Return the first true result of `condition`; fail the test after CUDA_FAULT_TIMEOUT seconds."""
    deadline = time.monotonic() + float(os.environ.get("CUDA_FAULT_TIMEOUT") or DEFAULT_TIMEOUT)
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{event}: timed out after CUDA_FAULT_TIMEOUT"
        time.sleep(POLL_INTERVAL)
    return result


def inference_works(pods: list[Pod]) -> bool:
    """Return whether a request to each pod, or to the service, succeeds with status 200."""
    results = _request_all(pods)
    return bool(results) and all(results)


def inference_fails(pods: list[Pod]) -> bool:
    """Return whether every request to the pods, or to the service, fails."""
    return not any(_request_all(pods))


def _request_all(pods: list[Pod]) -> list[bool]:
    return [_request_succeeds(url) for url in _endpoints(pods)]


def _endpoints(pods: list[Pod]) -> list[str]:
    endpoint = os.environ.get("INFERENCE_ENDPOINT") or "http://{address}:8000/v1/completions"
    addresses = [pod["address"] for pod in pods if pod["address"]] if "{address}" in endpoint else [""]
    bracketed = [f"[{address}]" if ":" in address else address for address in addresses]
    return [endpoint.replace("{address}", address) for address in bracketed]


def _request_body() -> bytes:
    model = os.environ.get("MODEL_NAME") or "Qwen/Qwen3-0.6B"
    completion = json.dumps({"model": model, "prompt": "Hello", "max_tokens": 5})
    return (os.environ.get("INFERENCE_BODY") or completion).encode()


def _request_succeeds(url: str) -> bool:
    request = urllib.request.Request(url, data=_request_body(), headers={"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=REQUEST_TIMEOUT) as response:
            return response.status == 200
    except (OSError, http.client.HTTPException):
        return False
