# SPDX-License-Identifier: Apache-2.0
"""Sends requests to every pod of a workload at a constant rate, and records the result of each request."""

import http.client
import json
import threading
import time
from dataclasses import dataclass

from api import Api, ApiError, NetworkConnection


@dataclass(frozen=True)
class Request:
    sent: float  # seconds since 1970
    milliseconds: float
    pod: str
    address: str
    status: int  # 0: no response
    detail: str  # "gpu 0", the server's error, or the exception of the connection

    @property
    def ok(self) -> bool:
        return self.status == 200


def send_request(network: str, address: str, port: int, timeout: float) -> tuple:
    """Sends a request to the inference server and returns (status, detail)."""
    connection = NetworkConnection(network, address, port, timeout)
    try:
        connection.request("POST", "/generate", body='{"input": [1, 2, 3, 4]}', headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        body = json.loads(response.read())
        return response.status, body.get("error") or f"gpu {body.get('gpu')}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, type(error).__name__
    finally:
        connection.close()


class Load:
    """In a `with` block, sends `rate` requests per second to each pod that matches the selector, from the time when the
    pod has an address until it is deleted. With ready_only, sends requests to a pod only while the pod is Ready."""

    def __init__(self, api: Api, network: str, namespace: str, selector: str, rate: float = 10, port: int = 8000,
                 ready_only: bool = False, timeout: float = 2) -> None:
        self.api, self.network, self.namespace, self.selector = api, network, namespace, selector
        self.interval, self.port, self.ready_only, self.timeout = 1 / rate, port, ready_only, timeout
        self._requests: list = []
        self._targets: dict = {}  # pod -> address
        self._ended = threading.Event()
        self._finder = threading.Thread(target=self._follow_pods, daemon=True)
        self._senders: dict = {}  # pod -> thread

    def __enter__(self) -> "Load":
        self._finder.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        for thread in [self._finder, *self._senders.values()]:
            thread.join()

    def requests(self, since: float = 0, pod: str | None = None) -> list:
        """Returns the requests in the order in which they were sent."""
        chosen = [each for each in list(self._requests) if each.sent >= since and pod in (None, each.pod)]
        return sorted(chosen, key=lambda each: each.sent)

    def wait_for(self, matches, since: float = 0, timeout: float = 30) -> Request:
        """Returns the first request sent since `since` for which matches(request) is true."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if found := next((each for each in self.requests(since) if matches(each)), None):
                return found
            time.sleep(0.01)
        raise TimeoutError(f"no matching request within {timeout} s")

    def _follow_pods(self) -> None:
        while not self._ended.wait(0.2):
            try:
                pods = self.api.list("v1", "pods", self.namespace, labelSelector=self.selector)
            except (OSError, ApiError):
                continue
            self._targets = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods if self._is_target(pod)}
            for pod, address in self._targets.items():
                if pod not in self._senders or not self._senders[pod].is_alive():
                    self._senders[pod] = threading.Thread(target=self._send, args=(pod, address), daemon=True)
                    self._senders[pod].start()

    def _is_target(self, pod: dict) -> bool:
        if not pod["status"].get("podIP"):
            return False
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
        return not self.ready_only or (ready and "deletionTimestamp" not in pod["metadata"])

    def _send(self, pod: str, address: str) -> None:
        while pod in self._targets and not self._ended.is_set():
            sent, begin = time.time(), time.monotonic()
            status, detail = send_request(self.network, address, self.port, self.timeout)
            duration = time.monotonic() - begin
            self._requests.append(Request(sent, duration * 1000, pod, address, status, detail))
            self._ended.wait(max(0, self.interval - duration))
