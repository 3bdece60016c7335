# SPDX-License-Identifier: Apache-2.0
"""Checks which object inject selects for a name, and that inject refuses other kinds with an error that lists the
alternatives."""

import workloads
from drill import Drill, Refusals, injection_objects_in, widget
from groups import Group, in_one_namespace

ANNOTATION = "cudafault.dev/injected"
GRAPH = "nvidia.com/v1beta1", "DynamoGraphDeployment"


def check_refused(checks, cluster, namespace: str) -> None:
    refuses = Refusals(checks, cluster, namespace)
    metadata = {"name": "single", "namespace": namespace}
    spec = workloads.pod_spec(workloads.server())
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    refuses("a Pod", ("pod/single",), "pod/single", "Deployment", "cudafault k8s manifest pod/single", target=("v1", "Pod", namespace, "single"))
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {
        "suspend": True, "template": {"spec": spec | {"restartPolicy": "Never"}}}}
    cluster.create(job)
    refuses("a Job", ("job/single",), "job.batch/single", "CronJob", "kubectl create job --from=cronjob/",
            "cudafault k8s manifest job.batch/single", target=("batch/v1", "Job", namespace, "single"))
    refuses("a Job with a template path", ("job/single", "--template", "spec.template"), "even with a template path", "CronJob",
            target=("batch/v1", "Job", namespace, "single"))
    cluster.create(widget(namespace, "single"))
    target = "cudafault.test/v1", "Widget", namespace, "single"
    refuses("an unknown kind", ("widget/single",), "widget.cudafault.test/single", "--template", target=target)
    refuses("a path that does not exist", ("widget/single", "--template", "spec.engine.template"),
            "spec.engine.template", target=target)
    refuses("a path that is not a pod template", ("widget/single", "--template", "spec.size"), "spec.size",
            target=target)
    cluster.create(workloads.deployment(namespace, "app", replicas=0))
    refuses("a path for a known kind", ("deployment/app", "--template", "spec.template"),
            "remove the template path")
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": namespace}}
    cluster.create(config_map)
    outcome = cluster.cudafault("k8s", "inject", "configmap/settings", "-n", namespace)
    refused = outcome.code == 3 and "--template" in outcome.errors
    checks.expect("inject of a ConfigMap is refused, and the error names --template", refused, outcome)


def check_templates(checks, cluster, namespace: str) -> None:
    """--container selects the containers to inject; inject does not change other containers."""
    two = workloads.pod_spec(workloads.server(), workloads.container("side-car", gpus=0), workloads.container("other", gpus=1))
    for label, options, expected in (("containers with GPUs", (), ["main", "other"]),
                                     ("by name", ("--container", "side-car"), ["side-car"]),
                                     ("by glob", ("--container", "*r"), ["side-car", "other"]),
                                     ("by two names", ("--container", "main", "--container", "side*"), ["main", "side-car"])):
        name = label.replace(" ", "-").lower()
        manifest = workloads.deployment(namespace, name, two, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, label, options=options)
        before = drill.snapshot()
        drill.expect_success("inject succeeds", drill.inject())
        containers = drill.get()["spec"]["template"]["spec"]["containers"]
        injected = [each["name"] for each in containers if "cudafault" in str(each).lower()]
        drill.equal("only the selected containers are injected", injected, expected)
        drill.expect_success("restore succeeds", drill.restore())
        drill.expect_unchanged("the object is exactly as before", before)


def check_commands_without_effect(checks, cluster, namespace: str) -> None:
    """A command that affects no container or pod fails and writes nothing to the cluster, except with --allow-empty."""
    refuses = Refusals(checks, cluster, namespace)
    template = {"spec": workloads.pod_spec(workloads.server(gpus=0))}
    front = {"name": "Front", "type": "planner", "replicas": 1, "podTemplate": template}
    cluster.create(workloads.graph("v1beta1", namespace, "frontends", {"components": [front]}))
    refuses("a graph without workers", ("dynamographdeployment/frontends", "--or-all-containers"),
            "component Front has type planner", "nothing to inject")
    words = ("inject", "dynamographdeployment/frontends", "--or-all-containers", "--allow-empty", "-n", namespace)
    outcome = cluster.cudafault("k8s", *words)
    checks.expect("--allow-empty: inject without a container succeeds",
                  outcome.code == 0 and "component Front has type planner" in outcome.output, outcome)
    checks.equal("--allow-empty: inject creates no object", injection_objects_in(cluster, namespace), [])
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "undone", replicas=0), "reverted template")
    before = drill.get()
    drill.expect_success("inject succeeds", drill.inject())
    drill.expect_success("arm succeeds without pods", drill.run("arm", drill.ref, "xid=79"))
    drill.expect_success("disarm succeeds", drill.run("disarm", drill.ref))
    outcome = drill.run("arm", drill.ref, "xid=79", "--node", "nope")
    drill.expect("arm for a node without its pods fails", outcome.code == 3 and "--allow-empty" in outcome.errors, outcome)
    outcome = drill.run("arm", drill.ref, "xid=79", "--node", "nope", "--allow-empty")
    drill.expect_success("arm --allow-empty for a node without its pods succeeds", outcome)
    drill.expect_success("disarm succeeds again", drill.run("disarm", drill.ref))

    def revert(object: dict) -> None:
        object["spec"]["template"] = before["spec"]["template"]
    drill.change(revert)
    outcome = drill.run("arm", drill.ref, "xid=79")
    drill.expect("arm reports that the library was removed from the template",
                 outcome.code == 3 and "has removed the library" in outcome.errors, outcome)
    drill.expect_success("restore succeeds", drill.restore())


