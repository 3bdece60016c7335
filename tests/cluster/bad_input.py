# SPDX-License-Identifier: Apache-2.0
"""What goes wrong is said in one clear sentence, and nothing has been changed."""

import contextlib
import getpass
import json
import re
import socket

import workloads
from drill import Drill, Refusals, in_namespace


def check(checks, cluster) -> None:
    cluster.install_crd("dynamographdeployments")
    with cluster.namespace() as namespace:
        cluster.create(workloads.deployment(namespace, "app", replicas=0))
        about = "apps/v1", "Deployment", namespace, "app"
        check_names(checks, cluster, namespace)
        check_credentials(checks, cluster, namespace, about)
        check_permissions(checks, cluster, namespace, about)
        check_without_gpu(checks, cluster, namespace)
        check_names_taken(checks, cluster, namespace)
        check_other_run(checks, cluster, namespace)
    check_admission(checks, cluster)


def check_names(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    refuses("an unknown workload", ("deployment/none",), "deployments.apps none", f"namespace {namespace}")
    refuses("an unknown name alone", ("none",), "neither a DynamoGraphDeployment nor a Deployment none")
    refuses("an unknown kind", ("gizmo/app",), "gizmo")
    outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", "no-such-namespace")
    checks.expect("an unknown namespace is named", outcome.code == 3 and "no-such-namespace" in outcome.errors, outcome)
    outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", "kube-system")
    checks.expect("kube-system is protected", outcome.code == 3 and "kube-system" in outcome.errors, outcome)
    for words in (("inject",), ("inject", "deployment/"), ("inject", "/app"), ("arm", "deployment/app", "no such plan"),
                  ("restore",), ("scan", "--timeout", "nan"), ("inject", "deployment/app", "--delivery", "pigeon"),
                  ("inject", "deployment/app", "--contract-xid", "1"),
                  ("inject", "deployment/app", "--contract-xid", "0")):
        outcome = cluster.cudafault("k8s", *words, "-n", namespace)
        checks.equal(f"usage: {' '.join(words)}", outcome.code, 2)
    for verb in ("arm", "status"):
        words = ("deployment/app", "xid=79") if verb == "arm" else ("deployment/app",)
        outcome = cluster.cudafault("k8s", verb, *words, "-n", namespace)
        if verb == "arm":
            checks.expect("arm of what is not injected: refused, and says what to do first",
                          outcome.code == 3 and "inject" in outcome.errors, outcome)
        else:
            checks.expect("status of what is not injected: says so", "not injected" in outcome.output + outcome.errors, outcome)
    checks.equal("nothing was written", in_namespace(cluster, namespace), [])


def check_credentials(checks, cluster, namespace: str, about: tuple) -> None:
    refuses = Refusals(checks, cluster, namespace)
    for why in ("invalid", "expired"):
        refuses(f"an {why} token", ("deployment/app",), "401", about=about,
                kubeconfig=cluster.refused_kubeconfig(why))
    refused = cluster.refused_kubeconfig("invalid")
    config = json.loads(refused.read_text())
    token = config["users"][0]["user"]["token"]
    outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", namespace, kubeconfig=refused)
    checks.expect("no token is printed", token not in outcome.errors + outcome.output, outcome)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nobody = cluster.kubeconfig.parent / "nobody-listens"
    nobody.touch(mode=0o600)
    nobody.write_text(json.dumps(config))
    refuses("no cluster", ("deployment/app",), "127.0.0.1:1", about=about, kubeconfig=nobody)
    refuses("no kubeconfig", ("deployment/app",), "/nowhere/config", about=about, kubeconfig="/nowhere/config")


RULES = {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]}


