# SPDX-License-Identifier: Apache-2.0
"""Checks that inject and restore leave each kind of workload exactly as before, even if other clients edit the workload
or delete cudafault's objects during the injection."""

import copy
import json
from typing import Any

import workloads
from api import JSON_PATCH
from drill import (
    LIBRARY,
    VARIABLES,
    Drill,
    changes,
    check_cycle,
    clone_set,
    cron_job,
    environment,
    leader_worker_set,
    pod_clique_set,
    ray_cluster,
    rollout,
    stable_fields,
    widget,
)
from groups import Group, in_cluster, in_one_namespace, in_own_namespaces

PRELOAD = "/opt/vendor/libvendor.so"
MAP, SECRET = "preload-settings", "preload-secret"


# Kinds

def check_kinds(checks, cluster, namespace: str) -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        manifest = workloads.workload(kind, namespace, kind.lower(), replicas=0)
        check_cycle(Drill(checks, cluster, namespace, manifest), check=make_template_check(checks, kind))
    recreate = workloads.deployment(namespace, "recreate", replicas=0, strategy={"type": "Recreate"})
    check_cycle(Drill(checks, cluster, namespace, recreate, "Deployment, strategy Recreate"))
    claims = with_claims(namespace, "claims")
    check_cycle(Drill(checks, cluster, namespace, claims, "StatefulSet with volumeClaimTemplates"))
    on_delete = workloads.workload("DaemonSet", namespace, "on-delete", updateStrategy={"type": "OnDelete"})
    check_cycle(Drill(checks, cluster, namespace, on_delete, "DaemonSet, strategy OnDelete"))
    for manifest in (cron_job(namespace, "cron"), workloads.graph_v1beta1(namespace, "graph"),
                     leader_worker_set(namespace, "lws"), ray_cluster(namespace, "ray"), pod_clique_set(namespace, "grove"),
                     rollout(namespace, "argo"), clone_set(namespace, "kruise")):
        check_cycle(Drill(checks, cluster, namespace, manifest), check=make_template_check(checks, manifest["kind"]))
    template = ("--template", "spec.engine.podTemplate")
    unknown = Drill(checks, cluster, namespace, widget(namespace, "widget"), options=template)
    check_cycle(unknown, check=make_template_check(checks, "Widget"))
    check_cycle(unknown, check=lambda _: check_scan(unknown))
    for delivery in ("source", "image"):
        if delivery == "source":
            outcome = cluster.cudafault("k8s", "library", "create", "-n", namespace)
            checks.equal("the source ConfigMap is created", outcome.code, 0)
        manifest = workloads.deployment(namespace, delivery, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, f"delivery {delivery}")
        before, history = drill.snapshot(), drill.history()
        drill.expect_success("inject succeeds", drill.inject("--delivery", delivery))
        drill.expect_success("restore succeeds", drill.restore())
        drill.expect_unchanged("the object is exactly as before", before, history)
    outcome = cluster.cudafault("k8s", "library", "delete", "-n", namespace)
    checks.equal("the source ConfigMap is deleted", outcome.code, 0)
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        manifest = workloads.workload(kind, namespace, f"numbers-{kind.lower()}", replicas=0)
        check_exact_restore(Drill(checks, cluster, namespace, manifest, f"{kind}, restore --exact"))
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace)
    checks.expect("verify-clean finds no leftover in the namespace of all kinds", outcome.code == 0, outcome)


