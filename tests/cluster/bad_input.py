# SPDX-License-Identifier: Apache-2.0
"""Checks that refused commands print one line with the reason and write nothing to the cluster."""

import contextlib
import getpass
import json
import re
import socket

import workloads
from drill import Drill, Refusals, injection_objects_in
from groups import Group, in_cluster


def check_names(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    refuses("an unknown workload", ("deployment/none",), "deployment.apps/none", f"namespace {namespace}")
    refuses("an unknown name without a kind", ("none",), "neither a DynamoGraphDeployment nor a Deployment none")
    refuses("an unknown kind", ("gizmo/app",), "gizmo")
    outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", "no-such-namespace")
    checks.expect("the error names the unknown namespace", outcome.code == 3 and "no-such-namespace" in outcome.errors,
                  outcome)
    outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", "kube-system")
    checks.expect("inject in kube-system is refused", outcome.code == 3 and "kube-system" in outcome.errors, outcome)
    for words in (("inject",), ("inject", "deployment/"), ("inject", "/app"), ("arm", "deployment/app", "no such plan"),
                  ("restore",), ("scan", "--timeout", "nan"), ("inject", "deployment/app", "--delivery", "pigeon"),
                  ("inject", "deployment/app", "--contract-xid", "1"),
                  ("inject", "deployment/app", "--contract-xid", "0")):
        outcome = cluster.cudafault("k8s", *words, "-n", namespace)
        checks.equal(f"`{' '.join(words)}` is a usage error", outcome.code, 2)
    for verb in ("arm", "status"):
        words = ("deployment/app", "xid=79") if verb == "arm" else ("deployment/app",)
        outcome = cluster.cudafault("k8s", verb, *words, "-n", namespace)
        if verb == "arm":
            checks.expect("arm without an injection is refused, and the error names inject",
                          outcome.code == 3 and "inject" in outcome.errors, outcome)
        else:
            reported = "not injected" in outcome.output + outcome.errors
            checks.expect("status without an injection reports 'not injected'", reported, outcome)
    checks.equal("the refused commands wrote nothing", injection_objects_in(cluster, namespace), [])


def check_credentials(checks, cluster, namespace: str) -> None:
    target = "apps/v1", "Deployment", namespace, "app"
    refuses = Refusals(checks, cluster, namespace)
    for defect in ("invalid", "expired"):
        refuses(f"an {defect} token", ("deployment/app",), "401", target=target,
                kubeconfig=cluster.write_refused_kubeconfig(defect))
    refused = cluster.write_refused_kubeconfig("invalid")
    config = json.loads(refused.read_text())
    token = config["users"][0]["user"]["token"]
    outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", namespace, kubeconfig=refused)
    checks.expect("the token is not printed", token not in outcome.errors + outcome.output, outcome)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    unreachable = cluster.kubeconfig.parent / "unreachable-server"
    unreachable.touch(mode=0o600)
    unreachable.write_text(json.dumps(config))
    refuses("an unreachable server", ("deployment/app",), "127.0.0.1:1", target=target, kubeconfig=unreachable)
    refuses("a missing kubeconfig", ("deployment/app",), "/nowhere/config", target=target, kubeconfig="/nowhere/config")


READ_RULE = {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]}


def check_permissions(checks, cluster, namespace: str) -> None:
    """An error about a missing permission names the verb, the resource and the `rbac` command that prints the Role."""
    target = "apps/v1", "Deployment", namespace, "app"
    refuses = Refusals(checks, cluster, namespace)
    no_permissions = cluster.create_service_account(namespace, "no-permissions")
    refuses("no permission at all", ("deployment/app",), "get deployment.apps/app", "rbac inject", target=target,
            kubeconfig=no_permissions)
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch", "delete"]}
    config_maps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}
    reader = cluster.create_service_account(namespace, "reader", [READ_RULE])
    refuses("no permission for leases", ("deployment/app",), "create lease.coordination.k8s.io/", "rbac inject",
            target=target, kubeconfig=reader)
    without_patch = cluster.create_service_account(namespace, "without-patch", [READ_RULE, leases, config_maps])
    refuses("no permission to patch", ("deployment/app",), "patch deployment.apps/app", "rbac inject", target=target,
            kubeconfig=without_patch)
    patching = READ_RULE | {"verbs": ["get", "list", "patch"]}
    get_config_maps = config_maps | {"verbs": ["get"]}
    without_config_maps = cluster.create_service_account(namespace, "without-config-maps", [patching, leases, get_config_maps])
    refuses("no permission for ConfigMaps", ("deployment/app",), "create configmap/", "rbac inject",
            target=target, kubeconfig=without_config_maps)
    check_printed_roles(checks, cluster, namespace, no_permissions)


