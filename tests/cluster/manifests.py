# SPDX-License-Identifier: Apache-2.0
"""Checks that kubectl accepts what `cudafault k8s manifest` prints, and that arm, status and restore work on the result."""

import json
from functools import partial

import workloads
from drill import Drill, injection_objects_in
from groups import Group, in_one_namespace


def job(namespace: str, name: str) -> dict:
    spec = workloads.pod_spec(workloads.server(), restartPolicy="Never")
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace},
            "spec": {"suspend": True, "template": {"spec": spec}}}


def pod(namespace: str, name: str) -> dict:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
            "spec": workloads.pod_spec(workloads.server())}


def check_read_only(checks, cluster, namespace: str) -> None:
    drill = Drill(checks, cluster, namespace, job(namespace, "read"), "manifest without --create-objects")
    outcome, proxy = cluster.killed_at(0, "before", "k8s", "manifest", "job/read", "-n", namespace)
    drill.expect_success("succeeds", outcome)
    drill.equal("creates no object", injection_objects_in(cluster, namespace), [])
    drill.expect("writes only in dry runs", all("dryRun=All" in each.path for each in proxy.requests if each.write),
                 proxy.requests)
    drill.expect("names the ConfigMaps and the option that creates them",
                 "cudafault-plan-" in outcome.errors and "--create-objects" in outcome.errors, outcome)
    several = drill.run("manifest", "job/read", "job/read", "-o", "json")
    drill.equal("prints several workloads as a List", json.loads(several.output)["kind"], "List")
    drill.delete()


def check_immutable(checks, cluster, namespace: str, make) -> None:
    """Replaces the object with the manifest that `manifest` prints, arms a plan, and replaces the object with its
    original manifest."""
    original = make(namespace, "immutable")
    drill = Drill(checks, cluster, namespace, original, f"manifest of a {original['kind']}")
    before = drill.get()
    outcome = drill.run("manifest", drill.ref, "--create-objects")
    drill.expect_success("succeeds", outcome)
    drill.equal("does not change the object", drill.get()["spec"], before["spec"])
    replace = ("-n", namespace, "replace", "--force", "-f", "-")
    cluster.kubectl(*replace, text_input=outcome.output)
    drill.expect("kubectl has created the object again", drill.get()["metadata"]["uid"] != before["metadata"]["uid"])
    text = json.dumps(drill.get()["spec"])
    drill.expect("the object has the library and the plan", "libcudafault.so" in text and "cudafault-plan-" in text, text)
    drill.expect("inject refuses the injected object", "cannot be injected" in drill.inject().errors)
    drill.expect_success("arm succeeds", drill.run("arm", drill.ref, "xid=79", "--allow-empty"))
    status = drill.run("status")
    drill.expect("status of the namespace lists the object", f"/{drill.name}" in status.output and "xid=79" in status.output, status)
    outcome = drill.restore()
    drill.expect("restore names the original manifest", outcome.code == 4 and "original manifest" in outcome.errors, outcome)
    drill.expect("restore has disarmed the object", "xid=79" not in drill.run("status").output)
    cluster.kubectl(*replace, text_input=json.dumps(original))
    drill.expect_success("restore succeeds with the original object", drill.restore())
    drill.equal("no object created by cudafault remains", injection_objects_in(cluster, namespace), [])
    drill.delete()


def check_apply(checks, cluster, namespace: str) -> None:
    drill = Drill(checks, cluster, namespace, workloads.deployment(namespace, "applied", replicas=0), "manifest of a Deployment")
    before = drill.get()
    outcome = drill.run("manifest", drill.ref, "--create-objects")
    drill.expect_success("succeeds", outcome)
    cluster.kubectl("-n", namespace, "apply", "-f", "-", text_input=outcome.output)
    drill.expect("kubectl has applied the manifest", "libcudafault.so" in json.dumps(drill.get()["spec"]))
    drill.expect_success("restore succeeds", drill.restore())
    drill.equal("the spec is exactly as before", drill.get()["spec"], before["spec"])
    drill.equal("no object created by cudafault remains", injection_objects_in(cluster, namespace), [])


GROUPS = [
    Group(in_one_namespace, [check_read_only, partial(check_immutable, make=job), partial(check_immutable, make=pod),
                             check_apply]),
]
