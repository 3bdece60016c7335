# SPDX-License-Identifier: Apache-2.0
"""Checks that the Role of `cudafault k8s rbac VERB` suffices for the verb and contains no unused permission."""

import json
import re
from functools import partial
from urllib.parse import parse_qs, urlsplit

import workloads
from drill import Drill, cron_job, ray_cluster
from groups import Group, in_one_namespace

# Permissions that each verb needs only in situations that these tests do not create, with their purpose.
RARE = {
    "plan": {},
    "manifest": {},
    "inject": {("patch", "leases.coordination.k8s.io"): "renews the lease, or takes it from a killed process",
               ("list", "events"): "explains pods that do not start",
               ("watch", "pods"): "waits for pods",
               ("get", "pods/log"): "reads logs of running pods"},
    "arm": {("get", "pods"): "reads pods that do not acknowledge the plan",
            ("patch", "pods"): "annotates running pods", ("get", "pods/log"): "reads logs of running pods"},
    "disarm": {("get", "pods"): "reads pods that do not acknowledge the plan",
               ("get", "WORKLOAD"): "reads the owner of the named object",
               ("patch", "pods"): "annotates running pods", ("get", "pods/log"): "reads logs of running pods"},
    "status": {("get", "pods/log"): "reads logs of running pods",
               ("list", "events"): "explains pods that do not start"},
    "restore": {("patch", "leases.coordination.k8s.io"): "renews the lease, or takes it from a killed process",
                ("watch", "pods"): "waits for pods", ("patch", "pods"): "annotates running pods",
                ("create", "configmaps"): "recreates a deleted record"},
}
# restore deletes these objects only if an operator created them, and the test cluster has no operators.
OPERATOR_PERMISSIONS = {("delete", "replicasets.apps"), ("delete", "controllerrevisions.apps")}
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "DynamoGraphDeployment", "RayCluster")


def manifest_of(kind: str, namespace: str) -> dict:
    name = kind.lower()
    if kind == "CronJob":
        return cron_job(namespace, name)
    if kind == "DynamoGraphDeployment":
        return workloads.graph_v1beta1(namespace, name)
    return ray_cluster(namespace, name) if kind == "RayCluster" else workloads.workload(kind, namespace, name, replicas=0)


def role_rules(cluster, verb: str, namespace: str, *more: str) -> list:
    outcome = cluster.cudafault("k8s", "rbac", *verb.split(), "-n", namespace, "--json", *more)
    assert outcome.code == 0, outcome
    printed = json.loads(outcome.output)
    assert (printed["kind"], printed["metadata"]["namespace"]) == ("Role", namespace), printed
    return printed["rules"]


def granted_permissions(rules: list) -> set:
    """Returns the granted (verb, resource.group) pairs."""
    found = set()
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found |= {(verb, resource + (f".{group}" if group else "")) for verb in rule["verbs"]}
    return found


def used_permissions(requests: list) -> set:
    """Returns the (verb, resource.group) pairs of the requests, without discovery and access reviews."""
    found = set()
    for request in requests:
        url = urlsplit(request.path)
        parts = url.path.strip("/").split("/")
        group, segments = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
        if not segments or group == "authorization.k8s.io":
            continue
        segments = segments[2:] if segments[0] == "namespaces" and len(segments) > 2 else segments
        resource = segments[0] + (f"/{segments[2]}" if len(segments) > 2 else "")
        query = parse_qs(url.query)
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}.get(request.method)
        verb = verb or ("watch" if "watch" in query else "get" if len(segments) > 1 else "list")
        found.add((verb, resource + (f".{group}" if group else "")))
    return found


