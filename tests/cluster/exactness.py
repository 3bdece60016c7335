# SPDX-License-Identifier: Apache-2.0
"""An injection that is taken back leaves everything as it was, whatever the workload was like and whatever happened to it
in between."""

import copy
import json

import workloads
from api import JSON_PATCH
from drill import (
    LIBRARY,
    VARIABLES,
    Drill,
    changes,
    clone_set,
    cron_job,
    cycle,
    each_in_its_namespace,
    environment,
    essence,
    leader_worker_set,
    pod_clique_set,
    ray_cluster,
    rollout,
    widget,
)

PRELOAD = "/opt/theirs/libtheirs.so"
MAP, SECRET = "preload-settings", "preload-secret"


def check(checks, cluster) -> None:
    for plural in ("dynamographdeployments", "leaderworkersets", "rayclusters", "podcliquesets", "rollouts", "clonesets",
                   "widgets"):
        cluster.install_crd(plural)
    each_in_its_namespace(checks, cluster, [check_kinds, check_preloads, check_graph_preloads, check_histories,
                                            check_repetition, check_others_edits, check_lost_objects])
    with cluster.namespace() as namespace:  # afterwards: with a node there, DaemonSets would have pods
        check_pins(checks, cluster, namespace)
    check_old_graphs(checks, cluster)


# Kinds

def check_kinds(checks, cluster, namespace: str) -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        manifest = workloads.workload(kind, namespace, kind.lower(), replicas=0)
        cycle(Drill(checks, cluster, namespace, manifest), check=injects(checks, kind))
    recreate = workloads.deployment(namespace, "recreate", replicas=0, strategy={"type": "Recreate"})
    cycle(Drill(checks, cluster, namespace, recreate, "Deployment that recreates"))
    cycle(Drill(checks, cluster, namespace, with_claims(namespace, "claims"), "StatefulSet with claimed volumes"))
    on_delete = workloads.workload("DaemonSet", namespace, "on-delete", updateStrategy={"type": "OnDelete"})
    cycle(Drill(checks, cluster, namespace, on_delete, "DaemonSet that waits for deletions"))
    for manifest in (cron_job(namespace, "cron"), workloads.graph_v1beta1(namespace, "graph"),
                     leader_worker_set(namespace, "lws"), ray_cluster(namespace, "ray"), pod_clique_set(namespace, "grove"),
                     rollout(namespace, "argo"), clone_set(namespace, "kruise")):
        cycle(Drill(checks, cluster, namespace, manifest), check=injects(checks, manifest["kind"]))
    template = ("--template", "spec.engine.podTemplate")
    unknown = Drill(checks, cluster, namespace, widget(namespace, "widget"), options=template)
    cycle(unknown, check=injects(checks, "Widget"))
    cycle(unknown, check=lambda _: is_found(unknown))
    for delivery in ("source", "image"):
        if delivery == "source":
            checks.equal("the source is put there", cluster.cudafault("k8s", "library", "create", "-n", namespace).code, 0)
        drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, delivery, replicas=0), f"delivery {delivery}")
        before, history = drill.snapshot(), drill.history()
        drill.succeeds("is injected", drill.inject("--delivery", delivery))
        drill.succeeds("is restored", drill.restore())
        drill.is_as("is exactly as before", before, history)
    checks.equal("the source is removed", cluster.cudafault("k8s", "library", "delete", "-n", namespace).code, 0)
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        manifest = workloads.workload(kind, namespace, f"numbers-{kind.lower()}", replicas=0)
        check_numbers(Drill(checks, cluster, namespace, manifest, f"{kind}, restore --exact"))
    outcome = cluster.cudafault("k8s", "verify-clean", "-n", namespace)
    checks.expect("the namespace of all kinds is clean", outcome.code == 0, outcome)


