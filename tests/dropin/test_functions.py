# SPDX-License-Identifier: Apache-2.0
"""Tests the functions and the command line of inject_into_pods.py: their calls of `cudafault k8s`, results,
output and exceptions."""

import os
import signal
import subprocess
import sys
import time

import pytest
from dropin import contract
from dropin.support import HERE

LIMIT = ["--timeout", "T"]
CREATE = ["library", "create", "-n", "default", *LIMIT, "--json"]
DELETE = ["library", "delete", "-n", "default", *LIMIT, "--json"]
RESTORE = ["restore", "web", "-n", "default", *LIMIT, "--json"]
STATUS = ["status", "web", "-n", "default", *LIMIT, "--json"]


def inject(delivery="source", xid="79", enabled="1", node="", name="web"):
    options = ["--delivery", delivery, "--contract-xid", xid, "--contract-enabled", enabled]
    pin = ["--node", node] if node else []
    return ["inject", name, "-n", "default", *options, *pin, "--or-all-containers", "--replace", *LIMIT, "--json"]


def arm(xid="79", expires="4h", name="web"):
    return ["arm", name, f"xid={xid}", "-n", "default", "--expires", expires, *LIMIT, "--json"]


CALLS = {
    "create_cuda_fault_configmap('default')": [CREATE],
    "delete_cuda_fault_configmap('default')": [DELETE],
    "patch_deployment_env('web', 'default')": [inject(), arm()],
    "patch_deployment_env('web', 'default', True, True, 'n1', 48)": [inject(xid="48", node="n1"), arm("48")],
    "patch_deployment_env('web', 'default', target_node='')": [inject(), arm()],
    "patch_deployment_env('web', 'default', use_configmap=False)": [inject("image"), arm()],
    "patch_deployment_env('web', 'default', xid_type=74, passthrough_mode=True)": [inject(xid="74", enabled="0")],
    "patch_deployment_env('web', 'default', enable=False)": [RESTORE],
    "patch_deployment_env('web', 'default', False, True, 'n1', 48, True)": [RESTORE],
}

OUTPUT = {
    "create_cuda_fault_configmap('default')": ["ConfigMap cuda-fault-injection-lib is in namespace default"],
    "patch_deployment_env('web', 'default', target_node='node1')": [
        "Deployment default/web preloads the library in main",
        "  pod web-0 on node1: library seen",
        "  pod web-2 is Pending: node1 has no free GPU",
        "  pod web-3 runs without the library until a new pod is Ready",
        "  no container requests a GPU, so all containers are injected",
        "armed until 2030-01-01T00:00:00Z: xid=79",
        "  pod web-1: armed",
    ],
    "patch_deployment_env('web', 'default', passthrough_mode=True)": [
        "no fault is armed; arm one with `cudafault k8s arm web 'xid=79' -n default`"
    ],
    "patch_deployment_env('web', 'default', enable=False)": ["web has no injection to restore"],
}

# Failure, function, expected message, exit code, and expected commands.
REFUSALS = [
    ("fail library 3 you may not create configmaps", "create_cuda_fault_configmap('default')", "", 3, ["library"]),
    ("fail library 3 deployment.apps/web mounts it", "delete_cuda_fault_configmap('default')", "", 3, ["library"]),
    ("fail inject 2 unknown XID 999", "patch_deployment_env('web', 'default', xid_type=999)", "", 2, ["inject"]),
    ("fail arm 3 the API server is unreachable", "patch_deployment_env('web', 'default')", "", 3, ["inject", "arm"]),
    ("fail restore 4 a pod remains", "patch_deployment_env('web', 'default', enable=False)", "", 4, ["restore"]),
    ("killed", "create_cuda_fault_configmap('default')", "was killed by signal 9 without a message", 3, ["library"]),
    ("no reason", "create_cuda_fault_configmap('default')", "exited with 3 without a message", 3, ["library"]),
    ("no JSON", "create_cuda_fault_configmap('default')", "instead of JSON", 3, ["library"]),
    ("", "create_cuda_fault_configmap('default', timeout=0)", "expected a number of seconds above 0", 2, []),
    ("", "create_cuda_fault_configmap('default', timeout='soon')", "expected a number of seconds above 0", 2, []),
]

