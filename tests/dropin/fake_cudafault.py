#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Imitates `cudafault k8s`. Stores the state of a workload with two pods on two nodes in $FAKE_FOLDER/state.json,
records its calls, and simulates the failure that $FAKE_FAILURE names."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FAKE_FOLDER"])
STATE = FOLDER / "state.json"
CALLS = FOLDER / "calls"
FAILURE = os.environ.get("FAKE_FAILURE", "")
WORKLOAD = {"kind": "Deployment", "namespace": "default", "name": "web"}
CODES = {"79": 100, "48": 214, "94": 214, "95": 999, "43": 702, "74": 217}
OTHER_NODE = {"node1": "node2", "node2": "node1"}
UNTIL = "2030-01-01T00:00:00Z"


def fail(code, message):
    print(f"cudafault: {message}", file=sys.stderr)
    sys.exit(code)


class Cluster:
    def __init__(self):
        initial = {"config_map": False, "injected": False, "pin": "", "armed": None, "revision": 0, "drained": []}
        self.state: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else initial

    def save(self):
        STATE.write_text(json.dumps(self.state))

    def node_of(self, number):
        """Returns the node of a pod, or an empty string while the pod is pending."""
        pin = "" if FAILURE == "does not pin" else self.state["pin"]
        node = pin or f"node{number + 1}"
        is_movable = FAILURE == "starts elsewhere" or not pin
        return node if node not in self.state["drained"] else OTHER_NODE[node] if is_movable else ""

    def pod(self, number):
        node = self.node_of(number)
        injected = self.state["injected"] or (FAILURE == "stays injected" and self.state["revision"] > 0)
        failing = bool(node and self.state["armed"]) and FAILURE != "never fires"
        broken = failing or (FAILURE == "stays broken" and self.state["revision"] > 0)
        xid = self.state["armed"]["spec"].removeprefix("xid=") if failing else ""
        code = 1 if FAILURE == "wrong code" else CODES.get(xid)
        acknowledged = self.state["armed"]["revision"] if failing and FAILURE != "other revision" else 0
        crashes = failing and FAILURE != "does not crash"
        return {
            "pod": f"web-{number}",
            "node": node,
            "phase": "Running" if node else "Pending",
            "injected": injected,
            "library_seen": injected and FAILURE != "library not seen",
            "acknowledged": acknowledged,
            "fired": 3 if failing else 0,
            "restarts": 1 if crashes else 0,
            "trouble": "crash loop, restarted in 20 s" if broken else "" if node else "unschedulable",
            "codes": [code] if failing else [],
            "terminated": {"exit_code": 1, "reason": "Error", "message": ""} if crashes else None,
            "address": "127.0.0.1" if node else "",
        }

    def pods(self):
        return [self.pod(0), self.pod(1)]

    def inject(self, arguments):
        self.state |= {"injected": True, "armed": None, "pin": option(arguments, "--node")}
        pods = [pick(pod, "pod", "node", "library_seen") | {"ready": True} for pod in self.pods()]
        pending = [{"pod": "web-2", "why": "node1 has no free GPU"}] if self.state["pin"] else []
        return {
            "workload": WORKLOAD,
            "run": "r1",
            "edition": 1,
            "delivery": option(arguments, "--delivery"),
            "containers": ["main"],
            "pods": pods,
            "pending": pending,
            "old_pods": ["web-3"] if pending else [],
            "notes": ["no container requests a GPU, so all containers are injected"],
            "unchanged": False,
        }

    def arm(self, arguments):
        self.state["revision"] += 1
        self.state["armed"] = {"spec": arguments[1], "revision": self.state["revision"], "until": UNTIL}
        pods = [{"pod": pod["pod"], "acknowledged": True, "state": "armed"} for pod in self.pods()]
        return self.state["armed"] | {"pods": pods}

    def restore(self, _):
        injected = self.state["injected"]
        self.state |= {"injected": False, "armed": None, "pin": ""}
        return {"restored": injected, "already_clean": not injected, "kept": [], "notes": []}

    def status(self, _):
        run = "r1" if self.state["injected"] else None
        return {"workload": WORKLOAD, "run": run, "armed": self.state["armed"], "pods": self.pods()}

    def library(self, arguments):
        self.state["config_map"] = arguments[0] == "create"
        return {}

    def node(self, arguments):
        verb, name = arguments[:2]
        if verb == "drain" and FAILURE != "does not drain":
            self.state["drained"].append(name)

    def snapshot(self, arguments):
        Path(option(arguments, "-o")).write_text("{}")

    def verify_clean(self, _):
        if self.state["injected"] or self.state["config_map"] or FAILURE == "left behind":
            fail(4, "configmap cuda-fault-injection-lib in namespace default remains")


def option(arguments, name):
    return arguments[arguments.index(name) + 1] if name in arguments else ""


def pick(pod, *names):
    return {name: pod[name] for name in names}


def wait_for_interrupt():
    """Waits for SIGINT, then exits after half a second, because the real program may also need time to exit."""

    def end(*_):
        time.sleep(0.5)
        (FOLDER / "ended after SIGINT").touch()
        fail(3, "interrupted")

    signal.signal(signal.SIGINT, end)
    (FOLDER / "waiting").touch()
    while True:
        signal.pause()


def simulate_failure(verb):
    if match := re.fullmatch(r"fail (\S+) (\d+) (.*)", FAILURE):
        if match[1] == verb:
            fail(int(match[2]), match[3])
    if FAILURE == "waits":
        wait_for_interrupt()
    if FAILURE == "no reason":
        sys.exit(3)
    if FAILURE == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if FAILURE == "no JSON":
        print("success")
        sys.exit(0)


def main():
    program, verb, *arguments = sys.argv[1:]
    assert program == "k8s", program
    with CALLS.open("a") as calls:
        print(json.dumps(sys.argv[2:]), file=calls)
    print("1 of 2 pods replaced", file=sys.stderr, flush=True)
    simulate_failure(verb)
    cluster = Cluster()
    document = getattr(cluster, verb.replace("-", "_"))(arguments)
    cluster.save()
    if "--json" in arguments:
        print(json.dumps(document))


main()