def with_claims(namespace: str, name: str) -> dict:
    """Returns a StatefulSet whose template mounts a volume that only the controller adds."""
    main = workloads.server() | {"volumeMounts": [{"name": "models", "mountPath": "/models"}]}
    claim = {"metadata": {"name": "models"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    return workloads.workload("StatefulSet", namespace, name, workloads.pod_spec(main), replicas=0, volumeClaimTemplates=[claim])


def check_exact_restore(drill: Drill) -> None:
    """With --exact, restore also restores the revision numbers."""
    before, history = drill.snapshot(), drill.history()
    numbers = drill.revision_numbers()
    drill.expect_success("inject succeeds", drill.inject())
    drill.expect("inject changes the revision numbers", drill.revision_numbers() != numbers, numbers)
    drill.expect_success("restore succeeds", drill.restore("--exact"))
    drill.expect_unchanged("the object is exactly as before", before, history)
    drill.expect_revision_numbers("the revision numbers are as before", numbers)
    outcome = drill.verify("--exact")
    drill.expect("verify-clean --exact finds no leftover", outcome.code == 0, outcome)


TEMPLATES = {  # kind -> paths of the templates that are injected, paths of the templates that are not
    "Deployment": (["spec.template"], []), "StatefulSet": (["spec.template"], []), "DaemonSet": (["spec.template"], []),
    "ReplicaSet": (["spec.template"], []), "Rollout": (["spec.template"], []), "CloneSet": (["spec.template"], []),
    "CronJob": (["spec.jobTemplate.spec.template"], []),
    "DynamoGraphDeployment": (["spec.components.1.podTemplate", "spec.components.2.podTemplate"],
                              ["spec.components.0.podTemplate"]),
    "LeaderWorkerSet": (["spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"], []),
    "RayCluster": (["spec.workerGroupSpecs.0.template"], ["spec.headGroupSpec.template", "spec.workerGroupSpecs.1.template"]),
    "PodCliqueSet": (["spec.template.cliques.1"], ["spec.template.cliques.0"]),
    "Widget": (["spec.engine.podTemplate"], []),
}


def value_at(object: dict, path: str) -> dict:
    for step in path.split("."):
        object = object[int(step) if step.isdigit() else step]
    return object


def check_scan(drill: Drill) -> None:
    """Checks that `scan` finds an object of an unknown kind through the record, which names the object."""
    found = json.loads(drill.run("scan", "--json").output)["injections"]
    states = [each["state"] for each in found if each["name"] == drill.name]
    drill.equal("scan reports the injection as in force", states, ["in force"])


def make_template_check(checks, kind: str):
    """Returns a function that checks which templates of an object are injected."""
    def check_templates(object: dict) -> None:
        injected, unchanged = TEMPLATES[kind]
        for path in injected:
            pod = value_at(object, path + (".spec.podSpec" if kind == "PodCliqueSet" else ".spec"))
            main = pod["containers"][0]
            checks.equal(f"{kind}: LD_PRELOAD at {path} is the library", environment(main).get("LD_PRELOAD"), LIBRARY)
            checks.equal(f"{kind}: inject adds only cudafault's variables at {path}",
                         sorted(set(environment(main)) - {"LD_PRELOAD"}), sorted(VARIABLES))
            checks.equal(f"{kind}: inject adds only cudafault's mounts at {path}",
                         {each["mountPath"] for each in main["volumeMounts"]},
                         {"/cudafault/plan", "/cudafault/library"})
            checks.equal(f"{kind}: inject adds only cudafault's volumes at {path}",
                         {each["name"] for each in pod["volumes"]},
                         {"cudafault-plan", "cudafault-library"})
        for path in unchanged:
            found = value_at(object, path)
            checks.expect(f"{kind}: inject does not change {path}", "cudafault" not in str(found), found)
    return check_templates


# Workloads that set LD_PRELOAD

def reference(kind: str, name: str, key: str, **more) -> dict:
    return {"name": "LD_PRELOAD", "valueFrom": {kind: {"name": name, "key": key, **more}}}


def check_preloads(checks, cluster, namespace: str) -> None:
    """Checks each source of LD_PRELOAD. The variables before and after LD_PRELOAD must keep their positions."""
    metadata = {"namespace": namespace}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": MAP},
                    "data": {"LD_PRELOAD": PRELOAD, "PRELOAD": PRELOAD, "other": "x"}})
    cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata | {"name": SECRET},
                    "stringData": {"LD_PRELOAD": PRELOAD}})
    alone, helper = LIBRARY, f"{LIBRARY}:$(CUDAFAULT_LD_PRELOAD)"
    cases = {
        "a value": (dict(env={"name": "LD_PRELOAD", "value": PRELOAD}), f"{LIBRARY}:{PRELOAD}"),
        "two libraries": (dict(env={"name": "LD_PRELOAD", "value": f"{PRELOAD} /b.so"}), f"{LIBRARY}:{PRELOAD} /b.so"),
        "an empty value": (dict(env={"name": "LD_PRELOAD", "value": ""}), alone),
        "a reference in a value": (dict(env={"name": "LD_PRELOAD", "value": "$(BEFORE)/b.so"}), f"{LIBRARY}:$(BEFORE)/b.so"),
        "a ConfigMap's key": (dict(env=reference("configMapKeyRef", MAP, "LD_PRELOAD")), helper),
        "a ConfigMap's optional key": (dict(env=reference("configMapKeyRef", MAP, "LD_PRELOAD", optional=True)), helper),
        "an optional absent key": (dict(env=reference("configMapKeyRef", MAP, "none", optional=True)), alone),
        "an optional absent ConfigMap": (dict(env=reference("configMapKeyRef", "no", "none", optional=True)), alone),
        "a Secret's key": (dict(env=reference("secretKeyRef", SECRET, "LD_PRELOAD")), helper),
        "a Secret's optional key": (dict(env=reference("secretKeyRef", SECRET, "LD_PRELOAD", optional=True)), helper),
        "envFrom a ConfigMap": (dict(envFrom={"configMapRef": {"name": MAP}}), f"{LIBRARY}:$(LD_PRELOAD)"),
        "envFrom a Secret": (dict(envFrom={"secretRef": {"name": SECRET}}), f"{LIBRARY}:$(LD_PRELOAD)"),
        "envFrom with a prefix": (dict(envFrom={"configMapRef": {"name": MAP}, "prefix": "LD_"}),
                                  f"{LIBRARY}:$(LD_PRELOAD)"),
        "envFrom with another prefix": (dict(envFrom={"configMapRef": {"name": MAP}, "prefix": "MY_"}), alone),
        "envFrom an absent ConfigMap": (dict(envFrom={"configMapRef": {"name": "no", "optional": True}}), alone),
    }
    for number, (label, (preload, expected)) in enumerate(cases.items()):
        around = [{"name": "BEFORE", "value": "/opt"}, {"name": "AFTER", "value": "2"}]
        existing = [preload["env"]] if "env" in preload else []
        fields: dict[str, Any] = {"env": [around[0], *existing, around[1]]}
        fields |= {"envFrom": [preload["envFrom"]]} if "envFrom" in preload else {}
        spec = workloads.pod_spec(workloads.server(**fields))
        manifest = workloads.deployment(namespace, f"preload-{number}", spec, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, f"LD_PRELOAD from {label}")
        check_cycle(drill, check=make_preload_check(drill, preload.get("env"), expected))