def check_kind(checks, cluster, namespace: str, kind: str) -> None:
    drill = Drill(checks, cluster, namespace, manifest_of(kind, namespace))
    before, history = drill.snapshot(), drill.history()
    inject = ["inject", drill.ref]
    commands = {"plan": [["plan", drill.ref]], "manifest": [["manifest", drill.ref]], "inject": [inject, [*inject, "--replace", "--contract-xid", "79"]],
                "arm": [["arm", drill.ref, "xid=79"]], "status": [["status", drill.ref]],
                "disarm": [["disarm", drill.ref]], "restore": [["restore", drill.ref]]}
    for verb, runs in commands.items():
        rules = role_rules(cluster, verb, namespace, "--kind", kind)
        account = cluster.create_service_account(namespace, f"{verb}-{kind.lower()}", rules)
        if verb == "restore":
            drill.expect_success("arm succeeds again", drill.run("arm", drill.ref, "xid=79"))
        workload = plural_of(cluster, drill)
        rare = {(each, workload if resource == "WORKLOAD" else resource) for each, resource in RARE[verb]}
        if verb == "restore" and drill.version not in ("apps/v1", "batch/v1"):
            rare |= OPERATOR_PERMISSIONS
        check_role(checks, cluster, f"Role of {verb} {kind}", rules, account, runs, namespace, rare)
    drill.expect_unchanged("the object is exactly as before after all verbs", before, history)
    drill.expect_clean("verify-clean finds no leftover")


def plural_of(cluster, drill: Drill) -> str:
    plural = cluster.api.path(drill.version, drill.kind).rsplit("/", 1)[-1]
    return f"{plural}.{drill.version.split('/')[0]}"


def check_role(checks, cluster, description: str, rules: list, account, runs: list, namespace: str, rare: set) -> None:
    requests: list = []
    for words in runs:
        outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, "-n", namespace, account=account)
        checks.expect(f"{description}: suffices for {' '.join(words)}", outcome.code == 0, outcome)
        requests += proxy.requests
    checks.equal(f"{description}: no request is refused", refused_paths(requests, namespace), set())
    unused = granted_permissions(rules) - used_permissions(requests)
    checks.expect(f"{description}: no permission is unused", unused <= rare, unused - rare)
    used_rare = rare & used_permissions(requests)
    checks.expect(f"{description}: the verb uses no permission in RARE", not used_rare, used_rare)


def refused_paths(requests: list, namespace: str) -> set:
    """Returns the refused paths, except nodes and the namespace itself, which the tool reads only if permitted."""
    paths = {each.path.split("?")[0] for each in requests if each.status == 403}
    return paths - {"/api/v1/nodes", f"/api/v1/namespaces/{namespace}"}


def check_exact_option(checks, cluster, namespace: str) -> None:
    for kind in ("Deployment", "StatefulSet"):
        drill = Drill(checks, cluster, namespace, workloads.workload(kind, namespace, f"exact-{kind.lower()}", replicas=0))
        before, history = drill.snapshot(), drill.history()
        drill.expect_success("inject succeeds", drill.inject())
        rules = role_rules(cluster, "restore", namespace, "--kind", kind, "--exact")
        account = cluster.create_service_account(namespace, f"exact-{kind.lower()}", rules)
        drill.expect_success("the Role of restore --exact suffices", drill.restore("--exact", kubeconfig=account))
        drill.expect_unchanged("the object is exactly as before after restore --exact with that Role", before, history)
        drill.expect_success("verify-clean --exact finds no leftover", drill.verify("--exact"))


def check_all_option(checks, cluster, namespace: str) -> None:
    """Checks verbs with --all, which search for injections."""
    names = ("first", "second")
    for name in names:
        cluster.create(workloads.deployment(namespace, name, replicas=1))
        assert cluster.cudafault("k8s", "inject", f"deployment/{name}", "-n", namespace, "--no-wait").code == 0
    cluster.wait(lambda: all(cluster.pods(namespace, f"app={name}") for name in names), 30, "injected pods")
    check_with_role(checks, cluster, namespace, "arm --all", "arm", "xid=79", "--selector", "app in (first, second)")
    check_with_role(checks, cluster, namespace, "disarm --all", "disarm")
    crashed = cluster.pods(namespace, "app=first")[0]["metadata"]["name"]
    waiting = {"name": "main", "image": "", "imageID": "", "ready": False, "restartCount": 5,
               "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    cluster.api.patch("v1", "Pod", namespace, crashed, {"status": {"containerStatuses": [waiting]}}, subresource="status")
    outcome = check_with_role(checks, cluster, namespace, "disarm --all --restart-crashed", "disarm",
                              "--restart-crashed")
    checks.expect("disarm --restart-crashed deletes the crashed pod", f"pod {crashed} was in back-off" in outcome.errors,
                  outcome)
    check_with_role(checks, cluster, namespace, "restore --all", "restore", "--all")
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace)
    checks.expect("verify-clean finds no leftover after restore --all", outcome.code == 0, outcome)