def with_claims(namespace: str, name: str) -> dict:
    """Its template names a volume that only its controller adds."""
    main = workloads.server() | {"volumeMounts": [{"name": "models", "mountPath": "/models"}]}
    claim = {"metadata": {"name": "models"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    return workloads.workload("StatefulSet", namespace, name, workloads.pod_spec(main), replicas=0, volumeClaimTemplates=[claim])


def check_numbers(drill: Drill) -> None:
    """--exact puts the numbers of revisions back, too."""
    before, history = drill.snapshot(), drill.history()
    was = drill.numbers()
    drill.succeeds("is injected", drill.inject())
    drill.expect("its numbers are others", drill.numbers() != was, was)
    drill.succeeds("is restored", drill.restore("--exact"))
    drill.is_as("is exactly as before", before, history)
    drill.has_numbers("the numbers of revisions", was)
    outcome = drill.verify("--exact")
    drill.expect("verify-clean --exact says so", outcome.code == 0, outcome)


CONTAINERS = {  # those that are injected, and those that are not
    "Deployment": (["spec.template"], []), "StatefulSet": (["spec.template"], []), "DaemonSet": (["spec.template"], []),
    "ReplicaSet": (["spec.template"], []), "CronJob": (["spec.jobTemplate.spec.template"], []),
    "DynamoGraphDeployment": (["spec.components.1.podTemplate", "spec.components.2.podTemplate"],
                              ["spec.components.0.podTemplate"]),
    "LeaderWorkerSet": (["spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"], []),
    "RayCluster": (["spec.workerGroupSpecs.0.template"], ["spec.headGroupSpec.template", "spec.workerGroupSpecs.1.template"]),
    "PodCliqueSet": (["spec.template.cliques.1"], ["spec.template.cliques.0"]),
    "Widget": (["spec.engine.podTemplate"], []),
}


def at(object: dict, path: str) -> dict:
    for step in path.split("."):
        object = object[int(step) if step.isdigit() else step]
    return object


def is_found(drill: Drill) -> None:
    """By `scan`, which knows its kind from the record."""
    found = json.loads(drill.run("scan", "--json").output)["injections"]
    states = [each["state"] for each in found if each["name"] == drill.name]
    drill.equal("scan: in force", states, ["in force"])


def injects(checks, kind: str):
    """What is injected is, and what is not is not."""
    def look(object: dict) -> None:
        chosen, others = CONTAINERS[kind]
        for path in chosen:
            pod = at(object, path + (".spec.podSpec" if kind == "PodCliqueSet" else ".spec"))
            main = pod["containers"][0]
            checks.equal(f"{kind}: LD_PRELOAD at {path}", environment(main).get("LD_PRELOAD"), LIBRARY)
            checks.equal(f"{kind}: variables at {path}", sorted(set(environment(main)) - {"LD_PRELOAD"}), sorted(VARIABLES))
            checks.equal(f"{kind}: mounts at {path}", {each["mountPath"] for each in main["volumeMounts"]},
                         {"/cudafault/plan", "/cudafault/library"})
            checks.equal(f"{kind}: volumes at {path}", {each["name"] for each in pod["volumes"]},
                         {"cudafault-plan", "cudafault-library"})
        for path in others:
            checks.expect(f"{kind}: nothing at {path}", "cudafault" not in str(at(object, path)), at(object, path))
    return look


# LD_PRELOAD of the user's

def reference(kind: str, name: str, key: str, **more) -> dict:
    return {"name": "LD_PRELOAD", "valueFrom": {kind: {"name": name, "key": key, **more}}}


def check_preloads(checks, cluster, namespace: str) -> None:
    """Each with a variable before and one behind it, which keep their places."""
    metadata = {"namespace": namespace}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": MAP},
                    "data": {"LD_PRELOAD": PRELOAD, "PRELOAD": PRELOAD, "other": "x"}})
    cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata | {"name": SECRET},
                    "stringData": {"LD_PRELOAD": PRELOAD}})
    alone, helper = LIBRARY, f"{LIBRARY}:$(CUDAFAULT_LD_PRELOAD)"
    cases = {
        "a value": (dict(env={"name": "LD_PRELOAD", "value": PRELOAD}), f"{LIBRARY}:{PRELOAD}"),
        "two in a value": (dict(env={"name": "LD_PRELOAD", "value": f"{PRELOAD} /b.so"}), f"{LIBRARY}:{PRELOAD} /b.so"),
        "an empty value": (dict(env={"name": "LD_PRELOAD", "value": ""}), alone),
        "a reference in a value": (dict(env={"name": "LD_PRELOAD", "value": "$(BEFORE)/b.so"}), f"{LIBRARY}:$(BEFORE)/b.so"),
        "a ConfigMap's key": (dict(env=reference("configMapKeyRef", MAP, "LD_PRELOAD")), helper),
        "a ConfigMap's optional key": (dict(env=reference("configMapKeyRef", MAP, "LD_PRELOAD", optional=True)), helper),
        "an optional key that is absent": (dict(env=reference("configMapKeyRef", MAP, "none", optional=True)), alone),
        "an optional ConfigMap that is absent": (dict(env=reference("configMapKeyRef", "no", "none", optional=True)), alone),
        "a Secret's key": (dict(env=reference("secretKeyRef", SECRET, "LD_PRELOAD")), helper),
        "a Secret's optional key": (dict(env=reference("secretKeyRef", SECRET, "LD_PRELOAD", optional=True)), helper),
        "all of a ConfigMap": (dict(envFrom={"configMapRef": {"name": MAP}}), f"{LIBRARY}:$(LD_PRELOAD)"),
        "all of a Secret": (dict(envFrom={"secretRef": {"name": SECRET}}), f"{LIBRARY}:$(LD_PRELOAD)"),
        "all with a prefix": (dict(envFrom={"configMapRef": {"name": MAP}, "prefix": "LD_"}), f"{LIBRARY}:$(LD_PRELOAD)"),
        "all with another prefix": (dict(envFrom={"configMapRef": {"name": MAP}, "prefix": "MY_"}), alone),
        "all of a ConfigMap that is absent": (dict(envFrom={"configMapRef": {"name": "no", "optional": True}}), alone),
    }
    for number, (label, (preload, expected)) in enumerate(cases.items()):
        around = [{"name": "BEFORE", "value": "/opt"}, {"name": "BEHIND", "value": "2"}]
        theirs = [preload["env"]] if "env" in preload else []
        more = {"env": [around[0], *theirs, around[1]]} | ({"envFrom": [preload["envFrom"]]} if "envFrom" in preload else {})
        spec = workloads.pod_spec(workloads.server(**more))
        manifest = workloads.deployment(namespace, f"preload-{number}", spec, replicas=0)
        drill = Drill(checks, cluster, namespace, manifest, f"LD_PRELOAD from {label}")
        cycle(drill, check=preloads(drill, preload.get("env"), expected))