def make_preload_check(drill: Drill, existing: dict | None, expected: str):
    def check_preload(object: dict) -> None:
        main = object["spec"]["template"]["spec"]["containers"][0]
        found, order = environment(main), [each["name"] for each in main["env"]]
        drill.equal("LD_PRELOAD names the library first", found["LD_PRELOAD"], expected)
        drill.equal("the other variables are unchanged", (found["BEFORE"], found["AFTER"]), ("/opt", "2"))
        if "CUDAFAULT_LD_PRELOAD" in expected:
            assert existing
            # A reference $(NAME) is expanded only if NAME is defined earlier in the list.
            drill.equal("the helper variable contains the reference", found.get("CUDAFAULT_LD_PRELOAD"),
                        existing["valueFrom"])
            drill.expect("the helper variable precedes LD_PRELOAD", 
                         order.index("CUDAFAULT_LD_PRELOAD") < order.index("LD_PRELOAD"), order)
        else:
            drill.expect("inject adds no helper variable", "CUDAFAULT_LD_PRELOAD" not in found, order)
        if existing:
            own = [each for each in order if not each.startswith("CUDAFAULT_")]
            drill.equal("LD_PRELOAD keeps its position", own, ["BEFORE", "LD_PRELOAD", "AFTER"])
    return check_preload


def check_graph_preloads(checks, cluster, namespace: str) -> None:
    """In v1beta1, a container's LD_PRELOAD takes precedence over LD_PRELOAD of spec.env."""
    existing = [{"name": "LD_PRELOAD", "value": PRELOAD}]
    single, both = (workloads.graph_v1beta1(namespace, name) for name in ("single", "both"))
    single["spec"]["env"] = both["spec"]["env"] = existing
    decode_container = both["spec"]["components"][2]["podTemplate"]["spec"]["containers"][0]
    decode_container["env"] = [{"name": "LD_PRELOAD", "value": "/container.so"}]
    for label, manifest, decode in (("spec.env", single, PRELOAD), ("spec.env and a container", both, "/container.so")):
        drill = Drill(checks, cluster, namespace, manifest, f"graph v1beta1, LD_PRELOAD in {label}")

        def check_graph(object: dict, drill=drill, decode=decode) -> None:
            found = [environment(each["podTemplate"]["spec"]["containers"][0]).get("LD_PRELOAD")
                     for each in object["spec"]["components"]]
            drill.equal("LD_PRELOAD of Frontend, PrefillWorker, DecodeWorker", found,
                        [None, f"{LIBRARY}:{PRELOAD}", f"{LIBRARY}:{decode}"])
            drill.equal("spec.env is unchanged", object["spec"]["env"], existing)
        check_cycle(drill, check=check_graph)