def check_several_kinds(checks, cluster, namespace: str) -> None:
    """Checks that the `rbac` command in an error message prints a Role that suffices for workloads of several kinds."""
    refs = ("deployment/several", "statefulset/several")
    for kind in ("Deployment", "StatefulSet"):
        cluster.create(workloads.workload(kind, namespace, "several", replicas=0))
    assert cluster.cudafault("k8s", "inject", *refs, "-n", namespace).code == 0
    for number, (verb, words) in enumerate((("status", ()), ("status", refs), ("restore", refs))):
        name = f"several-{number}"
        rules = role_rules(cluster, verb, namespace, *(() if words else ("--all",)))
        account = cluster.create_service_account(namespace, name, rules)
        refused = cluster.cudafault("k8s", verb, *words, "-n", namespace, kubeconfig=account)
        remedy = re.search(r"`cudafault (k8s rbac [^`]*)`", refused.errors)
        described = f"{verb} {' '.join(words)}"
        names_remedy = checks.expect(f"{described}: fails without permission for one kind, and names a remedy",
                                     refused.code == 3 and remedy, refused)
        if not names_remedy or remedy is None:
            continue
        printed = cluster.cudafault(*remedy[1].split(), "--json")
        account = cluster.create_service_account(namespace, f"{name}-remedy", json.loads(printed.output)["rules"])
        outcome = cluster.cudafault("k8s", verb, *words, "-n", namespace, kubeconfig=account)
        checks.expect(f"{described}: the Role of {remedy[1]} suffices", outcome.code == 0, outcome)
    for kind in ("Deployment", "StatefulSet"):
        cluster.api.delete("apps/v1", kind, namespace, "several")


def check_deletion(checks, cluster, namespace: str) -> None:
    """Checks restore --delete-pods for a kind whose controller does not replace pods."""
    drill = Drill(checks, cluster, namespace, workloads.workload("ReplicaSet", namespace, "deletes", replicas=0))
    drill.expect_success("inject succeeds", drill.inject())
    drill.patch({"spec": {"replicas": 1}})
    cluster.wait(lambda: cluster.pods(namespace, "app=deletes"), 30, "an injected pod")
    injected = cluster.pods(namespace, "app=deletes")[0]["metadata"]["name"]
    check_with_role(checks, cluster, namespace, "restore --kind ReplicaSet --delete-pods", "restore", drill.ref,
             "--delete-pods")
    drill.expect("the injected pod is deleted", injected not in [
        each["metadata"]["name"] for each in cluster.pods(namespace, "app=deletes")])
    drill.delete()


def check_with_role(checks, cluster, namespace: str, rbac_words: str, *words: str):
    """Checks that the command `words` succeeds with the Role of `rbac rbac_words`. Returns the outcome."""
    verb, *options = rbac_words.split()
    name = f"{verb}-{'-'.join(each.strip('-').lower() for each in options)}"
    account = cluster.create_service_account(namespace, name, role_rules(cluster, verb, namespace, *options))
    outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, "-n", namespace, account=account)
    checks.expect(f"Role of {rbac_words}: suffices for {' '.join(words)}", outcome.code == 0, outcome)
    checks.equal(f"Role of {rbac_words}: no request is refused", refused_paths(proxy.requests, namespace), set())
    return outcome


def check_nodes(checks, cluster, namespace: str) -> None:
    """Checks verbs for nodes, on a Node object without a kubelet and a pod that two PodDisruptionBudgets cover."""
    node = "of-permissions"
    cluster.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "covered", "namespace": namespace, "labels": {"app": "covered"}},
           "spec": workloads.pod_spec(workloads.server(gpus=0), nodeName=node)}
    cluster.create(pod)
    cluster.api.patch("v1", "Pod", namespace, "covered", {"status": {"phase": "Running"}}, subresource="status")
    budgets: list[dict] = [{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": namespace},
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "covered"}}}} for name in ("one", "two")]
    for budget in budgets:
        cluster.create(budget)
    drain = ("drain", node, "--force-bare", "--nvsentinel", "--grace", "0")
    check_node_verb(checks, cluster, namespace, "cordon", node)
    outcome = check_node_verb(checks, cluster, namespace, *drain, code=3)
    named = "more than one PodDisruptionBudget selects it" in outcome.errors and "server's log" not in outcome.errors
    checks.expect("the error of drain names the two budgets of the pod", named, outcome)
    labels = cluster.api.get("v1", "Node", None, node)["metadata"]["labels"]
    checks.equal("the failed drain sets the label drain-failed", labels.get("dgxc.nvidia.com/nvsentinel-state"),
                 "drain-failed")
    for budget in budgets:
        cluster.api.delete("policy/v1", "PodDisruptionBudget", namespace, budget["metadata"]["name"])
    check_node_verb(checks, cluster, namespace, *drain)
    check_node_verb(checks, cluster, namespace, "uncordon", node)
    cluster.api.delete("v1", "Node", None, node)