def preloads(drill: Drill, theirs: dict | None, expected: str):
    def look(object: dict) -> None:
        main = object["spec"]["template"]["spec"]["containers"][0]
        found, order = environment(main), [each["name"] for each in main["env"]]
        drill.equal("LD_PRELOAD", found["LD_PRELOAD"], expected)
        drill.equal("others", (found["BEFORE"], found["BEHIND"]), ("/opt", "2"))
        if "CUDAFAULT_LD_PRELOAD" in expected:
            # A variable is replaced by those before it only.
            drill.equal("the helper variable", found.get("CUDAFAULT_LD_PRELOAD"), theirs["valueFrom"])
            drill.expect("it stands before", order.index("CUDAFAULT_LD_PRELOAD") < order.index("LD_PRELOAD"), order)
        else:
            drill.expect("no helper variable", "CUDAFAULT_LD_PRELOAD" not in found, order)
        if theirs:
            users = [each for each in order if not each.startswith("CUDAFAULT_")]
            drill.equal("it has kept its place", users, ["BEFORE", "LD_PRELOAD", "BEHIND"])
    return look


def check_graph_preloads(checks, cluster, namespace: str) -> None:
    """v1beta1: the container's is in force, else spec.env's."""
    theirs = [{"name": "LD_PRELOAD", "value": PRELOAD}]
    weaker, both = (workloads.graph_v1beta1(namespace, name) for name in ("weaker", "both"))
    weaker["spec"]["env"] = both["spec"]["env"] = theirs
    decoding = both["spec"]["components"][2]["podTemplate"]["spec"]["containers"][0]
    decoding["env"] = [{"name": "LD_PRELOAD", "value": "/stronger.so"}]
    for label, manifest, decode in (("a graph's", weaker, PRELOAD), ("a graph's and a container's", both, "/stronger.so")):
        drill = Drill(checks, cluster, namespace, manifest, f"LD_PRELOAD: {label}")

        def look(object: dict, drill=drill, decode=decode) -> None:
            found = [environment(each["podTemplate"]["spec"]["containers"][0]).get("LD_PRELOAD")
                     for each in object["spec"]["components"]]
            drill.equal("of Frontend, PrefillWorker, DecodeWorker", found,
                        [None, f"{LIBRARY}:{PRELOAD}", f"{LIBRARY}:{decode}"])
            drill.equal("the graph's own stays", object["spec"]["env"], theirs)
        cycle(drill, check=look)


