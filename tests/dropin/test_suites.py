# SPDX-License-Identifier: Apache-2.0
"""Runs test_xid_template.py and examples/test_xid79_cuda_fault.py with the fake cudafault. Both suites must pass
without a simulated failure and fail with each simulated failure, which shows that each of their assertions works."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dropin.support import pytest_python, with_path
from harness import BUILD

TEMPLATE = "cuda-fault-injection/test_xid_template.py"
EXAMPLE = "examples/test_xid79_cuda_fault.py"
SHORT_TIMEOUT = {"CUDA_FAULT_TIMEOUT": "2"}

# Simulated failures, and the words that the failing test prints.
TEMPLATE_FAILURES = {
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
EXAMPLE_FAILURES = {
    "never fires": "every pod is down with CUDA_ERROR_NO_DEVICE: timed out",
    "wrong code": "every pod is down with CUDA_ERROR_NO_DEVICE: timed out",
    "does not crash": "every pod is down with CUDA_ERROR_NO_DEVICE: timed out",
    "does not pin": "not all pods fit on node1",
    "starts elsewhere": "all pinned pods are unschedulable: timed out",
    "does not drain": "all pods leave the drained node: timed out",
    "stays injected": "the pods are healthy on other nodes: timed out",
    "stays broken": "the pods are healthy on other nodes: timed out",
    "left behind": "CudaFaultError: configmap cuda-fault-injection-lib in namespace default remains",
    "fail node 3 node1 not found": "CudaFaultError: node1 not found",
    "fail snapshot 3 you may not": "CudaFaultError: you may not",
}


class FakeInference(BaseHTTPRequestHandler):
    """A fake inference service. It returns errors while a fault is armed and while its pods are unschedulable."""

    server: "InferenceService"

    def do_POST(self):
        state = self.server.repo.state()
        pending = bool(state.get("pin")) and state["pin"] in state.get("drained", [])
        self.server.was_armed |= bool(state.get("armed"))
        works = self.server.never_fails or not (
            state.get("armed") or pending or self.server.fails_after_arming and self.server.was_armed
        )
        self.send_response(200 if works and self.server.works else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class InferenceService(ThreadingHTTPServer):
    def __init__(self, repo, never_fails=False, works=True, fails_after_arming=False):
        super().__init__(("127.0.0.1", 0), FakeInference)
        self.repo, self.works, self.was_armed = repo, works, False
        self.never_fails, self.fails_after_arming = never_fails, fails_after_arming

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)

    @property
    def url(self):
        return f"http://{{address}}:{self.server_address[1]}/generate"


class Suites:
    def __init__(self, repo):
        self.repo, self.python = repo, pytest_python()

    def run_pytest(self, file, *arguments, failure="", service=None, **extra):
        self.repo.reset()
        with service or InferenceService(self.repo) as inference:
            settings = {"KUBECONFIG": "/dev/null", "TARGET_DEPLOYMENT": "web", "INFERENCE_ENDPOINT": inference.url}
            settings |= SHORT_TIMEOUT | with_path(BUILD / "bin") | extra
            command = ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", file, *arguments]
            return self.repo.python(*command, failure=failure, **settings)

    def expect_pass(self, file, summary, *arguments, **options):
        done = self.run_pytest(file, *arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert summary in done.stdout

    def expect_failure(self, words, file, *arguments, **options):
        """Asserts that the test fails with these words and restores the workload."""
        done = self.run_pytest(file, *arguments, **options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert words in done.stdout
        state = self.repo.state()
        assert [key for key in ("injected", "armed", "config_map") if state.get(key)] == []


@pytest.fixture
def suites(repo_with_library):
    return Suites(repo_with_library)


ONLY_XID79 = ("-k", "xid79")


@pytest.mark.parametrize(("file", "skipped"), [(TEMPLATE, "6 skipped"), (EXAMPLE, "1 skipped")])
def test_suite_is_skipped_without_a_cluster(suites, file, skipped):
    no_cluster = {"KUBECONFIG": "", "HOME": str(suites.repo.root), "KUBERNETES_SERVICE_HOST": ""}
    done = suites.run_pytest(file, **no_cluster)
    assert done.returncode == 0
    assert skipped in done.stdout
    assert "no cluster is configured" in done.stdout
    assert suites.repo.calls() == []


@pytest.mark.parametrize(("file", "skipped"), [(TEMPLATE, "6 skipped"), (EXAMPLE, "1 skipped")])
def test_suite_is_skipped_without_a_workload(suites, file, skipped):
    done = suites.run_pytest(file, TARGET_DEPLOYMENT="")
    assert skipped in done.stdout
    assert "TARGET_DEPLOYMENT is not set" in done.stdout


def test_template_passes(suites):
    suites.expect_pass(TEMPLATE, "6 passed")
    armed = [call[2] for call in suites.repo.calls() if call[0] == "arm"]
    assert armed == [f"xid={xid}" for xid in (79, 48, 94, 95, 43, 74)]


def test_template_passes_with_target_node(suites):
    suites.expect_pass(TEMPLATE, "6 passed", TARGET_NODE="node2")


@pytest.mark.parametrize(("failure", "words"), TEMPLATE_FAILURES.items(), ids=TEMPLATE_FAILURES)
def test_template_fails_if_cudafault_fails(suites, failure, words):
    suites.expect_failure(words, TEMPLATE, *ONLY_XID79, failure=failure)


def test_template_fails_if_pods_are_on_another_node(suites):
    suites.expect_failure("a pod is not on node2", TEMPLATE, *ONLY_XID79, failure="does not pin", TARGET_NODE="node2")


def test_template_fails_if_inference_does_not_work_before_the_test(suites):
    suites.expect_failure("before the test", TEMPLATE, *ONLY_XID79, service=InferenceService(suites.repo, works=False))


def test_template_fails_if_inference_does_not_recover(suites):
    service = InferenceService(suites.repo, fails_after_arming=True)
    suites.expect_failure("inference works again: timed out", TEMPLATE, *ONLY_XID79, service=service)


def test_template_fails_if_restore_fails(suites):
    assert suites.run_pytest(TEMPLATE, *ONLY_XID79, failure="fail restore 4 a pod remains").returncode == 1


def test_example_passes(suites):
    suites.expect_pass(EXAMPLE, "1 passed")
    verbs = [" ".join(call[:2]) if call[0] in ("node", "library") else call[0] for call in suites.repo.calls()]
    expected = ["snapshot", "library create", "inject", "arm", "node cordon", "node drain", "restore", "node uncordon"]
    expected += ["restore", "library delete", "verify-clean"]
    assert [verb for verb in verbs if verb != "status"] == expected


@pytest.mark.parametrize(("failure", "words"), EXAMPLE_FAILURES.items(), ids=EXAMPLE_FAILURES)
def test_example_fails_if_cudafault_fails(suites, failure, words):
    suites.expect_failure(words, EXAMPLE, failure=failure)


def test_example_fails_if_inference_never_fails(suites):
    service = InferenceService(suites.repo, never_fails=True)
    suites.expect_failure("inference fails: timed out", EXAMPLE, service=service)


def test_example_fails_if_inference_does_not_work_before_the_drill(suites):
    suites.expect_failure("does not work before the drill", EXAMPLE, service=InferenceService(suites.repo, works=False))