def check_node_verb(checks, cluster, namespace: str, verb: str, *words: str, code: int = 0):
    printed = json.loads(cluster.cudafault("k8s", "rbac", "node", verb, "--json").output)
    account = cluster.create_service_account(namespace, f"node-{verb}", cluster_rules=printed["rules"])
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "node", verb, *words, account=account)
    checks.expect(f"ClusterRole of node {verb}: suffices, and the exit code is {code}", outcome.code == code, outcome)
    checks.equal(f"ClusterRole of node {verb}: no request is refused", refused_paths(proxy.requests, namespace), set())
    return outcome


def check_readers(checks, cluster, namespace: str) -> None:
    """Checks verbs that read all objects of the kinds in their Role."""
    cluster.create(workloads.deployment(namespace, "seen", replicas=0))
    assert cluster.cudafault("k8s", "inject", "deployment/seen", "-n", namespace).code == 0
    file = cluster.state / "snapshot-of-readers.json"
    for verb, code in (("library create", 0), ("scan", 0), ("snapshot", 0), ("verify-clean", 4), ("library delete", 0)):
        rules = role_rules(cluster, verb, namespace)
        account = cluster.create_service_account(namespace, verb.replace(" ", "-"), rules)
        words = [*verb.split(), "-n", namespace] + (["-o", str(file)] if verb == "snapshot" else [])
        outcome, proxy = cluster.killed_at(0, "before", "k8s", *words, account=account)
        checks.equal(f"Role of {verb}: suffices", outcome.code, code)
        checks.equal(f"Role of {verb}: no request is refused", refused_paths(proxy.requests, namespace), set())
        served = {each for each in granted_permissions(rules) if is_served(cluster, each[1])}
        # `library create` patches a ConfigMap that has an older source.
        rare = {("patch", "configmaps")} if verb == "library create" else set()
        checks.equal(f"Role of {verb}: no permission is unused", served - used_permissions(proxy.requests), rare)
    file.unlink()
    assert cluster.cudafault("k8s", "restore", "deployment/seen", "-n", namespace).code == 0
    account = cluster.create_service_account(namespace, "verify-clean", role_rules(cluster, "verify-clean", namespace))
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace, kubeconfig=account)
    checks.expect("Role of verify-clean: suffices in a clean namespace, and the output names the Role for nodes",
                  outcome.code == 0 and "rbac verify-clean -A" in outcome.output, outcome)
    no_role = cluster.create_service_account(namespace, "no-role")
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "status", "deployment/seen", "-n", namespace,
                                       account=no_role)
    checks.expect("without a Role the request is refused, so the proxy uses the account's token",
                  outcome.code == 3 and any(each.status == 403 for each in proxy.requests), outcome)


def is_served(cluster, resource: str) -> bool:
    """Returns whether the cluster serves the resource. A Role may contain resources that the cluster does not serve."""
    plural, _, group = resource.partition(".")
    if not group:
        return True
    for each in cluster.api.request("GET", "/apis")["groups"]:
        if each["name"] == group:
            versions = [version["groupVersion"] for version in each["versions"]]
            return any(plural == known["name"] for version in versions
                       for known in cluster.api.request("GET", f"/apis/{version}")["resources"])
    return False


CRDS = ("dynamographdeployments", "rayclusters")
GROUPS = [
    Group(in_one_namespace, [*(partial(check_kind, kind=kind) for kind in KINDS), check_exact_option, check_readers,
                             check_deletion, check_all_option, check_several_kinds, check_nodes]),
]
