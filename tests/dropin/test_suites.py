# SPDX-License-Identifier: Apache-2.0
"""test_xid_template.py and examples/test_xid79_cuda_fault.py against the stand-in: they pass where all is well, and
fail for every way in which it can be not; so none of their assertions is idle."""

import importlib.util
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import BUILD, Skip, pinned, python_with
from support import with_path

TEMPLATE = "cuda-fault-injection/test_xid_template.py"
STORY = "examples/test_xid79_cuda_fault.py"
PATIENCE = {"CUDA_FAULT_TIMEOUT": "2"}

# What goes wrong, and the words with which the test fails.
TEMPLATE_FAILS = {
    "never fires": "pods crash with CUDA error 100: timed out",
    "wrong code": "pods crash with CUDA error 100: timed out",
    "does not crash": "pods crash with CUDA error 100: timed out",
    "other revision": "a pod failed because of another plan",
    "stays injected": "pods recover: timed out",
    "stays broken": "pods recover: timed out",
    "fail library 3 you may not": "CudaFaultError: you may not",
    "fail inject 3 you may not": "CudaFaultError: you may not",
    "fail arm 3 you may not": "CudaFaultError: you may not",
}
STORY_FAILS = {
    "never fires": "every pod is down with CUDA_ERROR_NO_DEVICE: timed out",
    "wrong code": "every pod is down with CUDA_ERROR_NO_DEVICE: timed out",
    "does not crash": "every pod is down with CUDA_ERROR_NO_DEVICE: timed out",
    "does not pin": "node1 does not fit all pods",
    "starts elsewhere": "all pinned pods are unschedulable: timed out",
    "does not drain": "no pod is left on the drained node: timed out",
    "stays injected": "the pods are healthy on other nodes: timed out",
    "stays broken": "the pods are healthy on other nodes: timed out",
    "left behind": "CudaFaultError: configmap cuda-fault-injection-lib in namespace default is left",
    "fail node 3 the node is gone": "CudaFaultError: the node is gone",
    "fail snapshot 3 you may not": "CudaFaultError: you may not",
}


class Model(BaseHTTPRequestHandler):
    """The inference service: fails while a fault is armed, and while its pods have no node."""

    def do_POST(self):
        state = self.server.place.state()
        pending = bool(state.get("pin")) and state["pin"] in state.get("drained", [])
        self.server.was_armed |= bool(state.get("armed"))
        works = self.server.always or not (state.get("armed") or pending or self.server.fragile and self.server.was_armed)
        self.send_response(200 if works and self.server.works else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Service(ThreadingHTTPServer):
    def __init__(self, place, always=False, works=True, fragile=False):
        super().__init__(("127.0.0.1", 0), Model)
        self.place, self.always, self.works, self.fragile, self.was_armed = place, always, works, fragile, False

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)

    @property
    def url(self):
        return f"http://{{address}}:{self.server_address[1]}/generate"


def pytest_python():
    if importlib.util.find_spec("pytest"):
        return sys.executable
    return str(python_with(BUILD / "dropin" / "venv", pinned("pytest")))


class Suites:
    def __init__(self, checks, place):
        self.checks, self.place, self.python = checks, place, pytest_python()

    def pytest(self, file, *arguments, trouble="", service=None, **extra):
        self.place.reset()
        with service or Service(self.place) as inference:
            settings = {"KUBECONFIG": "/dev/null", "TARGET_DEPLOYMENT": "web", "INFERENCE_ENDPOINT": inference.url}
            settings |= PATIENCE | with_path(BUILD / "bin") | extra
            command = ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", file, *arguments]
            return self.place.python(*command, trouble=trouble, **settings)

    def passes(self, name, file, summary, *arguments, **options):
        done = self.pytest(file, *arguments, **options)
        self.checks.expect(name, done.returncode == 0 and summary in done.stdout, done.stdout + done.stderr)

    def fails(self, name, words, file, *arguments, **options):
        """With these words, and puts back what it did."""
        done = self.pytest(file, *arguments, **options)
        self.checks.expect(name, done.returncode == 1 and words in done.stdout, done.stdout + done.stderr)
        state = self.place.state()
        left = [what for what in ("injected", "armed", "config_map") if state.get(what)]
        self.checks.equal("... and puts everything back", left, [])


def check_skips(suites):
    for file, skipped in ((TEMPLATE, "6 skipped"), (STORY, "1 skipped")):
        nowhere = {"KUBECONFIG": "", "HOME": str(suites.place.root), "KUBERNETES_SERVICE_HOST": ""}
        done = suites.pytest(file, **nowhere)
        good = done.returncode == 0 and skipped in done.stdout and "no cluster is configured" in done.stdout
        suites.checks.expect(f"{file} is skipped without a cluster, with the reason", good, done.stdout)
        suites.checks.equal("... and calls nothing", suites.place.calls(), [])
        done = suites.pytest(file, TARGET_DEPLOYMENT="")
        good = skipped in done.stdout and "TARGET_DEPLOYMENT is not set" in done.stdout
        suites.checks.expect(f"{file} is skipped without a workload, with the reason", good, done.stdout)


def check_template(suites):
    suites.passes("the six templates pass", TEMPLATE, "6 passed")
    armed = [call[2] for call in suites.place.calls() if call[0] == "arm"]
    suites.checks.equal("... with six XIDs", armed, [f"xid={xid}" for xid in (79, 48, 94, 95, 43, 74)])
    suites.passes("... and pinned", TEMPLATE, "6 passed", TARGET_NODE="node2")
    one = ("-k", "xid79")
    for trouble, words in TEMPLATE_FAILS.items():
        suites.fails(f"the template fails if it {trouble}", words, TEMPLATE, *one, trouble=trouble)
    pinned_elsewhere = {"trouble": "does not pin", "TARGET_NODE": "node2"}
    suites.fails("the template fails if it does not pin", "a pod is not on node2", TEMPLATE, *one, **pinned_elsewhere)
    dead, fragile = Service(suites.place, works=False), Service(suites.place, fragile=True)
    suites.fails("the template fails if inference never worked", "before the test", TEMPLATE, *one, service=dead)
    stays_away = "inference works again: timed out"
    suites.fails("the template fails if inference stays away", stays_away, TEMPLATE, *one, service=fragile)
    done = suites.pytest(TEMPLATE, *one, trouble="fail restore 4 a pod is left")
    suites.checks.expect("the template fails if restoring does", done.returncode == 1, done.stdout)


def check_story(suites):
    suites.passes("the story passes", STORY, "1 passed")
    verbs = [" ".join(call[:2]) if call[0] in ("node", "library") else call[0] for call in suites.place.calls()]
    acts = [verb for verb in verbs if verb != "status"]
    expected = ["snapshot", "library create", "inject", "arm", "node cordon", "node drain", "restore", "node uncordon"]
    expected += ["restore", "library delete", "verify-clean"]
    suites.checks.equal("... in its order", acts, expected)
    for trouble, words in STORY_FAILS.items():
        suites.fails(f"the story fails if it {trouble}", words, STORY, trouble=trouble)
    always, never = Service(suites.place, always=True), Service(suites.place, works=False)
    suites.fails("the story fails if inference never fails", "inference fails: timed out", STORY, service=always)
    suites.fails("the story fails if inference never works", "does not work before the drill", STORY, service=never)


def check_suites(checks, place):
    try:
        suites = Suites(checks, place)
    except Skip as why:
        checks.skip("the template and the story", why)
        return
    check_skips(suites)
    check_template(suites)
    check_story(suites)