def check_old_graphs(checks, cluster) -> None:
    """Checks DynamoGraphDeployment on a cluster that serves only v1alpha1. There services.X.envs takes precedence over
    spec.envs, and spec.envs over mainContainer.env."""
    cluster.remove_crd("dynamographdeployments.nvidia.com")
    cluster.install_crd("dynamographdeployments", versions=["v1alpha1"])
    try:
        with cluster.namespace() as namespace:
            plain = workloads.graph_v1alpha1(namespace, "plain")
            check_cycle(Drill(checks, cluster, namespace, plain, "graph v1alpha1"))
            for levels, decode, prefill in (
                    (("service",), "service", None), (("graph",), "graph", "graph"), (("main",), "main", None),
                    (("graph", "main"), "graph", "graph"), (("service", "graph", "main"), "service", "graph")):
                check_old_graph(checks, cluster, namespace, levels, decode, prefill)
    finally:
        cluster.remove_crd("dynamographdeployments.nvidia.com")


def check_old_graph(checks, cluster, namespace: str, levels: tuple, decode: str, prefill: str | None) -> None:
    def entry(level: str) -> list:
        return [{"name": "LD_PRELOAD", "value": f"/{level}.so"}]

    manifest = workloads.graph_v1alpha1(namespace, "-".join(levels))
    service = manifest["spec"]["services"]["DecodeWorker"]
    if "service" in levels:
        service["envs"] = entry("service")
    if "graph" in levels:
        manifest["spec"]["envs"] = entry("graph")
    if "main" in levels:
        service["extraPodSpec"]["mainContainer"]["env"] = entry("main")
    drill = Drill(checks, cluster, namespace, manifest, f"graph v1alpha1, LD_PRELOAD in {' and '.join(levels)}")

    def check_graph(object: dict) -> None:
        def effective(name: str) -> str | None:
            return next((each["value"] for each in object["spec"]["services"][name].get("envs", ())
                         if each["name"] == "LD_PRELOAD"), None)
        drill.equal("LD_PRELOAD of DecodeWorker", effective("DecodeWorker"), f"{LIBRARY}:/{decode}.so")
        expected = f"{LIBRARY}:/{prefill}.so" if prefill else LIBRARY
        drill.equal("LD_PRELOAD of PrefillWorker", effective("PrefillWorker"), expected)
        drill.equal("LD_PRELOAD of Frontend", effective("Frontend"), None)
        drill.equal("spec.envs is unchanged", object["spec"].get("envs"), manifest["spec"].get("envs"))
    check_cycle(drill, check=check_graph)


# --node

def check_node_pin(checks, cluster, namespace: str) -> None:
    node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-of-{namespace}", "labels": {
        "kubernetes.io/hostname": "gpu-7.example", "kubernetes.io/arch": "amd64"}}}
    cluster.create(node)
    try:
        zone = {"key": "zone", "operator": "In", "values": ["a"]}
        pin = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["gpu-7.example"]}
        terms: list[dict] = [{"matchExpressions": [zone]}, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
                 {"matchExpressions": [zone, {"key": "gpu", "operator": "Exists"}]}]
        preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [zone]}}]}

        def required(terms: list) -> dict:
            return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}

        cases: dict[str, Any] = {"no affinity": (None, required([{"matchExpressions": [pin]}])),
                 "several terms": (required(terms), required(
                     [each | {"matchExpressions": [*each.get("matchExpressions", []), pin]} for each in terms])),
                 "a preference only": ({"nodeAffinity": preferred}, {"nodeAffinity": preferred | required(
                     [{"matchExpressions": [pin]}])["nodeAffinity"]})}
        for number, (label, (affinity, expected)) in enumerate(cases.items()):
            for lost in (False, True):
                spec = workloads.pod_spec(workloads.server(), **({"affinity": affinity} if affinity else {}))
                name = f"pinned-{number}{'-lost' if lost else ''}"
                drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, name, spec, replicas=0),
                              f"--node with {label}{'; lost record' if lost else ''}")
                if lost:
                    check_lost_record(drill, "--node", node["metadata"]["name"])
                else:
                    check_cycle(drill, "--node", node["metadata"]["name"], check=lambda object: drill.equal(
                        "the affinity is merged", object["spec"]["template"]["spec"]["affinity"], expected))
    finally:
        cluster.api.delete("v1", "Node", None, node["metadata"]["name"])