# Arguments, failure, exit code, and expected calls.
COMMANDS = [
    ("", "", 0, [CREATE, inject(), arm()]),
    ("--node n1 --xid-type 43 --patch-deployment", "", 0, [CREATE, inject(xid="43", node="n1"), arm("43")]),
    ("--passthrough", "", 0, [CREATE, inject(enabled="0")]),
    ("--remove", "", 0, [RESTORE, DELETE]),
    ("--verify", "", 1, [STATUS]),
    ("--remove --verify", "", 2, []),
    ("", "fail inject 3 deployment web not found", 3, [CREATE, inject()]),
    ("--remove", "fail restore 4 a pod remains", 4, [RESTORE]),
    ("--verify", "fail status 3 no cluster", 3, [STATUS]),
]


def call(repo, function, failure="", **extra):
    script = f"from inject_into_pods import *\nprint('returned', {function})"
    return repo.python("-c", script, failure=failure, **extra)


@pytest.mark.parametrize(("function", "expected"), CALLS.items(), ids=CALLS)
def test_functions_call_cudafault(repo, function, expected):
    done = call(repo, function)
    assert repo.calls() == expected
    assert "returned True" in done.stdout.splitlines(), done


@pytest.mark.parametrize(("function", "expected"), OUTPUT.items(), ids=OUTPUT)
def test_functions_print_progress(repo, function, expected):
    done = call(repo, function)
    assert [line for line in expected if line not in done.stdout.splitlines()] == []
    assert "1 of 2 pods replaced" in done.stderr


@pytest.mark.parametrize(("failure", "function", "message", "code", "verbs"), REFUSALS)
def test_functions_raise_cudafault_error(repo, failure, function, message, code, verbs):
    wanted = message or failure.split(" ", 3)[3]
    script = f"from inject_into_pods import *\ntry: {function}\n"
    script += "except RuntimeError as e: print(type(e).__name__, e.exit_code, e)\nelse: print('passed')"
    done = repo.python("-c", script, failure=failure)
    raised = (done.stdout.splitlines() or [done.stderr])[-1]
    assert raised.startswith(f"CudaFaultError {code} ")
    assert wanted in raised
    assert [words[0] for words in repo.calls()] == verbs


@pytest.mark.parametrize(("arguments", "failure", "code", "expected"), COMMANDS)
def test_command_line_calls_cudafault(repo, arguments, failure, code, expected):
    command = [repo.dropin / "inject_into_pods.py", "--deployment", "web", *arguments.split()]
    done = repo.python(*command, failure=failure)
    assert done.returncode == code
    assert repo.calls() == expected
    assert "Traceback" not in done.stderr


def test_verify_option_checks_the_library(repo):
    command = [repo.dropin / "inject_into_pods.py", "--deployment", "web"]
    for failure, code in (("", 0), ("library not seen", 1)):
        repo.reset()
        repo.python(*command)
        done = repo.python(*command, "--verify", failure=failure)
        assert done.returncode == code, f"exit code of --verify after injection, failure {failure!r}"
        assert "armed xid=79 until" in done.stdout, done.stdout


def test_variables_set_timeout_and_expiry(repo):
    function = "patch_deployment_env('web', 'default')"
    for settings, argument, limit in (
        ({"CUDA_FAULT_TIMEOUT": "7.5"}, "", "8s"),
        ({"CUDA_FAULT_TIMEOUT": "7.5"}, ", timeout=20", "20s"),
        ({"CUDA_FAULT_TIMEOUT": ""}, "", "T"),
    ):
        repo.reset()
        call(repo, function.replace(")", f"{argument})"), **settings)
        assert limit in repo.calls()[0], (f"{settings}{argument}: the timeout is {limit}", repo.calls())
    repo.reset()
    call(repo, function, CUDA_FAULT_EXPIRES="30m")
    assert repo.calls()[1] == arm(expires="30m"), "CUDA_FAULT_EXPIRES sets the expiry"