def check_permissions(checks, cluster, namespace: str, about: tuple) -> None:
    """Whoever may read only is told which verb on which resource he lacks, and where the Role comes from."""
    refuses = Refusals(checks, cluster, namespace)
    nothing = cluster.service_account(namespace, "nothing")
    refuses("no permission at all", ("deployment/app",), "get deployments.apps", "rbac inject", about=about,
            kubeconfig=nothing)
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch", "delete"]}
    maps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "delete"]}
    reader = cluster.service_account(namespace, "reader", [RULES])
    refuses("no permission for leases", ("deployment/app",), "create leases.coordination.k8s.io", "rbac inject",
            about=about, kubeconfig=reader)
    without_patch = cluster.service_account(namespace, "without-patch", [RULES, leases, maps])
    refuses("no permission to patch", ("deployment/app",), "patch deployments.apps", "rbac inject", about=about,
            kubeconfig=without_patch)
    patching = RULES | {"verbs": ["get", "list", "patch"]}
    without_maps = cluster.service_account(namespace, "without-maps", [patching, leases, maps | {"verbs": ["get"]}])
    refuses("no permission for ConfigMaps", ("deployment/app",), "create configmaps", "rbac inject",
            about=about, kubeconfig=without_maps)
    check_remedies(checks, cluster, namespace, nothing)


def check_remedies(checks, cluster, namespace: str, nobody) -> None:
    """The command that is printed prints a Role that gives what was refused."""
    for kind in ("StatefulSet", "DaemonSet"):
        cluster.create(workloads.workload(kind, namespace, "remedy", replicas=0))
    looking = {"apiGroups": ["apps"], "resources": ["statefulsets", "daemonsets"], "verbs": ["get"]}
    looker = cluster.service_account(namespace, "looker", [looking])
    for account, words, verb, resource in (
            (nobody, ("inject", "sts/remedy"), "get", "statefulsets"), (looker, ("inject", "sts/remedy"), "create", "leases"),
            (looker, ("restore", "ds/remedy", "--exact"), "get", "configmaps"), (nobody, ("scan",), "list", "configmaps"),
            (nobody, ("scan", "-A"), "list", "nodes"), (nobody, ("node", "drain", "n", "--delete-unhealthy"), "delete", "pods")):
        where = () if words[0] == "node" or "-A" in words else ("-n", namespace)
        refused = cluster.cudafault("k8s", *words, *where, kubeconfig=account)
        printed = re.search(r"`cudafault (k8s rbac [^`]+)`", refused.errors)
        label = f"Role for {' '.join(words)}"
        if not checks.expect(f"{label}: is named", refused.code == 3 and printed, refused):
            continue
        role = json.loads(cluster.cudafault(*printed[1].split(), "--json").output)
        given = {(each, name) for rule in role["rules"] for each in rule["verbs"] for name in rule["resources"]}
        checks.expect(f"{label}: gives {verb} on {resource}", (verb, resource) in given, role)
        checks.equal(f"{label}: is for all that the command is for", role["metadata"].get("namespace"), namespace if where else None)


