# SPDX-License-Identifier: Apache-2.0
"""Defines a proxy between a client and the API server that kills the client at a chosen write: before the server receives it,
or after the server has completed it and before the client receives the response.

The proxy serves plain HTTP on 127.0.0.1 in the control plane's network namespace, and connects to the API server with
TLS. It forwards the client's credentials and adds its own token to requests without credentials. It streams watches and
followed logs.
"""

import http.client
import http.server
import os
import signal
import socketserver
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from api import socket_in

WRITES = ("POST", "PUT", "PATCH", "DELETE")
ACCESS_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host", "content-length")


@dataclass
class Request:
    time: float
    method: str
    path: str
    write: int  # number among the writes, from 1; 0 for a read
    status: int = 0  # 0: no response
    milliseconds: float = 0


def is_write(method: str, path: str) -> bool:
    url = urlsplit(path)
    is_dry_run = "All" in parse_qs(url.query).get("dryRun", ())
    return method in WRITES and not is_dry_run and url.path.rsplit("/", 1)[-1] not in ACCESS_REVIEWS


class KillProxy:
    """A proxy for a `with` block. Run the client with `--server {proxy.url}` and set proxy.client_pid to its PID."""

    def __init__(self, network: str, address: str, authority: str, token: str, kill_at: int = 0, when: str = "before") -> None:
        assert when in ("before", "after")
        self.network, self.address, self.token = network, address, token
        self.kill_at, self.when = kill_at, when
        self.client_pid: int | None = None
        self.killed = False
        self.requests: list = []
        self._tls = ssl.create_default_context(cafile=authority)
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> "KillProxy":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self) -> list:
        return [each for each in self.requests if each.write]

    def record(self, method: str, path: str) -> Request:
        with self._lock:
            number = len(self.writes) + 1 if is_write(method, path) else 0
            self.requests.append(Request(time.time(), method, path, number))
            return self.requests[-1]

    def is_kill_point(self, request: Request, when: str) -> bool:
        return request.write != 0 and request.write == self.kill_at and when == self.when

    def kill(self) -> None:
        assert self.client_pid, "client_pid is not set"
        os.kill(self.client_pid, signal.SIGKILL)
        self.killed = True

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.address, 443)
        plain = socket_in(self.network)
        plain.connect((self.address, 443))
        connection.sock = self._tls.wrap_socket(plain, server_hostname=self.address)
        return connection


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False  # watches stay open

    def __init__(self, proxy: KillProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.proxy = proxy
        self.socket.close()
        self.socket = socket_in(proxy.network)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(128)
        self.port = self.socket.getsockname()[1]

    def handle_error(self, *_) -> None:
        pass  # errors are expected, because clients are killed and close watches


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_) -> None:
        pass

    def handle_request(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = proxy.record(self.command, self.path)
        if proxy.is_kill_point(request, "before"):
            return self.kill()
        connection = proxy.connect()
        try:
            connection.request(self.command, self.path, body or None, self.forwarded_headers())
            response = connection.getresponse()
            request.status = response.status
            if proxy.is_kill_point(request, "after"):
                response.read()
                return self.kill()
            self.forward(response)
            request.milliseconds = (time.time() - request.time) * 1000
        finally:
            connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def kill(self) -> None:
        self.server.proxy.kill()
        self.close_connection = True

    def forwarded_headers(self) -> dict:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers.setdefault("Authorization", f"Bearer {self.server.proxy.token}")
        return headers

    def forward(self, response: http.client.HTTPResponse) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if response.length is not None or self.command == "HEAD":
            body = response.read()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.stream(response)

    def stream(self, response: http.client.HTTPResponse) -> None:
        """Forwards each chunk when it arrives."""
        while chunk := response.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")