def test_functions_can_be_repeated(repo):
    repo.reset()
    functions = [f"patch_deployment_env('web', 'default', xid_type={xid})" for xid in (79, 48)]
    functions += ["patch_deployment_env('web', 'default', enable=False)"] * 2
    codes = [call(repo, function).returncode for function in functions]
    assert codes == [0] * len(functions), "all functions can be repeated"
    assert not repo.state()["injected"] and not repo.state()["armed"], repo.state()


def test_functions_find_cudafault(repo):
    """The functions use the program that CUDAFAULT names, or search PATH and ../build/bin."""
    function = "create_cuda_fault_configmap('default')"
    fake = HERE / "fake_cudafault.py"
    folder = repo.root / "on path"
    folder.mkdir()
    (folder / "cudafault").symlink_to(fake)
    built = repo.root / "build" / "bin"
    without = {"CUDAFAULT": "", "PATH": "/usr/bin:/bin"}
    done = call(repo, function, **without)
    assert "run `make` in" in done.stderr, done.stderr
    assert "CudaFaultError" in done.stderr and "returned" not in done.stdout, done
    path = f"{folder}:{os.environ['PATH']}"
    assert call(repo, function, CUDAFAULT="", PATH=path).returncode == 0, "cudafault is found on PATH"
    built.mkdir(parents=True)
    (built / "cudafault").symlink_to(fake)
    path = os.pathsep.join([os.path.dirname(sys.executable), "/usr/bin", "/bin"])
    assert call(repo, function, CUDAFAULT="", PATH=path).returncode == 0, "cudafault is found in ../build/bin"
    done = call(repo, function, CUDAFAULT="/no/such/program")
    refused = 'invalid CUDAFAULT "/no/such/program"' in done.stderr
    assert refused, done


def wait_for_file(file, seconds=30):
    deadline = time.monotonic() + seconds
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return file.exists()


def test_interrupt_ends_cudafault(repo):
    """Sends SIGINT to the whole process group, as Ctrl-C does, and to Python alone."""
    # Restores Python's handler, because the background jobs of a shell script and their children ignore SIGINT.
    script = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "from inject_into_pods import *\ntry: create_cuda_fault_configmap('default')\n"
    script += "except KeyboardInterrupt: print('interrupted')"
    for method, send in (("Ctrl-C", os.killpg), ("SIGINT to Python alone", os.kill)):
        repo.reset()
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=repo.environment("waits"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        ready = wait_for_file(repo.fake / "waiting")
        send(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        assert ready and output == "interrupted\n", (f"{method} raises KeyboardInterrupt", (output, errors))
        assert (repo.fake / "ended after SIGINT").exists(), errors
        assert "cudafault: interrupted" in errors, errors


def test_contract_snippets_run(repo):
    """Runs the contract's snippets in a test file outside the drop-in directory."""
    repo.reset()
    tests = repo.root / "user tests"
    tests.mkdir()
    (tests / "test_gpu.py").write_text(contract.IMPORT + contract.GLOBALS + contract.TESTS)
    script = "import test_gpu; test_gpu.test_gpu_failure_xid79(); test_gpu.test_ecc_error_xid48()"
    done = repo.python("-c", script, PYTHONPATH=str(tests))
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), "the contract's snippets run"
    name = {"name": "vllm-worker"}
    restore = ["restore", "vllm-worker", *RESTORE[2:]]
    first = [CREATE, inject(node="node-with-gpu", **name), arm(**name), restore, DELETE]
    second = [CREATE, inject(xid="48", **name), arm("48", **name), restore, DELETE]
    assert repo.calls() == first + second, "the contract's snippets make the expected calls"
    readme = (repo.dropin / "README.md").read_text()
    for snippet in (contract.BUILD, contract.IMPORT, contract.TESTS):
        assert snippet in readme, snippet
