# SPDX-License-Identifier: Apache-2.0
"""Controls the test cluster from test scripts.

    sys.path[:0] = [TESTS, TESTS / "cluster"]
    from cluster import Cluster

    with Cluster(gpus=2) as cluster, cluster.namespace(enforce="restricted") as namespace:
        cluster.create(workloads.deployment(namespace, "app"))
        cluster.wait_for_rollout(namespace, "deployment/app")
        outcome = cluster.cudafault("status", "--namespace", namespace)

Uses a running cluster, or starts one and stops it afterwards. Raises harness.Skip with the reason if this machine
cannot run a cluster.
"""

import contextlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import credentials
from api import Api, ApiError, NetworkConnection
from harness import BUILD, Skip, clean_environment
from kill_proxy import KillProxy
from load import Load

HERE = Path(__file__).resolve().parent
CLUSTERS = Path(os.environ.get("CUDAFAULT_CLUSTERS", HERE.parent.parent / "build" / "cluster"))
TOOL = BUILD / "bin" / "cudafault"
SKIPPED = 77


@dataclass
class Outcome:
    code: int  # -9 if the process was killed
    output: str
    errors: str


class Cluster:
    def __init__(self, gpus: int = 2, nodes: bool = True, name: str | None = None) -> None:
        self.gpus, self.nodes = gpus, nodes
        # Clusters with and without nodes have different names, so that both can run at the same time.
        self.name = name or os.environ.get("CUDAFAULT_CLUSTER", "test") + ("" if nodes else "-api")
        self.state = CLUSTERS / self.name
        self.kubeconfig = self.state / "kubeconfig" / "admin"
        self.socket = self.state / "api.sock"
        self.api = Api(self.socket)
        self._started = False

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        if self._started:
            self.stop()

    @property
    def network(self) -> str:
        """Returns the network namespace from which the API server and the pods can be reached."""
        return (self.state / "network").read_text().strip()

    # Start and stop

    def is_up(self) -> bool:
        try:
            return self.api.request("GET", "/readyz") == "ok"
        except (OSError, ApiError):
            return False

    def start(self) -> None:
        """Starts the cluster, or updates the images of a running cluster, which must have the requested number of
        GPUs."""
        was_up = self.is_up()
        size = ["--gpus", str(self.gpus)] if self.nodes else ["--no-nodes"]
        done = self._run_script("up", *size, timeout=1800)
        if done.returncode == SKIPPED:
            raise Skip(done.stderr.strip().splitlines()[-1].removeprefix("SKIP cluster: "))
        if done.returncode != 0:
            raise RuntimeError(f"tests/cluster/up exited with {done.returncode}: {done.stderr.strip()}")
        self._started = not was_up

    def stop(self) -> None:
        self._run_script("down")

    def stop_node(self, number: int) -> None:
        """Kills all processes of the node. The node is NotReady after 18 s, and its pods are evicted 10 s later."""
        self._run_script("node", "stop", number)

    def start_node(self, number: int) -> None:
        """Starts the node, and waits until its kubelet reports the node as Ready and with all its GPUs."""
        name, began = f"node{number}", time.time()
        self._run_script("node", "start", number)

        def is_ready_again() -> bool:
            lease = self.api.get("coordination.k8s.io/v1", "Lease", "kube-node-lease", name)
            status = self.api.get("v1", "Node", None, name)["status"]
            ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status["conditions"])
            gpus = status["allocatable"].get("nvidia.com/gpu") == str(self.gpus)
            return ready and gpus and seconds_since_1970(lease["spec"]["renewTime"]) > began
        self.wait(is_ready_again, 60, f"{name}")

    @contextlib.contextmanager
    def without_api_server(self):
        """Stops the API server during the block. etcd, controllers and nodes keep running."""
        self._run_script("api_server", "stop")
        try:
            yield
        finally:
            self._run_script("api_server", "start")

    def _run_script(self, script: str, *arguments: object, timeout: float = 120) -> subprocess.CompletedProcess:
        return subprocess.run([HERE / script, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env=os.environ | {"CUDAFAULT_CLUSTER": self.name})

    # Objects. self.api has further operations: get, find, list, patch, delete, replace.

    def create(self, *manifests: dict) -> None:
        for manifest in manifests:
            self.api.create(manifest)

    def apply(self, *manifests: dict) -> None:
        """Applies the manifests with server-side apply as field manager `tests`."""
        for manifest in manifests:
            self.api.apply(manifest)

    def kubectl(self, *arguments: object, text_input: str | None = None, timeout: float = 60) -> str:
        done = subprocess.run([HERE / "enter", "kubectl", *map(str, arguments)], input=text_input or "",
                              capture_output=True, text=True, timeout=timeout,
                              env=os.environ | {"CUDAFAULT_CLUSTER": self.name})
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def kubectl_json(self, *arguments: object, **options) -> Any:
        return json.loads(self.kubectl(*arguments, "-o", "json", **options))

    def pods(self, namespace: str, selector: str = "") -> list:
        return self.api.list("v1", "pods", namespace, **({"labelSelector": selector} if selector else {}))

    @contextlib.contextmanager
    def namespace(self, enforce: str | None = None, labels: dict | None = None, wait: bool = True):
        """Creates a namespace for the block and deletes the namespace afterwards.

        `enforce` is a Pod Security level: restricted, baseline or privileged. With wait=False, the function does not
        wait for the deletion of the namespace and its pods."""
        name = f"t-{secrets.token_hex(4)}"
        labels = (labels or {}) | ({"pod-security.kubernetes.io/enforce": enforce} if enforce else {})
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        try:
            # The API server rejects pods until these objects exist.
            for kind, expected in (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")):
                self.wait(lambda: self.api.find("v1", kind, name, expected), 30, f"{kind} {expected}")
            yield name
        finally:
            self.api.delete("v1", "Namespace", None, name)
            if self.nodes:
                with contextlib.suppress(ApiError):
                    self.api.request("DELETE", self.api.path("v1", "pods", name), {"gracePeriodSeconds": 1})
            if wait:
                self.wait(lambda: not self.api.find("v1", "Namespace", None, name), 90,
                          f"the deletion of namespace {name}")

    def install_crd(self, plural: str, versions: list | None = None) -> None:
        """Installs a CRD of crds/, limited to `versions` if given. Objects are stored in the first of the installed
        versions."""
        manifest = self.kubectl_json("create", "--dry-run=client", "-f", HERE / "crds" / f"{plural}.yaml")
        if versions:
            kept = [each for each in manifest["spec"]["versions"] if each["name"] in versions]
            for number, each in enumerate(kept):
                each["storage"] = number == 0
            manifest["spec"]["versions"] = kept
        self.api.apply(manifest)
        spec = manifest["spec"]
        for each in spec["versions"]:
            path = f"/apis/{spec['group']}/{each['name']}"
            self.wait(lambda: self._serves(path, spec["names"]["plural"]), 20, f"{path}/{plural}")

    def _serves(self, path: str, plural: str) -> bool:
        try:
            self.api.request("GET", f"{path}/{plural}", limit=1)
            return any(each["name"] == plural for each in self.api.request("GET", path)["resources"])
        except ApiError as error:
            if error.status in (404, 503):
                return False
            raise

    def remove_crd(self, name: str) -> None:
        """Deletes the CRD and all objects of its kind."""
        kind = "CustomResourceDefinition"
        self.api.delete("apiextensions.k8s.io/v1", kind, None, name)
        self.wait(lambda: not self.api.find("apiextensions.k8s.io/v1", kind, None, name), 30,
                  f"the deletion of CRD {name}")

    @contextlib.contextmanager
    def graph_controller(self, version: str = "v1beta1"):
        """Runs graph_controller, which replaces Dynamo's operator. The CRD must be installed."""
        with open(self.state / "log" / "graph-controller.log", "ab") as log:
            process = subprocess.Popen([HERE / "graph_controller", self.socket, version], stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    # Waiting

    @staticmethod
    def wait(condition, timeout: float = 30, description: str = "the expected condition"):
        """Returns the first true result of condition(). After `timeout` seconds, raises TimeoutError with `description`."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if result := condition():
                return result
            time.sleep(0.05)
        raise TimeoutError(f"timed out after {timeout} s waiting for {description}")

    def wait_for_rollout(self, namespace: str, workload: str, timeout: float = 60) -> None:
        """Waits for a rollout. `workload` has kubectl's form TYPE/NAME, such as deployment/app."""
        self.kubectl("-n", namespace, "rollout", "status", workload, f"--timeout={timeout}s", timeout=timeout + 10)

    def wait_for_pods(self, namespace: str, selector: str, count: int, timeout: float = 60) -> list:
        """Waits until exactly `count` pods match the selector and all are Ready. Returns the pods."""
        def ready() -> list:
            pods = self.pods(namespace, selector)
            return pods if len(pods) == count and all(map(is_ready, pods)) else []
        return self.wait(ready, timeout, f"{count} ready pods {selector}")

    # The tool

    def cudafault(self, *arguments: object, timeout: float = 120, **options) -> Outcome:
        """Runs build/bin/cudafault in the cluster's network until it exits, by default as the administrator."""
        process = self.start_cudafault(*arguments, **options)
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
            process.wait()
        return Outcome(process.returncode, output, errors)

    def start_cudafault(self, *arguments: object, kubeconfig: Path | None = None, environment: dict | None = None,
                        command: Path = TOOL, **options) -> subprocess.Popen:
        variables = clean_environment() | {"KUBECONFIG": str(kubeconfig or self.kubeconfig)} | (environment or {})
        words = ["nsenter", f"--net=/run/netns/{self.network}", command, *arguments]
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        return subprocess.Popen([str(word) for word in words], env=variables, **settings)

    def kill_proxy(self, kill_at: int = 0, when: str = "before", account: Path | None = None) -> KillProxy:
        """Returns a proxy that records requests and can kill the client; see killed_at().

        The proxy adds the token of the kubeconfig `account`, by default the administrator's, because clients do not
        send a token over plain HTTP."""
        if account:
            token = json.loads(account.read_text())["users"][0]["user"]["token"]
        else:
            token = next(line.split(",")[0] for line in (self.state / "pki" / "tokens.csv").read_text().splitlines()
                         if ",admin," in line)
        return KillProxy(self.network, credentials.SERVER.removeprefix("https://"), str(self.state / "pki" / "ca.crt"), token,
                         kill_at, when)

    def killed_at(self, write: int, when: str, *arguments: object, timeout: float = 120, account: Path | None = None,
                  **options) -> tuple:
        """Runs the tool through a kill proxy and returns (Outcome, proxy).

        The tool is killed at its write number `write`, "before" the API server receives the write or "after" the API
        server has completed it. With write=0 the tool is not killed, and the proxy only records the requests."""
        with self.kill_proxy(write, when, account) as proxy:
            process = self.start_cudafault(*arguments, "--server", proxy.url, **options)
            proxy.client_pid = process.pid
            try:
                output, errors = process.communicate(timeout=timeout)
            finally:
                process.kill()
                process.wait()
            return Outcome(process.returncode, output, errors), proxy

    def http_get(self, address: str, path: str = "/health", port: int = 8000, timeout: float = 5) -> tuple:
        """Returns (status, body)."""
        connection = NetworkConnection(self.network, address, port, timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    def load(self, namespace: str, selector: str, **options) -> Load:
        """Returns a load generator for a `with` statement; see load.py."""
        return Load(self.api, self.network, namespace, selector, **options)

    # Credentials

    def create_user(self, name: str, *groups: str) -> Path:
        """Creates a client certificate for a user without permissions, and returns the path of the user's kubeconfig."""
        return credentials.create_certified_user(self.kubeconfig.parent, self.state / "pki", name, list(groups))

    def create_service_account(self, namespace: str, name: str, rules: Sequence[dict] = (),
                               cluster_rules: Sequence[dict] = ()) -> Path:
        """Creates a service account with RBAC rules for its namespace and for the whole cluster, and returns the path of its
        kubeconfig."""
        return credentials.create_service_account(self.api, self.kubeconfig.parent, self.state / "pki", namespace, name,
                                                  list(rules), list(cluster_rules))

    def write_refused_kubeconfig(self, defect: str) -> Path:
        """Writes a kubeconfig with a token that the API server rejects with 401, and returns its path. `defect` is
        "invalid" or "expired"."""
        pki = self.state / "pki"
        token = {"invalid": credentials.invalid_token, "expired": lambda: credentials.expired_token(pki)}[defect]()
        return credentials.write_kubeconfig(self.kubeconfig.parent / f"{defect}-token", pki, {"token": token})


def seconds_since_1970(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def is_ready(pod: dict) -> bool:
    conditions = pod["status"].get("conditions", ())
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "Ready" and each["status"] == "True" for each in conditions)
