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
        check_exact(checks, cluster, namespace)
        check_looking(checks, cluster, namespace)
        check_deletion(checks, cluster, namespace)
        check_all(checks, cluster, namespace)
        check_nodes(checks, cluster, namespace)


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


def check_exact(checks, cluster, namespace: str) -> None:
    for kind in ("Deployment", "StatefulSet"):
        drill = Drill(checks, cluster, namespace, workloads.workload(kind, namespace, f"exact-{kind.lower()}", replicas=0))
        before, history = drill.snapshot(), drill.history()
        drill.succeeds("is injected", drill.inject())
        rules = role(cluster, "restore", namespace, "--kind", kind, "--exact")
        account = cluster.service_account(namespace, f"exact-{kind.lower()}", rules)
        drill.succeeds("the Role of restore --exact suffices", drill.restore("--exact", kubeconfig=account))
        drill.is_as("restore --exact with that Role: exactly as before", before, history)
        drill.succeeds("and verify-clean --exact says so", drill.verify("--exact"))


def check_all(checks, cluster, namespace: str) -> None:
    """Those that find by themselves what they are about."""
    words = ("first", "second")
    for name in words:
        cluster.create(workloads.deployment(namespace, name, replicas=1))
        assert cluster.cudafault("k8s", "inject", f"deployment/{name}", "-n", namespace, "--no-wait").code == 0
    cluster.wait(lambda: all(cluster.pods(namespace, f"app={name}") for name in words), 30, "injected pods")
    role_run(checks, cluster, namespace, "arm --all", "arm", "xid=79", "--selector", "app in (first, second)")
    role_run(checks, cluster, namespace, "disarm --all", "disarm")
    crashed = cluster.pods(namespace, "app=first")[0]["metadata"]["name"]
    waiting = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 5,
               "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    cluster.api.patch("v1", "Pod", namespace, crashed, {"status": {"containerStatuses": [waiting]}}, subresource="status")
    outcome = role_run(checks, cluster, namespace, "disarm --all --restart-crashed", "disarm", "--restart-crashed")
    checks.expect("disarm --restart-crashed: has deleted it", f"pod {crashed} waited" in outcome.errors, outcome)
    role_run(checks, cluster, namespace, "restore --all", "restore", "--all")
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace)
    checks.expect("after restore --all: clean", outcome.code == 0, outcome)


def check_deletion(checks, cluster, namespace: str) -> None:
    """Of the pods of a kind that does not replace them."""
    drill = Drill(checks, cluster, namespace, workloads.workload("ReplicaSet", namespace, "deletes", replicas=0))
    drill.succeeds("is injected", drill.inject())
    drill.patch({"spec": {"replicas": 1}})
    cluster.wait(lambda: cluster.pods(namespace, "app=deletes"), 30, "an injected pod")
    injected = cluster.pods(namespace, "app=deletes")[0]["metadata"]["name"]
    role_run(checks, cluster, namespace, "restore --kind ReplicaSet --delete-pods", "restore", drill.word, "--delete-pods")
    drill.expect("the injected pod is deleted", injected not in [
        each["metadata"]["name"] for each in cluster.pods(namespace, "app=deletes")])
    drill.delete()


def role_run(checks, cluster, namespace: str, asked: str, *words: str):
    """`asked` is what `rbac` is asked for; with the account that has that Role, the words succeed."""
    verb, *more = asked.split()
    name = f"{verb}-{'-'.join(each.strip('-').lower() for each in more)}"
    account = cluster.service_account(namespace, name, role(cluster, verb, namespace, *more))
    outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, "-n", namespace, account=account)
    checks.expect(f"Role of {asked}: suffices for {' '.join(words)}", outcome.code == 0, outcome)
    checks.equal(f"Role of {asked}: nothing is refused", refusals(proxy.requests, namespace), set())
    return outcome


def check_nodes(checks, cluster, namespace: str) -> None:
    """Of a node that only the API server knows, with a pod that two budgets cover."""
    node = "of-permissions"
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "covered", "namespace": namespace, "labels": {"app": "covered"}},
           "spec": workloads.pod_spec(workloads.server(gpus=0), nodeName=node)}
    cluster.create(pod)
    cluster.api.patch("v1", "Pod", namespace, "covered", {"status": {"phase": "Running"}}, subresource="status")
    budgets = [{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": namespace},
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "covered"}}}} for name in ("one", "two")]
    for budget in budgets:
        cluster.create(budget)
    drain = ("drain", node, "--force-bare", "--nvsentinel", "--grace", "0")
    node_run(checks, cluster, namespace, "cordon", node)
    outcome = node_run(checks, cluster, namespace, *drain, code=3)
    checks.expect("two budgets of a pod: are named as what is wrong",
                  "more than one PodDisruptionBudget covers it" in outcome.errors and "server's log" not in outcome.errors, outcome)
    labels = cluster.api.get("v1", "Node", None, node)["metadata"]["labels"]
    checks.equal("two budgets of a pod: the drain has failed", labels.get("dgxc.nvidia.com/nvsentinel-state"), "drain-failed")
    for budget in budgets:
        cluster.api.delete("policy/v1", "PodDisruptionBudget", namespace, budget["metadata"]["name"])
    node_run(checks, cluster, namespace, *drain)
    node_run(checks, cluster, namespace, "uncordon", node)
    cluster.api.delete("v1", "Node", None, node)


def node_run(checks, cluster, namespace: str, verb: str, *words: str, code: int = 0):
    made = json.loads(cluster.cudafault("k8s", "rbac", "node", verb, "--json").output)
    account = cluster.service_account(namespace, f"node-{verb}", cluster_rules=made["rules"])
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "node", verb, *words, account=account)
    checks.expect(f"ClusterRole of node {verb}: suffices, with {code} as its end", outcome.code == code, outcome)
    checks.equal(f"ClusterRole of node {verb}: nothing is refused", refusals(proxy.requests, namespace), set())
    return outcome


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
    account = cluster.service_account(namespace, "verify-clean", role(cluster, "verify-clean", namespace))
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, kubeconfig=account)
    checks.expect("Role of verify-clean: suffices for what is clean, and the note says whose Role has nodes",
                  outcome.code == 0 and "rbac verify-clean -A" in outcome.output, outcome)
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