def check_printed_roles(checks, cluster, namespace: str, no_permissions) -> None:
    """The `rbac` command in the error prints a Role that grants the refused permission."""
    for kind in ("StatefulSet", "DaemonSet"):
        cluster.create(workloads.workload(kind, namespace, "remedy", replicas=0))
    get_rule = {"apiGroups": ["apps"], "resources": ["statefulsets", "daemonsets"], "verbs": ["get"]}
    get_account = cluster.create_service_account(namespace, "get-account", [get_rule])
    for account, words, verb, resource in (
            (no_permissions, ("inject", "sts/remedy"), "get", "statefulsets"),
            (get_account, ("inject", "sts/remedy"), "create", "leases"),
            (get_account, ("restore", "ds/remedy", "--exact"), "get", "configmaps"),
            (no_permissions, ("scan",), "list", "configmaps"), (no_permissions, ("scan", "-A"), "list", "nodes"),
            (no_permissions, ("node", "drain", "n", "--delete-unhealthy"), "delete", "pods")):
        scope = () if words[0] == "node" or "-A" in words else ("-n", namespace)
        refused = cluster.cudafault("k8s", *words, *scope, kubeconfig=account)
        printed = re.search(r"`cudafault (k8s rbac [^`]+)`", refused.errors)
        label = f"Role for {' '.join(words)}"
        if not checks.expect(f"{label}: the error names the rbac command", refused.code == 3 and printed, refused) or not printed:
            continue
        role = json.loads(cluster.cudafault(*printed[1].split(), "--json").output)
        granted = {(each, name) for rule in role["rules"] for each in rule["verbs"] for name in rule["resources"]}
        checks.expect(f"{label}: grants {verb} on {resource}", (verb, resource) in granted, role)
        expected = namespace if scope else None
        checks.equal(f"{label}: has the scope of the command", role["metadata"].get("namespace"), expected)


def check_without_gpu(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    manifest = workloads.deployment(namespace, "no-gpu", workloads.pod_spec(workloads.server(gpus=0)), replicas=0)
    drill = Drill(checks, cluster, namespace, manifest, "no GPU")
    refuses("a template without a GPU", ("deployment/no-gpu",), "requests a GPU", "--container",
            "--or-all-containers", target=("apps/v1", "Deployment", namespace, "no-gpu"))
    refuses("an unknown container", ("deployment/no-gpu", "--container", "absent"), "absent",
            target=("apps/v1", "Deployment", namespace, "no-gpu"))
    outcome = drill.inject("--or-all-containers")
    reported = "no container requests a GPU" in outcome.output
    drill.expect("--or-all-containers reports that no container requests a GPU", outcome.code == 0 and reported,
                 outcome)
    drill.expect_success("restore succeeds", drill.restore())


def check_existing_variables(checks, cluster, namespace: str) -> None:
    """inject and restore keep the workload's own variables, even if cudafault uses variables of the same names."""
    existing = [{"name": "CUDA_FAULT_INJECTION_ENABLED", "value": "0"}, {"name": "CUDA_XID_TYPE", "value": "48"},
                {"name": "LD_PRELOAD", "value": "/tmp/fake_cuda_xid79.so"}]
    for label, options in (("plain", ()), ("contract", ("--contract-xid", "79")), ("image", ("--delivery", "image"))):
        spec = workloads.pod_spec(workloads.server(env=existing))
        manifest = workloads.deployment(namespace, f"taken-{label}", spec, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, f"existing variables with cudafault's names ({label})")
        before, history = drill.snapshot(), drill.history()
        drill.expect_success("inject succeeds", drill.inject(*options))
        drill.expect_success("restore succeeds", drill.restore())
        drill.expect_unchanged("the object is exactly as before", before, history)
        cluster.api.delete("apps/v1", "Deployment", namespace, f"taken-{label}", propagationPolicy="Foreground")


def check_second_injection(checks, cluster, namespace: str) -> None:
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "taken", replicas=0), "second injection")
    before = drill.snapshot()
    drill.expect_success("inject succeeds", drill.inject())
    mark = drill.get()["metadata"]["annotations"]["cudafault.dev/injected"]
    run = mark.split()[0].removeprefix("run=")
    drill.expect_success("arm succeeds", drill.run("arm", drill.ref, "xid=79", "--expires", "10m"))
    outcome = drill.inject()
    text = outcome.errors
    drill.equal("a second injection is refused", outcome.code, 3)
    for part, word in (("owner", f"{getpass.getuser()}@{socket.gethostname()}"), ("run", run), ("armed plan", "xid=79"),
                       ("option --replace", "--replace"), ("expiry", "until=2")):
        drill.expect(f"the error names the {part}", word in text, text)
    drill.equal("the plan is still armed", "xid=79" in drill.run("status", drill.ref).output, True)
    drill.expect_success("restore succeeds", drill.restore())
    drill.expect_unchanged("the object is exactly as before", before)


