# SPDX-License-Identifier: Apache-2.0
"""Defines the scenario of the demo and runs it as a test. An inference service runs with two pods on two nodes. The
GPUs of one node fall off the bus, and the service recovers. `demo` prints the scenario for users."""

import dataclasses
import time

import workloads
from cluster import Cluster
from groups import Group, in_cluster
from harness import Checks
from load import Load
from workspace import Workspace, restarts, temporary_workspace

NO_DEVICE = "CUDA_ERROR_NO_DEVICE"
NODE_LABELS = {"k8saas.nvidia.com/cordon-by": "NVSentinel", "dgxc.nvidia.com/nvsentinel-state": "drain-succeeded"}
APP = "app=web"
RATE = 20  # requests per second to each pod
MAX_GAP = 1.0  # seconds between two responses of a pod that serves without interruption
MIN_RESPONSES = 10


def service(namespace: str) -> dict:
    """Returns a Deployment of two replicas with a GPU each, on different nodes if possible."""
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
              "labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["pod-template-hash"]}
    spec = workloads.pod_spec(workloads.server(), topologySpreadConstraints=[spread])
    return workloads.deployment(namespace, "web", spec, replicas=2)


@dataclasses.dataclass
class Moment:
    description: str
    at: float  # seconds since 1970


class DemoScenario:
    """Runs the scenario, and calls report(style, text, when) for each step and expect(description, ok, found) for each
    check."""

    def __init__(self, workspace: Workspace, report, expect) -> None:
        self.workspace, self.report, self.expect = workspace, report, expect
        self.api, self.cluster, self.namespace = workspace.api, workspace.cluster, workspace.namespace
        self.timeline: list = []
        self.phases: list = []  # (name, start)
        self.load: Load  # set by run()

    def run(self) -> None:
        node = self.node()
        self.serve()
        snapshot = self.take_snapshot()
        with self.cluster.load(self.namespace, APP, rate=RATE) as self.load:
            self.phase("healthy")
            self.inject()
            try:
                broken, healthy = self.break_node()
                self.crash(broken)
                self.recover(broken, healthy)
                self.restore()
            finally:
                self.workspace.do("node", "uncordon", "node1")
            self.report("act", "cudafault k8s node uncordon node1")
            self.expect_service()
        self.expect_clean(snapshot, node)

    def moment(self, description: str, at: float | None = None) -> float:
        self.timeline.append(Moment(description, at or time.time()))
        return self.timeline[-1].at

    def phase(self, name: str, at: float | None = None) -> None:
        self.phases.append((name, at or time.time()))

    def node(self) -> dict:
        node = self.api.get("v1", "Node", None, "node1")
        return {"labels": node["metadata"]["labels"], "annotations": node["metadata"]["annotations"], "spec": node["spec"]}

    def serve(self) -> None:
        self.cluster.create(service(self.namespace))
        self.report("act", "Deployment web: 2 replicas of the inference server, 1 GPU each, 2 nodes of 2 GPUs")
        pods = self.cluster.wait_for_pods(self.namespace, APP, 2)
        nodes = sorted(pod["spec"]["nodeName"] for pod in pods)
        self.report("good", f"both pods are Ready, on {nodes[0]} and {nodes[1]}")
        self.expect("the pods are on different nodes", nodes == ["node1", "node2"], nodes)

    def take_snapshot(self):
        snapshot = self.workspace.snapshot()
        self.report("act", "cudafault k8s snapshot -o before.json")
        return snapshot

    def inject(self) -> None:
        began = time.time()
        self.report("act", "cudafault k8s inject deployment/web")
        pods = self.workspace.json("inject", "deployment/web")["pods"]
        seconds = time.time() - began
        self.report("good", f"both pods are replaced after {seconds:.1f} s; each has the library, and no plan is armed")
        self.expect("both pods report the library", [pod["library_seen"] for pod in pods] == [True, True], pods)
        nodes = sorted(pod["node"] for pod in pods)
        self.expect("the injected pods are on different nodes", nodes == ["node1", "node2"], nodes)
        self.phase("injected")
        for pod in pods:
            self.load.wait_for(lambda each: each.ok and each.pod == pod["pod"])
        failed = [each for each in self.load.requests(self.phases[-1][1]) if each.status == 500]
        self.expect("no request fails before a plan is armed", not failed, failed)

    def break_node(self) -> tuple:
        broken, healthy = (self.workspace.pod_on(node, APP)["metadata"]["name"] for node in ("node1", "node2"))
        armed = self.moment("armed")
        self.workspace.do("arm", "deployment/web", "xid=79", "--node", "node1")
        self.report("act", "cudafault k8s arm deployment/web 'xid=79' --node node1", armed)
        request = self.load.wait_for(lambda each: each.status == 500, armed)
        failed = self.moment("first failing call", request.sent + request.milliseconds / 1000)
        self.phase("node1 lost its GPUs", request.sent)
        self.report("bad", f"first request fails, {failed - armed:.2f} s later: HTTP 500 {request.detail}", failed)
        self.expect("the request fails with the XID's error on node1",
                    (request.detail, request.pod) == (NO_DEVICE, broken), request)
        return broken, healthy

    def crash(self, broken: str) -> None:
        codes = self.workspace.crashed_instances([broken], 1)[0]
        self.moment("crash")
        self.report("bad", f"pod {broken} on node1 crashes, exit code {codes[0]}")
        codes = self.workspace.crashed_instances([broken], 2)[0]
        self.report("bad", "the kubelet restarts the pod, and it crashes again")
        self.expect("the pod crashes before and after its restart", codes[:2] == [1, 1], codes)
        pod = self.workspace.pod(broken)
        self.expect("the pod's status counts the restarts", restarts(pod) >= 1, pod["status"])
        last_line = self.workspace.log(broken).strip().splitlines()[-1]
        self.report("quiet", last_line)
        self.expect("the log of the pod names the error", NO_DEVICE in last_line, last_line)
        self.show_status()

    def show_status(self) -> None:
        status = self.workspace.status("deployment/web")
        by_node = {pod["node"]: pod for pod in status.values()}
        faulty, healthy = by_node["node1"], by_node["node2"]
        self.report("good", f"status: fired at least {faulty['fired']} times on node1, {healthy['fired']} on node2")
        self.expect("status reports fired faults on node1 only", faulty["fired"] >= 1 and healthy["fired"] == 0, status)
        self.expect("status reports a lower bound, because the kubelet deletes the log of an earlier instance",
                    faulty["fired_is_lower_bound"], faulty)
        revisions = [pod["acknowledged"] for pod in status.values()]
        self.expect("both pods have acknowledged the plan", revisions == [revisions[0]] * 2 and revisions[0], status)

    def recover(self, broken: str, healthy: str) -> None:
        armed = self.timeline[0].at
        self.workspace.do("node", "cordon", "--nvsentinel", "node1")
        self.report("act", "cudafault k8s node cordon --nvsentinel node1")
        drained = self.moment("cordoned, drain begins")
        self.phase("node1 is drained", drained)
        self.report("act", "cudafault k8s node drain node1 --nvsentinel --delete-unhealthy")
        self.workspace.do("node", "drain", "node1", "--nvsentinel", "--delete-unhealthy")
        self.report("good", f"no pod of the workload remains on node1 after {time.time() - drained:.1f} s")
        remaining = [pod for pod in self.workspace.pods(APP) if pod["spec"].get("nodeName") == "node1"]
        self.expect("no pod remains on the drained node", not remaining, remaining)
        labels = self.node()["labels"]
        found = {key: labels.get(key) for key in NODE_LABELS}
        self.expect("the node has NVSentinel's labels", found == NODE_LABELS, found)
        served = self.load.wait_for(lambda each: each.ok and each.pod not in (broken, healthy), armed)
        self.moment("serving again", served.sent)
        self.phase("both on node2", served.sent)
        self.report("good", f"the replacement serves requests: pod {served.pod} on node2", served.sent)
        self.expect("the replacement is on node2",
                    self.workspace.pod(served.pod)["spec"]["nodeName"] == "node2", served)
        self.expect_steady(healthy, armed, served.sent)

    def expect_steady(self, pod: str, since: float, until: float) -> None:
        """Checks that the pod answered every request between the two times, and that the gap between two requests was
        less than MAX_GAP seconds."""
        requests = [each for each in self.load.requests(since, pod) if each.sent <= until]
        failed = [each for each in requests if not each.ok]
        moments = [since, *[each.sent for each in requests], until]
        gap = max(after - before for before, after in zip(moments, moments[1:]))
        self.report("good", f"the pod on node2 answered {len(requests) - len(failed)} of {len(requests)} requests")
        self.expect("the pod on node2 answers every request without a long gap",
                    len(requests) > MIN_RESPONSES and not failed and gap < MAX_GAP, (len(requests), failed[:3], gap))

    def restore(self) -> None:
        began = time.time()
        self.report("act", "cudafault k8s restore deployment/web")
        self.workspace.do("restore", "deployment/web")
        self.moment("restored")
        self.report("good", f"pods without the library are in place after {time.time() - began:.1f} s")

    def expect_service(self) -> None:
        pods = self.cluster.wait_for_pods(self.namespace, APP, 2)
        began = time.time()
        self.phase("restored", began)
        for pod in pods:
            name = pod["metadata"]["name"]
            self.load.wait_for(lambda each: each.ok and each.pod == name, began)
        responses = [each for pod in pods for each in self.load.requests(began, pod["metadata"]["name"])]
        failed = [each for each in responses if not each.ok]
        self.report("good", "both pods answer requests")
        self.expect("inference works after restore", not failed, failed[:3])

    def expect_clean(self, snapshot, node: dict) -> None:
        outcome = self.workspace.run("verify-clean", "--against", snapshot)
        self.moment("clean")
        self.report("act", "cudafault k8s verify-clean --against before.json")
        for line in outcome.output.splitlines():
            self.report("quiet", line)
        self.expect("verify-clean finds no leftover", outcome.code == 0, outcome.output + outcome.errors)
        found = self.node()
        self.expect("the node is as before", found == node, found)


def check_scenario(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "demo scenario") as workspace:
        def expect(description: str, ok: object, found: object = "") -> bool:
            return checks.expect(f"demo scenario: {description}", bool(ok), found)

        scenario = DemoScenario(workspace, lambda *_: None, expect)
        scenario.run()
        moments = [moment.at for moment in scenario.timeline]
        is_ordered = len(moments) == 7 and moments == sorted(moments)
        checks.expect("demo scenario: the timeline has seven moments in order", is_ordered, scenario.timeline)


GROUPS = [Group(in_cluster, [check_scenario])]
