# SPDX-License-Identifier: Apache-2.0
"""The Role that `cudafault k8s rbac VERB` prints suffices for that verb, and nothing in it is unused."""

import json
from urllib.parse import parse_qs, urlsplit

import workloads
from drill import Drill, cron_job, ray_cluster

# Used in situations only that are not made here; each verb with the reason.
RARE = {
    ("patch", "leases.coordination.k8s.io"): "renewed after 20 s, or taken over from somebody who was killed",
    ("delete", "configmaps"): "of inject: what it made, if the workload cannot be changed",
    ("list", "events"): "why pods do not come",
    ("watch", "pods"): "while there are pods to wait for",
    ("get", "pods/log"): "of pods that run",
    ("patch", "pods"): "of pods that run",
}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "DynamoGraphDeployment", "RayCluster")


def check(checks, cluster) -> None:
    for plural in ("dynamographdeployments", "rayclusters"):
        cluster.install_crd(plural)
    with cluster.namespace() as namespace:
        for kind in KINDS:
            check_kind(checks, cluster, namespace, kind)
        check_looking(checks, cluster, namespace)


def manifest_of(kind: str, namespace: str) -> dict:
    name = kind.lower()
    if kind == "CronJob":
        return cron_job(namespace, name)
    if kind == "DynamoGraphDeployment":
        return workloads.graph_v1beta1(namespace, name)
    return ray_cluster(namespace, name) if kind == "RayCluster" else workloads.workload(kind, namespace, name, replicas=0)


def role(cluster, verb: str, namespace: str, *more: str) -> list:
    outcome = cluster.cudafault("k8s", "rbac", *verb.split(), "-n", namespace, "--json", *more)
    assert outcome.code == 0, outcome
    made = json.loads(outcome.output)
    assert (made["kind"], made["metadata"]["namespace"]) == ("Role", namespace), made
    return made["rules"]


def granted(rules: list) -> set:
    """(verb, resource.group) of each."""
    found = set()
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found |= {(verb, resource + (f".{group}" if group else "")) for verb in rule["verbs"]}
    return found


def used(requests: list, only_allowed: bool = False) -> set:
    """(verb, resource.group) of each request for an object; without discovery, and what everybody may ask."""
    found = set()
    for request in requests:
        url = urlsplit(request.path)
        parts = url.path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
        if not rest or group == "authorization.k8s.io" or (only_allowed and request.status == 403):
            continue
        rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
        resource = rest[0] + (f"/{rest[2]}" if len(rest) > 2 else "")
        query = parse_qs(url.query)
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}.get(request.method)
        verb = verb or ("watch" if "watch" in query else "get" if len(rest) > 1 else "list")
        found.add((verb, resource + (f".{group}" if group else "")))
    return found


def run_as(cluster, account, *words: str) -> tuple:
    """As that account, through the recording proxy."""
    return cluster.killed_at(0, "before", "k8s", *words, kubeconfig=account)


def check_kind(checks, cluster, namespace: str, kind: str) -> None:
    drill = Drill(checks, cluster, namespace, manifest_of(kind, namespace))
    before, history = drill.snapshot(), drill.history()
    for verb, words in (("plan", ["plan", drill.word]), ("inject", ["inject", drill.word]), ("arm", ["arm", drill.word, "xid=79"]),
                        ("status", ["status", drill.word]), ("disarm", ["disarm", drill.word]), ("restore", ["restore", drill.word])):
        rules = role(cluster, verb, namespace, "--kind", kind)
        account = cluster.service_account(namespace, f"{verb}-{kind.lower()}", rules)
        if verb == "restore":
            drill.succeeds("is armed again", drill.run("arm", drill.word, "xid=79"))
        check_role(checks, cluster, f"Role of {verb} {kind}", rules, account, *words, "-n", namespace)
    drill.is_as("after all that: exactly as before", before, history)


def check_role(checks, cluster, what: str, rules: list, account, *words: str) -> None:
    outcome, proxy = run_as(cluster, account, *words)
    checks.expect(f"{what}: suffices", outcome.code == 0, outcome)
    allowed, asked = granted(rules), used(proxy.requests)
    refused = {(each.method, each.path) for each in proxy.requests if each.status == 403}
    # Nodes and Secrets are looked at where one may, and nobody has to be allowed to.
    checks.expect(f"{what}: nothing is refused", all("/nodes" in path for _, path in refused), refused)
    unused = {each for each in allowed - asked if each not in RARE}
    checks.expect(f"{what}: nothing unused", not unused, unused)


def check_looking(checks, cluster, namespace: str) -> None:
    """Those that look at everything; each may list the kinds that it was told."""
    cluster.create(workloads.deployment(namespace, "seen", replicas=0))
    assert cluster.cudafault("k8s", "inject", "deployment/seen", "-n", namespace).code == 0
    file = cluster.state / "looking.json"
    for verb, code in (("scan", 0), ("snapshot", 0), ("verify-clean", 4)):
        rules = role(cluster, verb, namespace)
        account = cluster.service_account(namespace, verb, rules)
        words = [verb, "-n", namespace] + (["-o", str(file)] if verb == "snapshot" else [])
        outcome, proxy = run_as(cluster, account, *words)
        checks.equal(f"Role of {verb}: suffices", outcome.code, code)
        refused = {each.path for each in proxy.requests if each.status == 403}
        checks.equal(f"Role of {verb}: nothing is refused", refused, set())
        served = {each for each in granted(rules) if is_served(cluster, each[1])}
        checks.equal(f"Role of {verb}: nothing unused", served - used(proxy.requests), set())
    file.unlink()
    assert cluster.cudafault("k8s", "restore", "deployment/seen", "-n", namespace).code == 0
    nobody = cluster.service_account(namespace, "nobody")
    outcome, proxy = run_as(cluster, nobody, "status", "deployment/seen", "-n", namespace)
    checks.expect("without a Role it is refused, so it is the account that was asked as",
                  outcome.code == 3 and any(each.status == 403 for each in proxy.requests), outcome)


def is_served(cluster, resource: str) -> bool:
    """A Role may name kinds that this cluster does not have."""
    _, _, group = resource.partition(".")
    return not group or any(each["name"] == group for each in cluster.api.request("GET", "/apis")["groups"])
