# SPDX-License-Identifier: Apache-2.0
"""Defines a client for the API server over the socket of `kubectl proxy`, and sockets in the cluster's network namespaces."""

import ctypes
import http.client
import json
import os
import socket
import threading
from pathlib import Path
from urllib.parse import quote, urlencode

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    def __init__(self, status: int, response_body: object, request: str) -> None:
        self.status, self.response_body = status, response_body
        message = response_body.get("message", response_body) if isinstance(response_body, dict) else response_body
        super().__init__(f"{request}: {status} {message}")


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def socket_in(network: str) -> socket.socket:
    """Returns a TCP socket of the network namespace. The socket stays in that namespace for every thread that uses
    it."""
    thread = threading.get_native_id()
    with open(f"/proc/self/task/{thread}/ns/net", "rb") as original, open(f"/run/netns/{network}", "rb") as target:
        _enter(target.fileno())
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            _enter(original.fileno())


class NetworkConnection(http.client.HTTPConnection):
    """An HTTP connection to an address in the network namespace."""

    def __init__(self, network: str, host: str, port: int, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.network = network

    def connect(self) -> None:
        self.sock = socket_in(self.network)
        self.sock.settimeout(self.timeout)
        self.sock.connect((self.host, self.port))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Api:
    """Sends requests as the administrator. Objects are dictionaries with the structure of their JSON."""

    def __init__(self, proxy_socket: Path) -> None:
        self.socket = Path(proxy_socket)
        self._resources: dict = {}

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json", **query):
        if query:
            path += "?" + urlencode(query)
        connection = UnixConnection(self.socket, timeout=60)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body),
                               headers={"Content-Type": content_type})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        response_body = json.loads(text) if text and is_json else text
        if response.status >= 400:
            raise ApiError(response.status, response_body, f"{method} {path}")
        return response_body

    def path(self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
        """Returns the URL path. `kind` is the kind or its plural resource name, such as Deployment or deployments."""
        plural, namespaced = self._resource(api_version, kind)
        path = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        if namespaced and namespace:
            path += f"/namespaces/{namespace}"
        return path + f"/{plural}" + (f"/{quote(name)}" if name else "")

    def _resource(self, api_version: str, kind: str) -> tuple:
        if (api_version, kind) not in self._resources:
            root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
            for each in self.request("GET", root)["resources"]:
                if "/" not in each["name"]:
                    entry = each["name"], each["namespaced"]
                    self._resources[api_version, each["kind"]] = self._resources[api_version, each["name"]] = entry
        return self._resources[api_version, kind]

    def get(self, api_version: str, kind: str, namespace: str | None, name: str) -> dict:
        return self.request("GET", self.path(api_version, kind, namespace, name))

    def find(self, api_version: str, kind: str, namespace: str | None, name: str) -> dict | None:
        try:
            return self.get(api_version, kind, namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str | None = None, **query) -> list:
        return self.request("GET", self.path(api_version, kind, namespace), **query)["items"]

    def create(self, manifest: dict, **query) -> dict:
        return self.request("POST", self._path_of(manifest, named=False), manifest, **query)

    def replace(self, manifest: dict, **query) -> dict:
        return self.request("PUT", self._path_of(manifest), manifest, **query)

    def apply(self, manifest: dict, manager: str = "tests") -> dict:
        """Applies the manifest with server-side apply, which overrides conflicts."""
        return self.request("PATCH", self._path_of(manifest), manifest, APPLY, fieldManager=manager, force="true")

    def patch(self, api_version: str, kind: str, namespace: str | None, name: str, change: object, content_type: str = MERGE,
              subresource: str = "", **query) -> dict:
        path = self.path(api_version, kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, change, content_type, **query)

    def delete(self, api_version: str, kind: str, namespace: str | None, name: str, **options) -> None:
        """Deletes the object if it exists. `options` are the fields of DeleteOptions."""
        try:
            self.request("DELETE", self.path(api_version, kind, namespace, name), options or None)
        except ApiError as error:
            if error.status != 404:
                raise

    def _path_of(self, manifest: dict, named: bool = True) -> str:
        metadata = manifest["metadata"]
        return self.path(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", "default"),
                         metadata["name"] if named else None)
