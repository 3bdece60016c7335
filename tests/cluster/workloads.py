# SPDX-License-Identifier: Apache-2.0
"""Manifests of the inference server for tests. The restricted Pod Security profile admits all of them."""

RESTRICTED_POD = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
RESTRICTED_CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def container(name: str = "main", image: str = "inference-server", gpus: int = 1, **more) -> dict:
    fields = {"name": name, "image": f"rig.local/{image}:1", "imagePullPolicy": "Never",
              "securityContext": RESTRICTED_CONTAINER}
    if gpus:
        fields["resources"] = {"limits": {"nvidia.com/gpu": gpus}}
    return fields | more


def server(gpus: int = 1, **more) -> dict:
    """Returns a container of the inference server with a readiness probe."""
    probe = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1}
    return container(gpus=gpus, readinessProbe=probe, ports=[{"containerPort": 8000}], **more)


def pod_spec(*containers: dict, **more) -> dict:
    return {"securityContext": RESTRICTED_POD, "terminationGracePeriodSeconds": 5, "containers": list(containers)} | more


def template(labels: dict, spec: dict) -> dict:
    return {"metadata": {"labels": labels}, "spec": spec}


def workload(kind: str, namespace: str, name: str, spec: dict | None = None, replicas: int = 2, **more) -> dict:
    """Returns a Deployment, StatefulSet, ReplicaSet or DaemonSet that selects pods by app=NAME."""
    labels = {"app": name}
    body = {"selector": {"matchLabels": labels}, "template": template(labels, spec or pod_spec(server()))} | more
    if kind != "DaemonSet":
        body["replicas"] = replicas
    if kind == "StatefulSet":
        body.setdefault("serviceName", name)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": body}


def deployment(namespace: str, name: str, spec: dict | None = None, replicas: int = 2, **more) -> dict:
    return workload("Deployment", namespace, name, spec, replicas, **more)


def graph_v1alpha1(namespace: str, name: str) -> dict:
    """Returns a DynamoGraphDeployment with a Frontend without a GPU and two kinds of workers with one GPU each."""
    def service(component_type: str, gpus: int) -> dict:
        main = server(gpus=0)
        pod = pod_spec() | {"mainContainer": {key: main[key] for key in main if key != "name"}}
        del pod["containers"]
        fields = {"componentType": component_type, "replicas": 1, "extraPodSpec": pod}
        return fields | ({"resources": {"limits": {"gpu": str(gpus)}}} if gpus else {})

    services = {"Frontend": service("frontend", 0), "PrefillWorker": service("prefill", 1), "DecodeWorker": service("decode", 1)}
    return graph("v1alpha1", namespace, name, {"services": services})


def graph_v1beta1(namespace: str, name: str) -> dict:
    def component(component: str, component_type: str, gpus: int) -> dict:
        return {"name": component, "type": component_type, "replicas": 1,
                "podTemplate": {"spec": pod_spec(server(gpus=gpus))}}

    components = [component("Frontend", "frontend", 0), component("PrefillWorker", "prefill", 1),
                  component("DecodeWorker", "decode", 1)]
    return graph("v1beta1", namespace, name, {"components": components})


def graph(version: str, namespace: str, name: str, spec: dict) -> dict:
    return {"apiVersion": f"nvidia.com/{version}", "kind": "DynamoGraphDeployment",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}
