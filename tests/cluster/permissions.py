# SPDX-License-Identifier: Apache-2.0
"""The Role that `cudafault k8s rbac VERB` prints suffices for that verb, and nothing in it is unused."""

import json
from urllib.parse import parse_qs, urlsplit

import workloads
from drill import Drill, cron_job, ray_cluster

# Needed in situations that are not made here, for each verb of the tool; with the reason.
RARE = {
    "plan": {},
    "inject": {("patch", "leases.coordination.k8s.io"): "renewed after 20 s, or taken over from somebody who was killed",
               ("list", "events"): "why pods do not come",
               ("watch", "pods"): "while there are pods to wait for",
               ("get", "pods/log"): "of pods that run"},
    "arm": {("get", "pods"): "of pods that do not answer",
            ("get", "WORKLOAD"): "if that is not what was injected, but an object below",
            ("patch", "pods"): "of pods that there are", ("get", "pods/log"): "of pods that run"},
    "disarm": {("get", "pods"): "of pods that do not answer",
               ("get", "WORKLOAD"): "if that is not what was injected, but an object below",
               ("patch", "pods"): "of pods that there are", ("get", "pods/log"): "of pods that run"},
    "status": {("get", "pods/log"): "of pods that run", ("list", "events"): "of pods that do not come"},
    "restore": {("patch", "leases.coordination.k8s.io"): "renewed after 20 s, or taken over from somebody who was killed",
                ("watch", "pods"): "while there are pods to wait for", ("patch", "pods"): "of pods that there are",
                ("create", "configmaps"): "a record, where it is gone"},
}
OF_AN_OPERATOR = {("delete", "replicasets.apps"), ("delete", "controllerrevisions.apps")}  # there is none here
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


def used(requests: list) -> set:
    """(verb, resource.group) of each request for an object; without discovery, and what everybody may ask."""
    found = set()
    for request in requests:
        url = urlsplit(request.path)
        parts = url.path.strip("/").split("/")
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
        if not rest or group == "authorization.k8s.io":
            continue
        rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
        resource = rest[0] + (f"/{rest[2]}" if len(rest) > 2 else "")
        query = parse_qs(url.query)
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}.get(request.method)
        verb = verb or ("watch" if "watch" in query else "get" if len(rest) > 1 else "list")
        found.add((verb, resource + (f".{group}" if group else "")))
    return found


def check_kind(checks, cluster, namespace: str, kind: str) -> None:
    drill = Drill(checks, cluster, namespace, manifest_of(kind, namespace))
    before, history = drill.snapshot(), drill.history()
    inject = ["inject", drill.word]
    commands = {"plan": [["plan", drill.word]], "inject": [inject, [*inject, "--replace", "--contract-xid", "79"]],
                "arm": [["arm", drill.word, "xid=79"]], "status": [["status", drill.word]], "disarm": [["disarm", drill.word]],
                "restore": [["restore", drill.word]]}
    for verb, runs in commands.items():
        rules = role(cluster, verb, namespace, "--kind", kind)
        account = cluster.service_account(namespace, f"{verb}-{kind.lower()}", rules)
        if verb == "restore":
            drill.succeeds("is armed again", drill.run("arm", drill.word, "xid=79"))
        workload = f"{plural_of(cluster, drill)}"
        rare = {(each, workload if resource == "WORKLOAD" else resource) for each, resource in RARE[verb]}
        if verb == "restore" and drill.version not in ("apps/v1", "batch/v1"):
            rare |= OF_AN_OPERATOR
        check_role(checks, cluster, f"Role of {verb} {kind}", rules, account, runs, namespace, rare)
    drill.is_as("after all that: exactly as before", before, history)
    drill.is_clean("verify-clean says so")


def plural_of(cluster, drill: Drill) -> str:
    plural = cluster.api.path(drill.version, drill.kind).rsplit("/", 1)[-1]
    return f"{plural}.{drill.version.split('/')[0]}"


def check_role(checks, cluster, what: str, rules: list, account, runs: list, namespace: str, rare: set) -> None:
    requests: list = []
    for words in runs:
        outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, "-n", namespace, account=account)
        checks.expect(f"{what}: suffices for {' '.join(words)}", outcome.code == 0, outcome)
        requests += proxy.requests
    checks.equal(f"{what}: nothing is refused", refusals(requests, namespace), set())
    unused = granted(rules) - used(requests)
    checks.expect(f"{what}: nothing unused", unused <= rare, unused - rare)
    checks.expect(f"{what}: what is said to be rare is", not rare & used(requests), rare & used(requests))


def refusals(requests: list, namespace: str) -> set:
    """But for nodes and the namespace itself, which are looked at where one may, and nobody has to be allowed to."""
    paths = {each.path.split("?")[0] for each in requests if each.status == 403}
    return paths - {"/api/v1/nodes", f"/api/v1/namespaces/{namespace}"}


def check_looking(checks, cluster, namespace: str) -> None:
    """Those that look at everything; each may list the kinds that it was told."""
    cluster.create(workloads.deployment(namespace, "seen", replicas=0))
    assert cluster.cudafault("k8s", "inject", "deployment/seen", "-n", namespace).code == 0
    file = cluster.state / "looking.json"
    for verb, code in (("library create", 0), ("scan", 0), ("snapshot", 0), ("verify-clean", 4), ("library delete", 0)):
        rules = role(cluster, verb, namespace)
        account = cluster.service_account(namespace, verb.replace(" ", "-"), rules)
        words = [*verb.split(), "-n", namespace] + (["-o", str(file)] if verb == "snapshot" else [])
        outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, account=account)
        checks.equal(f"Role of {verb}: suffices", outcome.code, code)
        checks.equal(f"Role of {verb}: nothing is refused", refusals(proxy.requests, namespace), set())
        served = {each for each in granted(rules) if is_served(cluster, each[1])}
        rare = {("patch", "configmaps")} if verb == "library create" else set()  # where it is there with an older source
        checks.equal(f"Role of {verb}: nothing unused", served - used(proxy.requests), rare)
    file.unlink()
    assert cluster.cudafault("k8s", "restore", "deployment/seen", "-n", namespace).code == 0
    nobody = cluster.service_account(namespace, "nobody")
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "status", "deployment/seen", "-n", namespace, account=nobody)
    checks.expect("without a Role it is refused, so it is the account that was asked as",
                  outcome.code == 3 and any(each.status == 403 for each in proxy.requests), outcome)


def is_served(cluster, resource: str) -> bool:
    """A Role may name kinds that this cluster does not have."""
    plural, _, group = resource.partition(".")
    if not group:
        return True
    for each in cluster.api.request("GET", "/apis")["groups"]:
        if each["name"] == group:
            versions = [version["groupVersion"] for version in each["versions"]]
            return any(plural == known["name"] for version in versions
                       for known in cluster.api.request("GET", f"/apis/{version}")["resources"])
    return False