def check_admission(checks, cluster) -> None:
    """inject refuses an injection that admission would reject, and changes nothing."""
    with cluster.namespace(enforce="restricted") as namespace:
        refuses = Refusals(checks, cluster, namespace)
        spec = workloads.pod_spec(workloads.server())
        del spec["securityContext"]
        cluster.create(workloads.deployment(namespace, "app", spec, replicas=0))
        refuses("a pod that Pod Security rejects", ("deployment/app",), "nothing was changed", "PodSecurity",
                target=("apps/v1", "Deployment", namespace, "app"), line_count=2)
        manifest = workloads.deployment(namespace, "admitted", replicas=0)
        admitted = Drill(checks, cluster, namespace, manifest, "restricted profile")
        before = admitted.snapshot()
        for delivery in ("binary", "source"):
            if delivery == "source":
                cluster.cudafault("k8s", "library", "create", "-n", namespace)
            outcome = admitted.inject("--delivery", delivery)
            admitted.expect_success(f"inject with delivery {delivery} is admitted", outcome)
            admitted.expect_success("restore succeeds", admitted.restore())
            admitted.expect_unchanged("the object is exactly as before", before)
    with cluster.namespace() as namespace:
        check_quotas(checks, cluster, namespace)


def check_quotas(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    cluster.create(workloads.deployment(namespace, "app", replicas=0))
    target = "apps/v1", "Deployment", namespace, "app"
    with limited_by_quota(cluster, namespace, **{"requests.nvidia.com/gpu": "0"}):
        refuses("a full quota for GPUs", ("deployment/app",), "nothing was changed", "exceeded quota", target=target)
    with limited_by_quota(cluster, namespace, pods="0"):
        outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", namespace)
        reported = "quota for pods is full" in outcome.output
        checks.expect("inject succeeds despite a full quota for pods and reports it", outcome.code == 0 and reported,
                      outcome)
        outcome = cluster.cudafault("k8s", "restore", "deployment/app", "-n", namespace)
        checks.equal("restore succeeds despite a full quota for pods", outcome.code, 0)
    # The namespace has the ConfigMap kube-root-ca.crt. An injection creates four: record, two libraries and plan.
    for limit in ("1", "2", "3", "4"):
        with limited_by_quota(cluster, namespace, **{"count/configmaps": limit}):
            refuses(f"a quota of {limit} ConfigMap(s)", ("deployment/app",), "exceeded quota", target=target)


@contextlib.contextmanager
def limited_by_quota(cluster, namespace: str, **hard: str):
    """Creates a ResourceQuota for the block, and waits until the quota is in force."""
    cluster.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": namespace},
                    "spec": {"hard": hard}})
    try:
        cluster.wait(lambda: cluster.api.get("v1", "ResourceQuota", namespace, "q").get("status", {}).get("used"))
        yield
    finally:
        cluster.api.delete("v1", "ResourceQuota", namespace, "q")


def in_namespace_with_app(checks, cluster, tests: list) -> None:
    with cluster.namespace() as namespace:
        cluster.create(workloads.deployment(namespace, "app", replicas=0))
        for test in tests:
            test(checks, cluster, namespace)


CRDS = ("dynamographdeployments",)
GROUPS = [
    Group(in_namespace_with_app, [check_names, check_credentials, check_permissions, check_without_gpu,
                                  check_existing_variables, check_second_injection]),
    Group(in_cluster, [check_admission]),
]
