# SPDX-License-Identifier: Apache-2.0
"""Which object is injected when a user names one, and which are refused, with the ways that exist."""

import workloads
from drill import Drill, Refusals, in_namespace, widget

MARK = "cudafault.dev/injected"
GRAPH = "nvidia.com/v1beta1", "DynamoGraphDeployment"


def check(checks, cluster) -> None:
    for plural in ("dynamographdeployments", "widgets"):
        cluster.install_crd(plural)
    with cluster.namespace() as namespace:
        check_refused(checks, cluster, namespace)
        check_templates(checks, cluster, namespace)
        check_nothing_reached(checks, cluster, namespace)
    with cluster.namespace() as namespace:
        check_owners(checks, cluster, namespace)
        check_bare_names(checks, cluster, namespace)
    with cluster.namespace() as namespace:
        check_requests(checks, cluster, namespace)


def check_refused(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    metadata = {"name": "single", "namespace": namespace}
    spec = workloads.pod_spec(workloads.server())
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    refuses("a Pod", ("pod/single",), "pods single", "Deployment", about=("v1", "Pod", namespace, "single"))
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {
        "suspend": True, "template": {"spec": spec | {"restartPolicy": "Never"}}}}
    cluster.create(job)
    refuses("a Job", ("job/single",), "jobs.batch single", "CronJob", "kubectl create job --from=cronjob/",
            about=("batch/v1", "Job", namespace, "single"))
    refuses("a Job by path", ("job/single", "--template", "spec.template"), "by no path", "CronJob",
            about=("batch/v1", "Job", namespace, "single"))
    cluster.create(widget(namespace, "single"))
    about = "cudafault.test/v1", "Widget", namespace, "single"
    refuses("an unknown kind", ("widget/single",), "widgets.cudafault.test single", "--template", about=about)
    refuses("a path that is not there", ("widget/single", "--template", "spec.engine.template"),
            "spec.engine.template", about=about)
    refuses("a path to something else", ("widget/single", "--template", "spec.size"), "spec.size", about=about)
    cluster.create(workloads.deployment(namespace, "app", replicas=0))
    refuses("a path that is not needed", ("deployment/app", "--template", "spec.template"),
            "leave the template path out")
    drill = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace}}
    cluster.create(drill)
    outcome = cluster.cudafault("k8s", "inject", "configmap/settings", "-n", namespace)
    checks.expect("a ConfigMap is no workload", outcome.code == 3 and "--template" in outcome.errors, outcome)


def check_templates(checks, cluster, namespace: str) -> None:
    """--container chooses, and what was not chosen stays."""
    two = workloads.pod_spec(workloads.server(), workloads.container("side-car", gpus=0), workloads.container("other", gpus=1))
    for label, options, expected in (("containers with GPUs", (), ["main", "other"]),
                                     ("by name", ("--container", "side-car"), ["side-car"]),
                                     ("by glob", ("--container", "*r"), ["side-car", "other"]),
                                     ("by two", ("--container", "main", "--container", "side*"), ["main", "side-car"])):
        name = label.replace(" ", "-").lower()
        manifest = workloads.deployment(namespace, name, two, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, label, options=options)
        before = drill.snapshot()
        drill.succeeds("is injected", drill.inject())
        containers = drill.get()["spec"]["template"]["spec"]["containers"]
        drill.equal("those that are", [each["name"] for each in containers if "cudafault" in str(each).lower()], expected)
        drill.succeeds("is restored", drill.restore())
        drill.is_as("is exactly as before", before)


def check_nothing_reached(checks, cluster, namespace: str) -> None:
    """A command that would reach nothing fails, and changes nothing, unless it is allowed to."""
    refuses = Refusals(checks, cluster, namespace)
    template = {"spec": workloads.pod_spec(workloads.server(gpus=0))}
    front = {"name": "Front", "type": "planner", "replicas": 1, "podTemplate": template}
    cluster.create(workloads.graph("v1beta1", namespace, "frontends", {"components": [front]}))
    refuses("a graph without workers", ("dynamographdeployment/frontends", "--or-all-containers"),
            "component Front has type planner", "nothing to inject")
    words = ("inject", "dynamographdeployment/frontends", "--or-all-containers", "--allow-empty", "-n", namespace)
    outcome = cluster.cudafault("k8s", *words)
    checks.expect("--allow-empty: injecting nothing is no failure",
                  outcome.code == 0 and "component Front has type planner" in outcome.output, outcome)
    checks.equal("--allow-empty: nothing is created", in_namespace(cluster, namespace), [])
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "undone", replicas=0), "a lost library")
    before = drill.get()
    drill.succeeds("is injected", drill.inject())
    drill.succeeds("without pods it is armed for those that start later", drill.run("arm", drill.word, "xid=79"))
    drill.succeeds("is disarmed", drill.run("disarm", drill.word))
    outcome = drill.run("arm", drill.word, "xid=79", "--node", "nope")
    drill.expect("arm for a node without its pods fails", outcome.code == 3 and "--allow-empty" in outcome.errors, outcome)
    drill.succeeds("unless it is allowed", drill.run("arm", drill.word, "xid=79", "--node", "nope", "--allow-empty"))
    drill.succeeds("is disarmed again", drill.run("disarm", drill.word))

    def undo(object: dict) -> None:
        object["spec"]["template"] = before["spec"]["template"]
    drill.change(undo)
    outcome = drill.run("arm", drill.word, "xid=79")
    drill.expect("arm says that the template has lost the library",
                 outcome.code == 3 and "has lost the library" in outcome.errors, outcome)
    drill.succeeds("is restored", drill.restore())