def check_old_graphs(checks, cluster) -> None:
    """DynamoGraphDeployment where only v1alpha1 is served. services.X.envs is stronger than spec.envs, and that than
    mainContainer.env."""
    cluster.remove_crd("dynamographdeployments.nvidia.com")
    cluster.install_crd("dynamographdeployments", versions=["v1alpha1"])
    try:
        with cluster.namespace() as namespace:
            cycle(Drill(checks, cluster, namespace, workloads.graph_v1alpha1(namespace, "plain"), "graph v1alpha1"))
            for where, decode, prefill in (
                    (("service",), "service", None), (("graph",), "graph", "graph"), (("main",), "main", None),
                    (("graph", "main"), "graph", "graph"), (("service", "graph", "main"), "service", "graph")):
                check_old_graph(checks, cluster, namespace, where, decode, prefill)
    finally:
        cluster.remove_crd("dynamographdeployments.nvidia.com")


def check_old_graph(checks, cluster, namespace: str, where: tuple, decode: str, prefill: str | None) -> None:
    def entry(level: str) -> list:
        return [{"name": "LD_PRELOAD", "value": f"/{level}.so"}]

    manifest = workloads.graph_v1alpha1(namespace, "-".join(where))
    service = manifest["spec"]["services"]["DecodeWorker"]
    if "service" in where:
        service["envs"] = entry("service")
    if "graph" in where:
        manifest["spec"]["envs"] = entry("graph")
    if "main" in where:
        service["extraPodSpec"]["mainContainer"]["env"] = entry("main")
    drill = Drill(checks, cluster, namespace, manifest, f"graph v1alpha1, LD_PRELOAD in {' and '.join(where)}")

    def look(object: dict) -> None:
        def effective(name: str) -> str | None:
            return next((each["value"] for each in object["spec"]["services"][name].get("envs", ())
                         if each["name"] == "LD_PRELOAD"), None)
        drill.equal("of DecodeWorker", effective("DecodeWorker"), f"{LIBRARY}:/{decode}.so")
        drill.equal("of PrefillWorker", effective("PrefillWorker"), f"{LIBRARY}:/{prefill}.so" if prefill else LIBRARY)
        drill.equal("of Frontend", effective("Frontend"), None)
        drill.equal("the graph's own stays", object["spec"].get("envs"), manifest["spec"].get("envs"))
    cycle(drill, check=look)


# --node