# Histories

def check_histories(checks, cluster, namespace: str) -> None:
    for kind, limit, revisions in (("Deployment", 10, 11), ("Deployment", 0, 1), ("StatefulSet", 3, 4), ("DaemonSet", 3, 4),
                                   ("StatefulSet", 0, 1)):
        manifest = workloads.workload(kind, namespace, f"{kind.lower()}-{limit}", replicas=0, revisionHistoryLimit=limit)
        drill = Drill(checks, cluster, namespace, manifest, f"{kind} with revisionHistoryLimit {limit}")
        for number in range(1, revisions):
            variables = [{"name": "N", "value": str(number)}]
            drill.patch([{"op": "add", "path": "/spec/template/spec/containers/0/env", "value": variables}], JSON_PATCH)
            drill.settle()
        drill.equal("number of revisions before inject", len(drill.history()), revisions)
        original = {each["metadata"]["uid"] for each in drill.history()}

        def check_history(object: dict, drill=drill, original=original) -> None:
            drill.settle()
            current = {each["metadata"]["uid"] for each in drill.history()}
            drill.equal("revisions deleted by inject", original - current, set())
            drill.equal("number of revisions added by inject", len(current - original), 1)
        check_cycle(drill, check=check_history)


# Repeated commands

def check_repeated_commands(checks, cluster, namespace: str) -> None:
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "again", replicas=0), "repeated commands")
    before, history = drill.snapshot(), drill.history()
    drill.expect_success("restore succeeds without an injection", drill.restore())
    drill.expect_unchanged("restore without an injection does not change the object", before, history)
    drill.expect_success("inject succeeds", drill.inject())
    first = drill.get()
    outcome = drill.inject()
    drill.expect("an identical inject reports an existing injection",
                 outcome.code == 0 and "already" in outcome.output, outcome)
    outcome = drill.inject("--contract-xid", "79")
    drill.equal("a different inject is refused", outcome.code, 3)
    named = "--replace" in outcome.errors and "restore" in outcome.errors
    drill.expect("the error names --replace and restore", named, outcome.errors)
    found = drill.get()["metadata"]["resourceVersion"]
    drill.equal("the refused inject does not change the object", found, first["metadata"]["resourceVersion"])
    outcome = drill.inject("--replace")
    drill.expect("an identical inject --replace reports an existing injection",
                 outcome.code == 0 and "already" in outcome.output, outcome)
    drill.equal("an identical inject --replace does not change the spec", drill.get()["spec"], first["spec"])
    drill.expect_success("a different inject --replace succeeds", drill.inject("--replace", "--contract-xid", "79"))
    second = drill.get()
    marks = [each["metadata"]["annotations"]["cudafault.dev/injected"] for each in (first, second)]
    drill.expect("inject --replace creates the second edition of the same run", marks[0].split()[1] == "edition=1" and
                 marks[1] == marks[0].replace("edition=1", "edition=2"), marks)
    found = environment(second["spec"]["template"]["spec"]["containers"][0])
    drill.equal("the second edition has the variables of --contract-xid", 
                (found.get("CUDA_XID_TYPE"), found.get("CUDA_FAULT_INJECTION_ENABLED")), ("79", "1"))
    drill.expect_success("inject --replace without --contract-xid succeeds", drill.inject("--replace"))
    found = environment(drill.get()["spec"]["template"]["spec"]["containers"][0])
    drill.expect("the third edition does not have the variables of --contract-xid", "CUDA_XID_TYPE" not in found, found)
    drill.expect_success("restore succeeds", drill.restore())
    drill.expect_unchanged("the object is exactly as before", before, history)
    drill.expect_clean("verify-clean finds no leftover")
    outcome = drill.restore()
    reported = outcome.code == 0 and "already clean" in outcome.output
    drill.expect("a second restore reports a clean workload", reported, outcome)
    drill.expect_unchanged("a second restore does not change the object", before, history)
    drill.expect_success("inject succeeds after restore", drill.inject())
    drill.expect_success("restore --all succeeds", drill.run("restore", "--all"))
    drill.expect_unchanged("the object is exactly as before after restore --all", before, history)


