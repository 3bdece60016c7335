# SPDX-License-Identifier: Apache-2.0
"""Creates kubeconfigs for users with client certificates, for service accounts, and with tokens that the API server
rejects."""

import base64
import json
import secrets
import subprocess
import time
from pathlib import Path

from api import Api

SERVER = "https://10.97.0.1"


def write_kubeconfig(path: Path, pki: Path, user: dict, namespace: str = "default") -> Path:
    """Writes a kubeconfig in JSON, which is valid YAML, and returns its path."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
        "current-context": "c",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))
    return path


def openssl(*arguments: object, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def create_certified_user(folder: Path, pki: Path, user: str, groups: list) -> Path:
    """Creates a client certificate for a user without permissions, and returns the path of the user's kubeconfig."""
    key, certificate = folder / f"{user}.key", folder / f"{user}.crt"
    subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
    key.touch(mode=0o600)
    key.write_bytes(openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    request = openssl("req", "-new", "-key", key, "-subj", subject)
    authority = ("-CA", pki / "ca.crt", "-CAkey", pki / "ca.key", "-set_serial", secrets.randbits(63))
    certificate.write_bytes(openssl("x509", "-req", *authority, "-days", 30, data=request))
    return write_kubeconfig(folder / user, pki, {"client-certificate": str(certificate), "client-key": str(key)})


def create_service_account(api: Api, folder: Path, pki: Path, namespace: str, name: str, rules: list,
                           cluster_rules: list) -> Path:
    """Creates a service account with `rules` in its namespace and `cluster_rules` in the whole cluster, and returns the path
    of its kubeconfig."""
    metadata = {"name": name, "namespace": namespace}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    cluster_metadata = {"name": f"{namespace}-{name}"}
    for kind, role, allowed in (("Role", metadata, rules), ("ClusterRole", cluster_metadata, cluster_rules)):
        if allowed:
            grant(api, kind, role, allowed, {"kind": "ServiceAccount", "namespace": namespace, "name": name})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
    path = api.path("v1", "ServiceAccount", namespace, name) + "/token"
    token = api.request("POST", path, request)["status"]["token"]
    return write_kubeconfig(folder / f"{namespace}-{name}", pki, {"token": token}, namespace)


def grant(api: Api, kind: str, metadata: dict, rules: list, subject: dict) -> None:
    group = "rbac.authorization.k8s.io"
    api.apply({"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "rules": rules})
    reference = {"apiGroup": group, "kind": kind, "name": metadata["name"]}
    api.apply({"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": metadata, "roleRef": reference,
               "subjects": [subject]})


def invalid_token() -> str:
    return secrets.token_hex(16)


def expired_token(pki: Path) -> str:
    """Returns a token of the default service account, signed with the API server's key, that expired an hour ago."""
    now = int(time.time())
    claims = {"iss": "https://kubernetes.default.svc", "aud": ["https://kubernetes.default.svc"], "iat": now - 7200,
              "nbf": now - 7200, "exp": now - 3600, "sub": "system:serviceaccount:default:default",
              "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "default", "uid": "0"}}}
    header = {"alg": "ES256", "typ": "JWT"}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = openssl("dgst", "-sha256", "-sign", pki / "service-accounts.key", data=signed.encode())
    return f"{signed}.{_base64url(_raw_signature(signature))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _raw_signature(signature: bytes) -> bytes:
    """Converts an ECDSA signature from openssl's SEQUENCE { INTEGER, INTEGER } to the concatenated numbers of JWT."""
    numbers, remaining = [], signature[2:]
    for _ in range(2):
        length = remaining[1]
        numbers.append(int.from_bytes(remaining[2:2 + length], "big").to_bytes(32, "big"))
        remaining = remaining[2 + length:]
    return b"".join(numbers)