def check_without_gpu(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    manifest = workloads.deployment(namespace, "no-gpu", workloads.pod_spec(workloads.server(gpus=0)), replicas=0)
    drill = Drill(checks, cluster, namespace, manifest, "no GPU")
    refuses("no GPU in the template", ("deployment/no-gpu",), "requests a GPU", "--container",
            "--or-all-containers", about=("apps/v1", "Deployment", namespace, "no-gpu"))
    refuses("no container of that name", ("deployment/no-gpu", "--container", "absent"), "absent",
            about=("apps/v1", "Deployment", namespace, "no-gpu"))
    outcome = drill.inject("--or-all-containers")
    said = "no container requests a GPU" in outcome.output
    drill.expect("all containers, and it says so", outcome.code == 0 and said, outcome)
    drill.succeeds("is restored", drill.restore())


def check_names_taken(checks, cluster, namespace: str) -> None:
    """What the user has under names of ours is not lost."""
    theirs = [{"name": "CUDA_FAULT_INJECTION_ENABLED", "value": "0"}, {"name": "CUDA_XID_TYPE", "value": "48"},
              {"name": "LD_PRELOAD", "value": "/tmp/fake_cuda_xid79.so"}]
    for label, options in (("plain", ()), ("contract", ("--contract-xid", "79")), ("image", ("--delivery", "image"))):
        spec = workloads.pod_spec(workloads.server(env=theirs))
        manifest = workloads.deployment(namespace, f"taken-{label}", spec, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, f"names of ours that are the user's ({label})")
        before, history = drill.snapshot(), drill.history()
        drill.succeeds("is injected", drill.inject(*options))
        drill.succeeds("is restored", drill.restore())
        drill.is_as("is exactly as before", before, history)
        cluster.api.delete("apps/v1", "Deployment", namespace, f"taken-{label}", propagationPolicy="Foreground")


def check_other_run(checks, cluster, namespace: str) -> None:
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "taken", replicas=0), "another run")
    before = drill.snapshot()
    drill.succeeds("is injected", drill.inject())
    mark = drill.get()["metadata"]["annotations"]["cudafault.dev/injected"]
    run = mark.split()[0].removeprefix("run=")
    drill.succeeds("is armed", drill.run("arm", drill.word, "xid=79", "--expires", "10m"))
    outcome = drill.inject()
    text = outcome.errors
    drill.equal("a second injection is refused", outcome.code, 3)
    for what, word in (("who", f"{getpass.getuser()}@{socket.gethostname()}"), ("which run", run), ("what is armed", "xid=79"),
                       ("how to go on", "--replace"), ("until when", "until=2")):
        drill.expect(f"says {what}", word in text, text)
    drill.equal("is still armed", "xid=79" in drill.run("status", drill.word).output, True)
    drill.succeeds("is restored", drill.restore())
    drill.is_as("is exactly as before", before)


def check_admission(checks, cluster) -> None:
    """Refused before anything is changed."""
    with cluster.namespace(enforce="restricted") as namespace:
        refuses = Refusals(checks, cluster, namespace)
        spec = workloads.pod_spec(workloads.server())
        del spec["securityContext"]
        cluster.create(workloads.deployment(namespace, "app", spec, replicas=0))
        refuses("Pod Security", ("deployment/app",), "nothing was changed", "PodSecurity",
                about=("apps/v1", "Deployment", namespace, "app"), sentences=2)
        good = Drill(checks, cluster, namespace, workloads.deployment(namespace, "good", replicas=0), "restricted profile")
        before = good.snapshot()
        for delivery in ("binary", "source"):
            if delivery == "source":
                cluster.cudafault("k8s", "library", "create", "-n", namespace)
            good.succeeds(f"admits delivery {delivery}", good.inject("--delivery", delivery))
            good.succeeds("is restored", good.restore())
            good.is_as("is exactly as before", before)
    with cluster.namespace() as namespace:
        check_quotas(checks, cluster, namespace)


def check_quotas(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    cluster.create(workloads.deployment(namespace, "app", replicas=0))
    about = "apps/v1", "Deployment", namespace, "app"
    with quota(cluster, namespace, **{"requests.nvidia.com/gpu": "0"}):
        refuses("a quota for GPUs", ("deployment/app",), "nothing was changed", "exceeded quota", about=about)
    with quota(cluster, namespace, pods="0"):
        outcome = cluster.cudafault("k8s", "inject", "deployment/app", "-n", namespace)
        told = "quota for pods is full" in outcome.output
        checks.expect("a full quota for pods is no obstacle, and is told", outcome.code == 0 and told, outcome)
        checks.equal("it is restored", cluster.cudafault("k8s", "restore", "deployment/app", "-n", namespace).code, 0)
    # kube-root-ca.crt is the first; record, two libraries and a plan are four more.
    for most in ("1", "2", "3", "4"):
        with quota(cluster, namespace, **{"count/configmaps": most}):
            refuses(f"a quota of {most} ConfigMap(s)", ("deployment/app",), "exceeded quota", about=about)


@contextlib.contextmanager
def quota(cluster, namespace: str, **hard: str):
    """In force, and then gone."""
    cluster.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": namespace},
                    "spec": {"hard": hard}})
    try:
        cluster.wait(lambda: cluster.api.get("v1", "ResourceQuota", namespace, "q").get("status", {}).get("used"))
        yield
    finally:
        cluster.api.delete("v1", "ResourceQuota", namespace, "q")