def check_pins(checks, cluster, namespace: str) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-of-{namespace}", "labels": {
        "kubernetes.io/hostname": "gpu-7.example", "kubernetes.io/arch": "amd64"}}}
    cluster.create(node)
    try:
        zone = {"key": "zone", "operator": "In", "values": ["a"]}
        pin = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["gpu-7.example"]}
        terms = [{"matchExpressions": [zone]}, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
                 {"matchExpressions": [zone, {"key": "gpu", "operator": "Exists"}]}]
        preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [zone]}}]}

        def required(terms: list) -> dict:
            return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}

        cases = {"no affinity": (None, required([{"matchExpressions": [pin]}])),
                 "several terms": (required(terms), required(
                     [each | {"matchExpressions": [*each.get("matchExpressions", []), pin]} for each in terms])),
                 "a preference only": ({"nodeAffinity": preferred}, {"nodeAffinity": preferred | required(
                     [{"matchExpressions": [pin]}])["nodeAffinity"]})}
        for number, (label, (affinity, expected)) in enumerate(cases.items()):
            for lost in (False, True):
                spec = workloads.pod_spec(workloads.server(), **({"affinity": affinity} if affinity else {}))
                name = f"pinned-{number}{'-lost' if lost else ''}"
                drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, name, spec, replicas=0),
                              f"--node with {label}{', record lost' if lost else ''}")
                if lost:
                    lose_record(drill, "--node", node["metadata"]["name"])
                else:
                    cycle(drill, "--node", node["metadata"]["name"], check=lambda object: drill.equal(
                        "affinity", object["spec"]["template"]["spec"]["affinity"], expected))
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
        drill.equal("revisions of before", len(drill.history()), revisions)
        theirs = {each["metadata"]["uid"] for each in drill.history()}

        def look(object: dict, drill=drill, theirs=theirs) -> None:
            drill.settle()
            now = {each["metadata"]["uid"] for each in drill.history()}
            drill.equal("revisions lost while injected", theirs - now, set())
            drill.equal("revisions more while injected", len(now - theirs), 1)
        cycle(drill, check=look)


# Again and again

def check_repetition(checks, cluster, namespace: str) -> None:
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "again", replicas=0), "repetition")
    before, history = drill.snapshot(), drill.history()
    drill.succeeds("a restore of what was never injected", drill.restore())
    drill.is_as("it changes nothing", before, history)
    drill.succeeds("is injected", drill.inject())
    first = drill.get()
    outcome = drill.inject()
    drill.expect("the same once more is there already", outcome.code == 0 and "already" in outcome.output, outcome)
    outcome = drill.inject("--contract-xid", "79")
    drill.equal("another injection is refused", outcome.code, 3)
    drill.expect("it says what to do", "--replace" in outcome.errors and "restore" in outcome.errors, outcome.errors)
    drill.equal("and changes nothing", drill.get()["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"])
    outcome = drill.inject("--replace")
    drill.expect("the same with --replace is there already", outcome.code == 0 and "already" in outcome.output, outcome)
    drill.equal("and changes nothing either", drill.get()["spec"], first["spec"])
    drill.succeeds("another one with --replace", drill.inject("--replace", "--contract-xid", "79"))
    second = drill.get()
    marks = [each["metadata"]["annotations"]["cudafault.dev/injected"] for each in (first, second)]
    drill.expect("is the second edition of the same run", marks[0].split()[1] == "edition=1" and
                 marks[1] == marks[0].replace("edition=1", "edition=2"), marks)
    found = environment(second["spec"]["template"]["spec"]["containers"][0])
    drill.equal("with its variables", (found.get("CUDA_XID_TYPE"), found.get("CUDA_FAULT_INJECTION_ENABLED")), ("79", "1"))
    drill.succeeds("a third one, without them", drill.inject("--replace"))
    found = environment(drill.get()["spec"]["template"]["spec"]["containers"][0])
    drill.expect("has none", "CUDA_XID_TYPE" not in found, found)
    drill.succeeds("is restored", drill.restore())
    drill.is_as("is exactly as before", before, history)
    drill.is_clean("verify-clean says so")
    outcome = drill.restore()
    drill.expect("restore again: clean already", outcome.code == 0 and "clean already" in outcome.output, outcome)
    drill.is_as("it changes nothing", before, history)
    drill.succeeds("is injected again", drill.inject())
    drill.succeeds("restore --all", drill.run("restore", "--all"))
    drill.is_as("is exactly as before once more", before, history)


