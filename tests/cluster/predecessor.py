# SPDX-License-Identifier: Apache-2.0
"""Checks the directory cuda-fault-injection/ as users of its predecessor use it: copied into another repository, with
scripts that call its functions and pytest running its tests. The pods are real and compile the library."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import workloads
from cluster import TOOL, Cluster, Outcome
from dropin.support import pytest_python
from groups import Group
from harness import BUILD, ROOT, Checks
from workspace import Workspace, temporary_workspace, timed_part

WEB = "app=web"
CONFIG_MAP = "cuda-fault-injection-lib"
SOURCE = "fake_cuda_xid79.cpp"
XID79_TEST = "examples/test_xid79_cuda_fault.py"
LIBRARY = "/cuda-fault/fake_cuda_xid79.so"
GRAPH_PODS = "nvidia.com/dynamo-graph-deployment-name=graph"
FUNCTIONS = "from inject_into_pods import *\n"
SETTINGS = {
    "CUDAFAULT": str(TOOL), "CUDA_FAULT_COMPILER_IMAGE": "rig.local/gcc:1", "CUDA_FAULT_TIMEOUT": "120",
    "INFERENCE_ENDPOINT": "http://{address}:8000/generate", "INFERENCE_BODY": '{"input": [1, 2, 3, 4]}',
    "PYTHONDONTWRITEBYTECODE": "1",
}


class DropInUser:
    """A repository with a copy of the directory. Programs that run in it can reach the cluster."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.root, self.dropin = cluster, folder, folder / "cuda-fault-injection"
        build_products = shutil.ignore_patterns("fake_cuda_xid79.*", "__pycache__", ".pytest_cache")
        shutil.copytree(ROOT / "cuda-fault-injection", self.dropin, ignore=build_products)
        shutil.copytree(ROOT / "examples", folder / "examples",
                        ignore=shutil.ignore_patterns("inference_server", "__pycache__"))
        # `make` in cuda-fault-injection/ of the repository creates this file.
        shutil.copy(BUILD / "generated" / "cudafault.one.cpp", self.dropin / SOURCE)

    def run(self, python: str, *arguments: object, timeout: float = 300, **extra: str) -> Outcome:
        path = os.pathsep.join([str(TOOL.parent), os.environ["PATH"]])
        settings = SETTINGS | {"PYTHONPATH": str(self.dropin), "PATH": path} | extra
        return self.cluster.cudafault(*arguments, command=python, environment=settings, cwd=self.root, timeout=timeout)

    def call(self, expression: str) -> Outcome:
        """Evaluates the expression in Python. The exit code is 0 only if the result is True."""
        return self.run(sys.executable, "-c", f"{FUNCTIONS}assert ({expression}) is True")

    def run_pytest(self, file: str, *arguments: str, deployment: str, namespace: str, **extra: str) -> Outcome:
        target = {"TARGET_DEPLOYMENT": deployment, "TARGET_NAMESPACE": namespace} | extra
        options = ("-q", "-rs", "--durations=0", "-p", "no:cacheprovider")
        return self.run(pytest_python(), "-m", "pytest", *options, file, *arguments, timeout=400, **target)


def create_web(workspace: Workspace, replicas: int = 2, **container: Any) -> dict:
    """Creates the Deployment web and returns the stored object."""
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
              "labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["pod-template-hash"]}
    spec = workloads.pod_spec(workloads.server(**container), topologySpreadConstraints=[spread])
    workspace.cluster.create(workloads.deployment(workspace.namespace, "web", spec, replicas=replicas))
    workspace.cluster.wait_for_pods(workspace.namespace, WEB, replicas)
    return deployment(workspace)


def deployment(workspace: Workspace) -> dict:
    return workspace.api.get("apps/v1", "Deployment", workspace.namespace, "web")