def owned_by(manifest: dict, owner: dict) -> dict:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                 "uid": owner["metadata"]["uid"], "controller": True}
    manifest["metadata"]["ownerReferences"] = [reference]
    return manifest


def check_owners(checks, cluster, namespace: str) -> None:
    """What is changed is the top-most owner: everything below would be put back."""
    refuses = Refusals(checks, cluster, namespace)
    graph = cluster.api.create(workloads.graph_v1beta1(namespace, "graph"))
    cluster.create(owned_by(workloads.deployment(namespace, "graph-decode", replicas=0), graph))
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "plain", replicas=0), "owners")
    replica_set = drill.history()[0]["metadata"]["name"]

    def injected() -> dict:
        found = {}
        for version, kind in (("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), GRAPH):
            for each in cluster.api.list(version, kind, namespace):
                found[f"{kind}/{each['metadata']['name']}"] = each["metadata"].get("annotations", {}).get(MARK)
        return found

    for word, expected in ((f"replicaset/{replica_set}", "Deployment/plain"),
                           ("deployment/graph-decode", "DynamoGraphDeployment/graph")):
        outcome = cluster.cudafault("k8s", "inject", word, "-n", namespace)
        drill.succeeds(f"{word.split('-')[0]} of an owner is injected", outcome)
        found = {name for name, mark in injected().items() if mark}
        # The Deployment controller copies the mark to the ReplicaSet that it makes of it.
        drill.equal(f"it is {expected} that is", {each for each in found if not each.startswith("ReplicaSet")}, {expected})
        drill.expect(f"{expected} is named", expected.split("/")[1] in outcome.output, outcome)
        outcome = cluster.cudafault("k8s", "restore", word, "-n", namespace)
        drill.succeeds("its owner is restored by the same name", outcome)
        drill.equal("nothing is marked", [name for name, mark in injected().items() if mark], [])
        drill.equal("nothing is beside it", in_namespace(cluster, namespace), [])
    owner = cluster.api.create(widget(namespace, "owner"))
    cluster.create(owned_by(workloads.deployment(namespace, "of-a-widget", replicas=0), owner))
    refuses("a Deployment of an unknown owner", ("deployment/of-a-widget",), "widgets.cudafault.test owner",
            "--template", about=("apps/v1", "Deployment", namespace, "of-a-widget"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "of-plain", "namespace": namespace},
           "spec": workloads.pod_spec(workloads.server())}
    cluster.create(owned_by(pod, drill.get()))
    outcome = cluster.cudafault("k8s", "inject", "pod/of-plain", "-n", namespace, "--no-wait")
    drill.expect("a Pod stands for its owner", outcome.code == 0 and "deployments.apps plain" in outcome.output, outcome)
    cluster.api.delete("v1", "Pod", namespace, "of-plain", gracePeriodSeconds=0)
    drill.succeeds("which is restored", drill.restore())


def check_bare_names(checks, cluster, namespace: str) -> None:
    """A NAME alone is a graph, and else a Deployment."""
    def marked(version: str, kind: str) -> bool:
        return MARK in cluster.api.get(version, kind, namespace, "both")["metadata"].get("annotations", {})

    cluster.create(workloads.deployment(namespace, "both", replicas=0))
    checks.equal("a name alone is injected", cluster.cudafault("k8s", "inject", "both", "-n", namespace).code, 0)
    checks.expect("as a Deployment", marked("apps/v1", "Deployment"))
    checks.equal("and restored", cluster.cudafault("k8s", "restore", "both", "-n", namespace).code, 0)
    checks.expect("it is not injected any more", not marked("apps/v1", "Deployment"))
    cluster.create(workloads.graph_v1beta1(namespace, "both"))
    checks.equal("where a graph has that name, too", cluster.cudafault("k8s", "inject", "both", "-n", namespace).code, 0)
    checks.equal("the graph is", (marked(*GRAPH), marked("apps/v1", "Deployment")), (True, False))
    checks.equal("and is restored", cluster.cudafault("k8s", "restore", "both", "-n", namespace).code, 0)
    checks.expect("it is not injected any more either", not marked(*GRAPH))


MOST_REQUESTS = 14


def check_requests(checks, cluster, namespace: str) -> None:
    cluster.create(workloads.deployment(namespace, "counted", replicas=0))
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "inject", "deployment/counted", "-n", namespace)
    checks.equal("an injection is counted", outcome.code, 0)
    patch = next(number for number, each in enumerate(proxy.requests, 1)
                 if each.method == "PATCH" and each.write and each.path.split("?")[0].endswith("/deployments/counted"))
    what = f"at most {MOST_REQUESTS} requests up to and including the patch ({patch})"
    checks.expect(what, patch <= MOST_REQUESTS, proxy.requests)