# Others' edits

def check_others_edits(checks, cluster, namespace: str) -> None:
    check_edit(checks, cluster, namespace, "a variable added", add_variable, kept=None)
    check_edit(checks, cluster, namespace, "the image changed", change_image, kept=None)
    check_edit(checks, cluster, namespace, "a label and an annotation added", annotate, kept=None)
    check_edit(checks, cluster, namespace, "minReadySeconds changed", change_seconds, kept=None)
    check_edit(checks, cluster, namespace, "a volume and an init container added", add_volume, kept=None)
    check_edit(checks, cluster, namespace, "a container added in front", add_container, kept=None)
    check_edit(checks, cluster, namespace, "replicas changed", scale, kept=None,
               strategy={"type": "Recreate"})  # any other waits for pods to become Ready, and there are no nodes
    check_edit(checks, cluster, namespace, "maxSurge changed", change_surge, kept="maxSurge")
    check_edit(checks, cluster, namespace, "another strategy", recreate, kept="rollingUpdate")
    check_edit(checks, cluster, namespace, "revisionHistoryLimit changed", change_limit, kept="revisionHistoryLimit")
    check_edit(checks, cluster, namespace, "LD_PRELOAD appended", append_preload, kept="LD_PRELOAD")
    check_edit(checks, cluster, namespace, "LD_PRELOAD prepended", prepend_preload, kept="LD_PRELOAD")


def check_edit(checks, cluster, namespace: str, what: str, edit, kept: str | None, **spec: object) -> None:
    """edit(object) changes an object; done while it is injected, it has to be there afterwards, and nothing else."""
    name = "edited-" + edit.__name__.replace("_", "-")
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, name, replicas=0, **spec), f"meanwhile {what}")
    expected = drill.get()
    edit(expected)
    if not drill.succeeds("is injected", drill.inject()):
        return

    drill.change(edit)
    outcome = drill.restore("--json")
    drill.succeeds("is restored", outcome)
    drill.equal("it is as before but for the edit", spec_of(drill.get()), spec_of(expected))
    drill.equal("labels and annotations", labels_of(drill.get()), labels_of(expected))
    said = str(kept in outcome.output if kept else '"kept": []' in outcome.output)
    drill.equal("what was kept is said" if kept else "nothing is said to be kept", said, "True")
    drill.equal("nothing is left beside it", drill.beside_it(), [])
    clean = drill.run("verify-clean")
    drill.expect("no trace is left", clean.code == 0, clean)
    drill.delete()


def spec_of(object: dict) -> dict:
    return object["spec"]


def labels_of(object: dict) -> tuple:
    annotations = {name: value for name, value in object["metadata"].get("annotations", {}).items()
                   if not name.startswith("deployment.kubernetes.io/")}
    return object["metadata"].get("labels"), annotations


def main_of(object: dict) -> dict:
    return next(each for each in object["spec"]["template"]["spec"]["containers"] if each["name"] == "main")


def add_variable(object: dict) -> None:
    main_of(object).setdefault("env", []).append({"name": "THEIRS", "value": "1"})


def change_image(object: dict) -> None:
    main_of(object)["image"] = "rig.local/other:2"


def annotate(object: dict) -> None:
    object["metadata"].setdefault("annotations", {})["team"] = "a"
    object["metadata"].setdefault("labels", {})["team"] = "a"


def change_seconds(object: dict) -> None:
    object["spec"]["minReadySeconds"] = 3


def add_volume(object: dict) -> None:
    spec = object["spec"]["template"]["spec"]
    spec.setdefault("volumes", []).append({"name": "theirs", "emptyDir": {}})
    main_of(object).setdefault("volumeMounts", []).append({"name": "theirs", "mountPath": "/theirs"})


def add_container(object: dict) -> None:
    added = copy.deepcopy(main_of(object)) | {"name": "sidecar", "resources": {}}
    for field in ("env", "volumeMounts", "ports", "readinessProbe"):
        added.pop(field, None)
    object["spec"]["template"]["spec"]["containers"].insert(0, added)