# Edits by other clients

def check_edits(checks, cluster, namespace: str) -> None:
    check_edit(checks, cluster, namespace, "a variable added", add_variable, kept=None)
    check_edit(checks, cluster, namespace, "the image changed", change_image, kept=None)
    check_edit(checks, cluster, namespace, "a label and an annotation added", annotate, kept=None)
    check_edit(checks, cluster, namespace, "minReadySeconds changed", change_min_ready_seconds, kept=None)
    check_edit(checks, cluster, namespace, "a volume and a mount added", add_volume, kept=None)
    check_edit(checks, cluster, namespace, "a container added in front", add_container, kept=None)
    check_edit(checks, cluster, namespace, "replicas changed", scale, kept=None,
               strategy={"type": "Recreate"})  # other strategies wait for Ready pods, which need nodes
    check_edit(checks, cluster, namespace, "maxSurge changed", change_surge, kept="maxSurge")
    check_edit(checks, cluster, namespace, "the strategy changed", change_strategy, kept="rollingUpdate")
    check_edit(checks, cluster, namespace, "revisionHistoryLimit changed", change_history_limit,
               kept="revisionHistoryLimit")
    check_edit(checks, cluster, namespace, "LD_PRELOAD appended", append_preload, kept="LD_PRELOAD")
    check_edit(checks, cluster, namespace, "LD_PRELOAD prepended", prepend_preload, kept="LD_PRELOAD")


def check_edit(checks, cluster, namespace: str, description: str, edit, kept: str | None, **spec: Any) -> None:
    """Checks that restore keeps the changes that edit(object) makes during the injection, and reverts all other
    changes."""
    name = "edited-" + edit.__name__.replace("_", "-")
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, name, replicas=0, **spec),
                  f"{description} during the injection")
    expected = drill.get()
    edit(expected)
    if not drill.expect_success("inject succeeds", drill.inject()):
        return

    drill.change(edit)
    outcome = drill.restore("--json")
    drill.expect_success("restore succeeds", outcome)
    drill.equal("the spec is as before, with the edit", spec_of(drill.get()), spec_of(expected))
    drill.equal("labels and annotations are as before, with the edit", labels_of(drill.get()), labels_of(expected))
    reported = kept in outcome.output if kept else '"kept": []' in outcome.output
    drill.expect(f"restore reports {kept or 'no field'} as kept", reported, outcome)
    drill.equal("no object created by cudafault remains", drill.injection_objects(), [])
    clean = drill.run("verify-clean")
    drill.expect("verify-clean finds no leftover", clean.code == 0, clean)
    drill.delete()


def spec_of(object: dict) -> dict:
    return object["spec"]


def labels_of(object: dict) -> tuple:
    annotations = {name: value for name, value in object["metadata"].get("annotations", {}).items()
                   if not name.startswith("deployment.kubernetes.io/")}
    return object["metadata"].get("labels"), annotations


def main_container(object: dict) -> dict:
    return next(each for each in object["spec"]["template"]["spec"]["containers"] if each["name"] == "main")


def add_variable(object: dict) -> None:
    main_container(object).setdefault("env", []).append({"name": "OTHER", "value": "1"})


def change_image(object: dict) -> None:
    main_container(object)["image"] = "rig.local/other:2"


def annotate(object: dict) -> None:
    object["metadata"].setdefault("annotations", {})["team"] = "a"
    object["metadata"].setdefault("labels", {})["team"] = "a"


def change_min_ready_seconds(object: dict) -> None:
    object["spec"]["minReadySeconds"] = 3


def add_volume(object: dict) -> None:
    spec = object["spec"]["template"]["spec"]
    spec.setdefault("volumes", []).append({"name": "other", "emptyDir": {}})
    main_container(object).setdefault("volumeMounts", []).append({"name": "other", "mountPath": "/other"})


def add_container(object: dict) -> None:
    added = copy.deepcopy(main_container(object)) | {"name": "sidecar", "resources": {}}
    for field in ("env", "volumeMounts", "ports", "readinessProbe"):
        added.pop(field, None)
    object["spec"]["template"]["spec"]["containers"].insert(0, added)


def scale(object: dict) -> None:
    object["spec"]["replicas"] = 2


def change_surge(object: dict) -> None:
    object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 3


def change_strategy(object: dict) -> None:
    object["spec"]["strategy"] = {"type": "Recreate"}