def environment(workspace: Workspace) -> dict:
    """Returns the variables of the workload's container."""
    container = deployment(workspace)["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each.get("value") for each in container.get("env", ())}


def contract_variables(workspace: Workspace) -> tuple:
    """Returns the values of the variables that the predecessor sets."""
    found = environment(workspace)
    return found.get("LD_PRELOAD"), found.get("CUDA_FAULT_INJECTION_ENABLED"), found.get("CUDA_XID_TYPE")


# The functions

def check_functions(checks: Checks, cluster: Cluster, user: DropInUser) -> None:
    """Calls the functions in the order of a test run. The namespace enforces the restricted Pod Security profile."""
    with temporary_workspace(cluster, checks, "drop-in: functions") as workspace:
        before = create_web(workspace)
        snapshot = workspace.snapshot()
        target = f"'web', '{workspace.namespace}'"
        check_before_injection(checks, workspace, user, target, before)
        check_passthrough(checks, workspace, user, target)
        check_enabled(checks, workspace, user, target)
        check_enabled_again(checks, workspace, user, target)
        check_disabled(checks, workspace, user, target, before)
        workspace.expect_clean(checks, "drop-in: functions", snapshot)


def expect_true(checks: Checks, description: str, outcome: Outcome) -> bool:
    found = outcome.errors[-2000:] + outcome.output[-2000:]
    return checks.expect(f"drop-in: {description}, and returns True", outcome.code == 0, found)


def expect_raised(checks: Checks, description: str, outcome: Outcome, *words: str) -> bool:
    last = (outcome.errors.strip().splitlines() or [""])[-1]
    ok = outcome.code == 1 and last.startswith("inject_into_pods.CudaFaultError: ") and all(word in last for word in words)
    return checks.expect(f"drop-in: {description} raises CudaFaultError with one line", ok, outcome.errors[-2000:])


def check_before_injection(checks: Checks, workspace: Workspace, user: DropInUser, target: str, before: dict) -> None:
    disabled = user.call(f"patch_deployment_env({target}, enable=False)")
    expect_true(checks, "disabling without an injection succeeds", disabled)
    outcome = user.call(f"patch_deployment_env({target}, enable=True)")
    expect_raised(checks, "enabling without the ConfigMap", outcome, CONFIG_MAP)
    checks.equal("drop-in: neither call changes the spec", deployment(workspace)["spec"], before["spec"])
    created = user.call(f"create_cuda_fault_configmap('{workspace.namespace}')")
    expect_true(checks, "the ConfigMap is created", created)
    config_map = workspace.api.get("v1", "ConfigMap", workspace.namespace, CONFIG_MAP)
    source = (user.dropin / SOURCE).read_text()
    checks.expect("drop-in: the ConfigMap has the source that `make` compiles",
                  config_map["data"].get(SOURCE) == source, list(config_map["data"]))
    created = user.call(f"create_cuda_fault_configmap('{workspace.namespace}')")
    expect_true(checks, "creating the ConfigMap again succeeds", created)


def check_passthrough(checks: Checks, workspace: Workspace, user: DropInUser, target: str) -> None:
    options = "enable=True, use_configmap=True, xid_type=94, passthrough_mode=True"
    outcome = user.call(f"patch_deployment_env({target}, {options})")
    expect_true(checks, "passthrough_mode replaces the pods", outcome)
    spec = deployment(workspace)["spec"]["template"]["spec"]
    created = ([each["name"] for each in spec["initContainers"]],
             sorted(each["name"] for each in spec["volumes"] if each["name"].startswith("cuda-fault")),
             [each["mountPath"] for each in spec["containers"][0]["volumeMounts"] if each["mountPath"] == "/cuda-fault"])
    checks.equal("drop-in: init container, volumes and mount have the predecessor's names", created,
                 (["compile-cuda-fault-lib"], ["cuda-fault-lib", "cuda-fault-lib-source"], ["/cuda-fault"]))
    checks.equal("drop-in: passthrough_mode disables the fault and sets the XID", contract_variables(workspace),
                 (LIBRARY, "0", "94"))
    pods = workspace.cluster.wait_for_pods(workspace.namespace, WEB, 2)
    names = [pod["metadata"]["name"] for pod in pods]
    with workspace.cluster.load(workspace.namespace, WEB) as load:
        for name in names:
            load.wait_for(lambda each: each.pod == name)
    requests = load.requests()
    checks.expect("drop-in: no call fails with passthrough_mode", all(each.ok for each in requests), requests[:3])
    status = workspace.json("status", "deployment/web")
    pods_seen = [(pod["library_seen"], pod["fired"]) for pod in status["pods"]]
    checks.equal("drop-in: with passthrough_mode each pod has the library, and no plan is armed",
                 (status["armed"], pods_seen), (None, [(True, 0)] * 2))


def crash_pods(workspace: Workspace, code: int, node: str | None = None) -> list:
    """Sends requests until all pods have crashed with the CUDA error, and returns the pods."""
    def crashed() -> list:
        pods = workspace.json("status", "deployment/web")["pods"]
        all_crashed = all(pod["codes"] == [code] and pod["restarts"] > 0 and node in (None, pod["node"]) for pod in pods)
        return pods if pods and all_crashed else []
    with workspace.cluster.load(workspace.namespace, WEB):
        return workspace.wait(crashed, 60, f"a crash of all pods with CUDA error {code}")


def check_enabled(checks: Checks, workspace: Workspace, user: DropInUser, target: str) -> None:
    enable = f"patch_deployment_env({target}, enable=True, use_configmap=True, target_node='node1', xid_type=79)"
    expect_true(checks, "XID 79 is enabled on a node", user.call(enable))
    checks.equal("drop-in: the variables enable XID 79", contract_variables(workspace), (LIBRARY, "1", "79"))
    checks.equal("drop-in: all pods crash on the target node", len(crash_pods(workspace, 100, "node1")), 2)


def check_enabled_again(checks: Checks, workspace: Workspace, user: DropInUser, target: str) -> None:
    """Enables another XID while the pods crash-loop, so healthy pods must replace them first."""
    enable = f"patch_deployment_env({target}, enable=True, use_configmap=True, xid_type=48)"
    expect_true(checks, "another XID is enabled instead", user.call(enable))
    checks.equal("drop-in: the variables enable XID 48", contract_variables(workspace), (LIBRARY, "1", "48"))
    checks.equal("drop-in: all pods crash with the error of XID 48", len(crash_pods(workspace, 214)), 2)
    affinity = deployment(workspace)["spec"]["template"]["spec"].get("affinity")
    checks.equal("drop-in: the pods are not pinned to a node", affinity, None)


def check_disabled(checks: Checks, workspace: Workspace, user: DropInUser, target: str, before: dict) -> None:
    delete = f"delete_cuda_fault_configmap('{workspace.namespace}')"
    expect_raised(checks, "deleting the ConfigMap while the workload mounts it", user.call(delete),
                  "deployment.apps/web")
    checks.expect("drop-in: the ConfigMap still exists", workspace.api.find("v1", "ConfigMap", workspace.namespace, CONFIG_MAP))
    disable = f"patch_deployment_env({target}, enable=False, use_configmap=True)"
    expect_true(checks, "disabling restores a workload with crash-looping pods", user.call(disable))
    checks.equal("drop-in: the spec is exactly as before", deployment(workspace)["spec"], before["spec"])
    expect_true(checks, "disabling can be repeated", user.call(disable))
    expect_true(checks, "the ConfigMap is deleted", user.call(delete))
    expect_true(checks, "the deletion can be repeated", user.call(delete))
    found = workspace.api.find("v1", "ConfigMap", workspace.namespace, CONFIG_MAP)
    checks.equal("drop-in: the ConfigMap does not exist", found, None)


def check_library_in_image(checks: Checks, cluster: Cluster, user: DropInUser) -> None:
    """Checks use_configmap=False. The library is in a volume of the workload instead of the container image."""
    with temporary_workspace(cluster, checks, "drop-in: use_configmap=False") as workspace:
        done = subprocess.run(["make"], cwd=user.dropin, capture_output=True, text=True, timeout=120,
                              env=os.environ | {"PATH": f"{TOOL.parent}:/usr/bin:/bin"})
        checks.expect("drop-in: `make` builds the library", done.returncode == 0, done.stdout + done.stderr)
        library = user.dropin / "fake_cuda_xid79.so"
        workspace.cluster.kubectl("-n", workspace.namespace, "create", "configmap", "image", f"--from-file={library}")
        main = workloads.server(volumeMounts=[{"name": "image", "mountPath": LIBRARY, "subPath": "fake_cuda_xid79.so"}])
        spec = workloads.pod_spec(main, volumes=[{"name": "image", "configMap": {"name": "image"}}])
        workspace.cluster.create(workloads.deployment(workspace.namespace, "web", spec, replicas=1))
        workspace.cluster.wait_for_pods(workspace.namespace, WEB, 1)
        before, snapshot = deployment(workspace), workspace.snapshot()
        target = f"'web', '{workspace.namespace}'"
        outcome = user.call(f"patch_deployment_env({target}, enable=True, use_configmap=False, xid_type=95)")
        expect_true(checks, "use_configmap=False enables the library of the image", outcome)
        spec = deployment(workspace)["spec"]["template"]["spec"]
        checks.expect("drop-in: use_configmap=False adds no init container", "initContainers" not in spec, spec)
        checks.equal("drop-in: use_configmap=False makes the pod crash", len(crash_pods(workspace, 999)), 1)
        outcome = user.call(f"patch_deployment_env({target}, enable=False, use_configmap=False)")
        expect_true(checks, "use_configmap=False can be disabled", outcome)
        checks.equal("drop-in: use_configmap=False leaves the spec exactly as before", deployment(workspace)["spec"],
                     before["spec"])
        # The workload had this mount before the injection, at a path that cudafault also uses.
        report = json.loads(workspace.run("verify-clean", "--against", snapshot, "--json").output)
        others = [each for each in report["traces"] if not each["what"].startswith("volume mount /cuda-fault")]
        checks.equal("drop-in: verify-clean finds no leftover after use_configmap=False",
                     (report["differences"], others), ([], []))


# The tests in the directory

def expect_passed(checks: Checks, name: str, outcome: Outcome, summary: str) -> None:
    ok = outcome.code == 0 and summary in outcome.output
    checks.expect(f"{name}: {summary}", ok, outcome.output[-6000:] + outcome.errors[-2000:])
    for line in outcome.output.splitlines():
        if "s call" in line or "s setup" in line or "s teardown" in line:
            print(f"     {line.strip()}", flush=True)


def check_xid_template(checks: Checks, cluster: Cluster, user: DropInUser) -> None:
    with temporary_workspace(cluster, checks, "drop-in: six XIDs") as workspace:
        before = create_web(workspace, replicas=1)
        snapshot = workspace.snapshot()
        outcome = user.run_pytest("cuda-fault-injection/test_xid_template.py", deployment="web", namespace=workspace.namespace)
        expect_passed(checks, "test_xid_template.py on a Deployment", outcome, "6 passed")
        checks.equal("test_xid_template.py: the Deployment is exactly as before", deployment(workspace)["spec"], before["spec"])
        workspace.expect_clean(checks, "test_xid_template.py", snapshot)


def check_xid79_test(checks: Checks, cluster: Cluster, user: DropInUser) -> None:
    with temporary_workspace(cluster, checks, "drop-in: XID 79 test on a Deployment") as workspace:
        before = create_web(workspace)
        outcome = user.run_pytest(XID79_TEST, deployment="web", namespace=workspace.namespace, TARGET_NODE="node1")
        expect_passed(checks, "test_xid79_cuda_fault.py on a Deployment", outcome, "1 passed")
        checks.equal("test_xid79_cuda_fault.py: the Deployment is exactly as before", deployment(workspace)["spec"], before["spec"])


def check_graphs(checks: Checks, cluster: Cluster, user: DropInUser) -> None:
    with timed_part(checks, "drop-in: graphs"):
        cluster.install_crd("dynamographdeployments")
        for version, make in (("v1beta1", workloads.graph_v1beta1), ("v1alpha1", workloads.graph_v1alpha1)):
            name = f"drop-in: XID 79 test on a graph of {version}"
            with temporary_workspace(cluster, checks, name) as workspace, cluster.graph_controller(version):
                check_graph(checks, workspace, user, version, make(workspace.namespace, "graph"))
        cluster.remove_crd("dynamographdeployments.nvidia.com")


def check_graph(checks: Checks, workspace: Workspace, user: DropInUser, version: str, manifest: dict) -> None:
    """The two workers start on node2, so that node1 has free GPUs for the pinned pods while the old pods serve."""
    with cordoned(workspace, "node1"):
        workspace.cluster.create(manifest)
        workspace.cluster.wait_for_pods(workspace.namespace, GRAPH_PODS, 3)
    before = graph(workspace, version)
    frontend = frontend_pod_uids(workspace)
    outcome = user.run_pytest(XID79_TEST, deployment="graph", namespace=workspace.namespace, TARGET_NODE="node1")
    expect_passed(checks, f"test_xid79_cuda_fault.py on a graph of {version}", outcome, "1 passed")
    after = graph(workspace, version)
    checks.equal(f"test_xid79_cuda_fault.py: the graph of {version} is exactly as before", after["spec"], before["spec"])
    checks.equal("test_xid79_cuda_fault.py: the Frontend of the graph is not replaced", frontend_pod_uids(workspace), frontend)
    workspace.api.delete(f"nvidia.com/{version}", "DynamoGraphDeployment", workspace.namespace, "graph")
    workspace.wait(lambda: not workspace.pods(GRAPH_PODS), 60, "the deletion of the graph's pods")


def graph(workspace: Workspace, version: str) -> dict:
    return workspace.api.get(f"nvidia.com/{version}", "DynamoGraphDeployment", workspace.namespace, "graph")


def frontend_pod_uids(workspace: Workspace) -> list:
    pods = workspace.pods(f"{GRAPH_PODS},nvidia.com/dynamo-component=Frontend")
    return [pod["metadata"]["uid"] for pod in pods]


@contextlib.contextmanager
def cordoned(workspace: Workspace, node: str):
    workspace.cluster.kubectl("cordon", node)
    try:
        yield
    finally:
        workspace.cluster.kubectl("uncordon", node)


def with_user(checks: Checks, cluster: Cluster, tests: list) -> None:
    """Runs each test(checks, cluster, user)."""
    with tempfile.TemporaryDirectory(prefix="cudafault-user-") as folder:
        user = DropInUser(cluster, Path(folder))
        for test in tests:
            test(checks, cluster, user)


GROUPS = [
    Group(with_user, [check_functions, check_library_in_image, check_xid_template, check_xid79_test, check_graphs]),
]