def scale(object: dict) -> None:
    object["spec"]["replicas"] = 2


def change_surge(object: dict) -> None:
    object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 3


def recreate(object: dict) -> None:
    object["spec"]["strategy"] = {"type": "Recreate"}


def change_limit(object: dict) -> None:
    object["spec"]["revisionHistoryLimit"] = 2


def append_preload(object: dict) -> None:
    change_preload(object, lambda value: f"{value}:{PRELOAD}" if value else PRELOAD)


def prepend_preload(object: dict) -> None:
    change_preload(object, lambda value: f"{PRELOAD}:{value}" if value else PRELOAD)


def change_preload(object: dict, changed) -> None:
    variables = main_of(object).setdefault("env", [])
    for each in variables:
        if each["name"] == "LD_PRELOAD":
            each["value"] = changed(each["value"])
            return
    variables.append({"name": "LD_PRELOAD", "value": changed("")})


# Lost objects

def check_lost_objects(checks, cluster, namespace: str) -> None:
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MAP, "namespace": namespace},
                    "data": {"LD_PRELOAD": PRELOAD}})
    cases = {"plain": {}, "value": dict(env=[{"name": "A", "value": "1"}, {"name": "LD_PRELOAD", "value": PRELOAD}]),
             "reference": dict(env=[reference("configMapKeyRef", MAP, "LD_PRELOAD")]),
             "from": dict(envFrom=[{"configMapRef": {"name": MAP}}])}
    for name, more in cases.items():
        manifest = workloads.deployment(namespace, f"lost-{name}", workloads.pod_spec(workloads.server(**more)), replicas=0)
        lose_record(Drill(checks, cluster, namespace, manifest, f"record lost, LD_PRELOAD {name}"))
    for manifest, options in ((workloads.graph_v1beta1(namespace, "lost"), ()), (leader_worker_set(namespace, "lost"), ()),
                              (cron_job(namespace, "lost"), ()),
                              (widget(namespace, "lost"), ("--template", "spec.engine.podTemplate"))):
        label = f"record of a {manifest['kind']} lost"
        lose_record(Drill(checks, cluster, namespace, manifest, label, options=options), all_of_it=True)
    manifest = workloads.deployment(namespace, "lost-maps", replicas=0)
    drill = Drill(checks, cluster, namespace, manifest, "plan and libraries lost")
    before, history = drill.snapshot(), drill.history()
    drill.succeeds("is injected", drill.inject())
    for each in drill.beside_it():
        if "anchor" not in each:
            cluster.api.delete("v1", "ConfigMap", namespace, each.split()[1])
    drill.succeeds("is restored", drill.restore())
    drill.is_as("is exactly as before", before, history)
    drill.is_clean("verify-clean says so")


def lose_record(drill: Drill, *options: str, all_of_it: bool = False) -> None:
    """The record is deleted, or plan and libraries as well. Restored by names, and what has none of ours by the workload's annotation; and that is said."""
    before, history = drill.get(), drill.history()
    if not drill.succeeds("is injected", drill.inject(*options)):
        return
    lost = [each.split()[1] for each in drill.beside_it() if all_of_it or "anchor" in each]
    drill.equal("objects that are lost", len(lost), 4 if all_of_it else 1)
    for name in lost:
        drill.cluster.api.delete("v1", "ConfigMap", drill.namespace, name)
    outcome = drill.restore("--json")
    drill.expect("is restored, and says that the record was gone", outcome.code == 0 and "record" in outcome.output, outcome)
    after = drill.get()
    drill.equal("is as before", changes(essence(before), essence(after)), [])
    drill.equal("its history is as before", [each["metadata"]["name"] for each in drill.history()],
                [each["metadata"]["name"] for each in history])
    drill.equal("nothing is left beside it", drill.beside_it(), [])
    clean = drill.run("verify-clean")
    drill.expect("no trace is left", clean.code == 0, clean)
    drill.delete()