def owned_by(manifest: dict, owner: dict) -> dict:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                 "uid": owner["metadata"]["uid"], "controller": True}
    manifest["metadata"]["ownerReferences"] = [reference]
    return manifest


def check_owners(checks, cluster, namespace: str) -> None:
    """Checks that inject changes the top-level controller, which would revert edits of the objects that it owns."""
    refuses = Refusals(checks, cluster, namespace)
    graph = cluster.api.create(workloads.graph_v1beta1(namespace, "graph"))
    cluster.create(owned_by(workloads.deployment(namespace, "graph-decode", replicas=0), graph))
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "plain", replicas=0), "owners")
    replica_set = drill.history()[0]["metadata"]["name"]

    def injected() -> dict:
        found = {}
        for version, kind in (("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet"), GRAPH):
            for each in cluster.api.list(version, kind, namespace):
                found[f"{kind}/{each['metadata']['name']}"] = each["metadata"].get("annotations", {}).get(ANNOTATION)
        return found

    for word, expected in ((f"replicaset/{replica_set}", "Deployment/plain"),
                           ("deployment/graph-decode", "DynamoGraphDeployment/graph")):
        outcome = cluster.cudafault("k8s", "inject", word, "-n", namespace)
        drill.expect_success(f"inject of the owned {word.split('/')[0]} succeeds", outcome)
        found = {name for name, value in injected().items() if value}
        # The Deployment controller copies the annotation to the ReplicaSet that it creates.
        drill.equal(f"only {expected} is injected", {each for each in found if not each.startswith("ReplicaSet")},
                    {expected})
        drill.expect(f"the output names {expected}", expected.split("/")[1] in outcome.output, outcome)
        outcome = cluster.cudafault("k8s", "restore", word, "-n", namespace)
        drill.expect_success("restore with the same name restores the owner", outcome)
        drill.equal("no object has the annotation", [name for name, value in injected().items() if value], [])
        drill.equal("no object created by cudafault remains", injection_objects_in(cluster, namespace), [])
    owner = cluster.api.create(widget(namespace, "owner"))
    cluster.create(owned_by(workloads.deployment(namespace, "of-a-widget", replicas=0), owner))
    refuses("a Deployment with an owner of an unknown kind", ("deployment/of-a-widget",),
            "widget.cudafault.test/owner",
            "--template", target=("apps/v1", "Deployment", namespace, "of-a-widget"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "of-plain", "namespace": namespace},
           "spec": workloads.pod_spec(workloads.server())}
    cluster.create(owned_by(pod, drill.get()))
    outcome = cluster.cudafault("k8s", "inject", "pod/of-plain", "-n", namespace, "--no-wait")
    named = outcome.code == 0 and "deployment.apps/plain" in outcome.output
    drill.expect("inject of an owned Pod injects its owner", named, outcome)
    cluster.api.delete("v1", "Pod", namespace, "of-plain", gracePeriodSeconds=0)
    drill.expect_success("restore of the owner succeeds", drill.restore())


def check_bare_names(checks, cluster, namespace: str) -> None:
    """A NAME without a kind selects a DynamoGraphDeployment, or a Deployment if no graph has that name."""
    def is_injected(version: str, kind: str) -> bool:
        return ANNOTATION in cluster.api.get(version, kind, namespace, "both")["metadata"].get("annotations", {})

    cluster.create(workloads.deployment(namespace, "both", replicas=0))
    outcome = cluster.cudafault("k8s", "inject", "both", "-n", namespace)
    checks.equal("inject of a bare name succeeds", outcome.code, 0)
    checks.expect("the bare name selects the Deployment", is_injected("apps/v1", "Deployment"))
    outcome = cluster.cudafault("k8s", "restore", "both", "-n", namespace)
    checks.equal("restore of a bare name succeeds", outcome.code, 0)
    checks.expect("the Deployment is restored", not is_injected("apps/v1", "Deployment"))
    cluster.create(workloads.graph_v1beta1(namespace, "both"))
    outcome = cluster.cudafault("k8s", "inject", "both", "-n", namespace)
    checks.equal("inject of a bare name succeeds if a graph also has that name", outcome.code, 0)
    checks.equal("the bare name selects the graph", (is_injected(*GRAPH), is_injected("apps/v1", "Deployment")),
                 (True, False))
    outcome = cluster.cudafault("k8s", "restore", "both", "-n", namespace)
    checks.equal("restore of a bare name succeeds if a graph also has that name", outcome.code, 0)
    checks.expect("the graph is restored", not is_injected(*GRAPH))


MAX_REQUESTS = 14


def check_requests(checks, cluster, namespace: str) -> None:
    cluster.create(workloads.deployment(namespace, "counted", replicas=0))
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "inject", "deployment/counted", "-n", namespace)
    checks.equal("inject succeeds through the recording proxy", outcome.code, 0)
    patch = next(number for number, each in enumerate(proxy.requests, 1)
                 if each.method == "PATCH" and each.write and each.path.split("?")[0].endswith("/deployments/counted"))
    description = f"inject sends at most {MAX_REQUESTS} requests up to and including the patch ({patch})"
    checks.expect(description, patch <= MAX_REQUESTS, proxy.requests)


CRDS = ("dynamographdeployments", "widgets")
GROUPS = [
    Group(in_one_namespace, [check_refused, check_templates, check_commands_without_effect]),
    Group(in_one_namespace, [check_owners, check_bare_names]),
    Group(in_one_namespace, [check_requests]),
]