def change_history_limit(object: dict) -> None:
    object["spec"]["revisionHistoryLimit"] = 2


def append_preload(object: dict) -> None:
    change_preload(object, lambda value: f"{value}:{PRELOAD}" if value else PRELOAD)


def prepend_preload(object: dict) -> None:
    change_preload(object, lambda value: f"{PRELOAD}:{value}" if value else PRELOAD)


def change_preload(object: dict, changed) -> None:
    variables = main_container(object).setdefault("env", [])
    for each in variables:
        if each["name"] == "LD_PRELOAD":
            each["value"] = changed(each["value"])
            return
    variables.append({"name": "LD_PRELOAD", "value": changed("")})


# Lost objects

def check_lost_objects(checks, cluster, namespace: str) -> None:
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MAP, "namespace": namespace},
                    "data": {"LD_PRELOAD": PRELOAD}})
    cases: dict[str, Any] = {"plain": {}, "value": dict(env=[{"name": "A", "value": "1"}, {"name": "LD_PRELOAD", "value": PRELOAD}]),
             "reference": dict(env=[reference("configMapKeyRef", MAP, "LD_PRELOAD")]),
             "from": dict(envFrom=[{"configMapRef": {"name": MAP}}])}
    for name, more in cases.items():
        manifest = workloads.deployment(namespace, f"lost-{name}", workloads.pod_spec(workloads.server(**more)), replicas=0)
        check_lost_record(Drill(checks, cluster, namespace, manifest, f"lost record, LD_PRELOAD {name}"))
    for manifest, options in ((workloads.graph_v1beta1(namespace, "lost"), ()), (leader_worker_set(namespace, "lost"), ()),
                              (cron_job(namespace, "lost"), ()),
                              (widget(namespace, "lost"), ("--template", "spec.engine.podTemplate"))):
        label = f"lost record, plan and libraries of a {manifest['kind']}"
        check_lost_record(Drill(checks, cluster, namespace, manifest, label, options=options), all_objects=True)
    manifest = workloads.deployment(namespace, "lost-maps", replicas=0)
    drill = Drill(checks, cluster, namespace, manifest, "lost plan and libraries")
    before, history = drill.snapshot(), drill.history()
    drill.expect_success("inject succeeds", drill.inject())
    for each in drill.injection_objects():
        if "anchor" not in each:
            cluster.api.delete("v1", "ConfigMap", namespace, each.split()[1])
    drill.expect_success("restore succeeds", drill.restore())
    drill.expect_unchanged("the object is exactly as before", before, history)
    drill.expect_clean("verify-clean finds no leftover")


def check_lost_record(drill: Drill, *options: str, all_objects: bool = False) -> None:
    """Deletes the record, or with `all_objects` also the plan and the libraries.

    Checks that restore then finds the edits by their names and the workload's annotation, and reports the lost
    record."""
    before, history = drill.get(), drill.history()
    if not drill.expect_success("inject succeeds", drill.inject(*options)):
        return
    lost = [each.split()[1] for each in drill.injection_objects() if all_objects or "anchor" in each]
    drill.equal("number of deleted objects", len(lost), 4 if all_objects else 1)
    for name in lost:
        drill.cluster.api.delete("v1", "ConfigMap", drill.namespace, name)
    outcome = drill.restore("--json")
    reported = outcome.code == 0 and "record" in outcome.output
    drill.expect("restore succeeds and reports the lost record", reported, outcome)
    after = drill.get()
    drill.equal("the object is as before", changes(stable_fields(before), stable_fields(after)), [])
    drill.equal("the history is as before", [each["metadata"]["name"] for each in drill.history()],
                [each["metadata"]["name"] for each in history])
    drill.equal("no object created by cudafault remains", drill.injection_objects(), [])
    clean = drill.run("verify-clean")
    drill.expect("verify-clean finds no leftover", clean.code == 0, clean)
    drill.delete()


CRDS = ("dynamographdeployments", "leaderworkersets", "rayclusters", "podcliquesets", "rollouts", "clonesets", "widgets")
GROUPS = [
    Group(in_own_namespaces, [check_kinds, check_preloads, check_graph_preloads, check_histories,
                              check_repeated_commands, check_edits, check_lost_objects]),
    # Runs after the first group, because the DaemonSets of those tests would create pods on its node.
    Group(in_one_namespace, [check_node_pin]),
    Group(in_cluster, [check_old_graphs]),
]
