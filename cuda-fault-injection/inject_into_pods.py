#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the GPUs of a Kubernetes workload fail, and takes it back: the contract's functions over `cudafault k8s`.

    create_cuda_fault_configmap("default")
    patch_deployment_env("vllm-worker", "default", enable=True, xid_type=79)
    ...
    patch_deployment_env("vllm-worker", "default", enable=False)
    delete_cuda_fault_configmap("default")

Each function blocks until its work is done, shows progress on standard error, prints what was done and returns True.
What could not be done raises CudaFaultError. All of them can be repeated, and interrupted with Ctrl-C.

Environment: CUDAFAULT (the program, if not on PATH), CUDA_FAULT_TIMEOUT (seconds, 300), CUDA_FAULT_EXPIRES (after how
long an armed fault ends by itself, 4h), KUBECONFIG (as for kubectl). Neither kubectl nor a Python package is needed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "build" / "bin" / "cudafault"
DEFAULT_TIMEOUT = 300
DEFAULT_EXPIRY = "4h"
ERROR_PREFIX = "cudafault: "
ENVIRONMENT_EXIT_CODE = 3
INTERRUPT_GRACE = 2.0
READER_GRACE = 2.0  # a login plugin that lives on may keep standard error open


class CudaFaultError(RuntimeError):
    """What could not be done, in one sentence. `exit_code` is that of `cudafault`: 2 usage, 3 cluster or machine, 4
    something was left behind."""

    def __init__(self, message: str, exit_code: int = ENVIRONMENT_EXIT_CODE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


# The contract's functions


def create_cuda_fault_configmap(namespace: str, *, timeout: float | None = None) -> bool:
    """Creates the ConfigMap `cuda-fault-injection-lib`: the source of the library, which an init container compiles in
    each pod. One that is there already is brought up to date.

    namespace: where the workload is.
    timeout: seconds; default CUDA_FAULT_TIMEOUT, else 300.
    Returns True. Raises CudaFaultError: no cluster, no permission, no such namespace.
    """
    deadline = _deadline(timeout)
    cudafault_json("library", "create", "-n", namespace, timeout=_left(deadline))
    _say(f"ConfigMap cuda-fault-injection-lib is in namespace {namespace}")
    return True


def patch_deployment_env(
    deployment_name: str,
    namespace: str,
    enable: bool = True,
    use_configmap: bool = True,
    target_node: str | None = None,
    xid_type: int = 79,
    passthrough_mode: bool = False,
    *,
    timeout: float | None = None,
) -> bool:
    """Makes the GPUs of a workload fail (enable=True), or takes everything back (enable=False).

    deployment_name: a DynamoGraphDeployment of that name, else a Deployment.
    namespace: where it is.
    enable: True replaces the pods by ones that preload the library, and then arms the fault: every pod fails at its
        next CUDA call, a restarted one at its first. Called again, it changes what is armed. False disarms, unpins
        and restores the workload; that nothing was injected is fine.
    use_configmap: True compiles the library in the pod, from create_cuda_fault_configmap(). False sets only the
        environment: the image has the library at /cuda-fault/fake_cuda_xid79.so.
    target_node: pins the pods to this node. Pods for which it has no room are named, and that is no failure; nor is
        it if a graph's operator then keeps old ones. It is one if the node has room for none.
    xid_type: an XID that `cudafault xids` lists.
    passthrough_mode: True arms nothing; `cudafault k8s arm` does that later, without a restart.
    timeout: seconds for all of it; default CUDA_FAULT_TIMEOUT, else 300.
    Returns True. Raises CudaFaultError: no such workload, unknown XID, no ConfigMap, no permission, pods that could not
    be replaced in time, something that could not be taken back.
    """
    deadline = _deadline(timeout)
    where = [deployment_name, "-n", namespace]
    if not enable:
        _report_restored(deployment_name, cudafault_json("restore", *where, timeout=_left(deadline)))
        return True
    how = ["--delivery", "source" if use_configmap else "image"]
    how += ["--contract-xid", str(xid_type), "--contract-enabled", "0" if passthrough_mode else "1"]
    how += ["--node", target_node] if target_node else []
    how += ["--or-all-containers", "--replace"]
    _report_injected(cudafault_json("inject", *where, *how, timeout=_left(deadline)))
    if passthrough_mode:
        _say(f"nothing is armed; `cudafault k8s arm {deployment_name} 'xid={xid_type}' -n {namespace}` does that")
        return True
    expiry = ["--expires", os.environ.get("CUDA_FAULT_EXPIRES") or DEFAULT_EXPIRY]
    arm = ["arm", deployment_name, f"xid={xid_type}", "-n", namespace, *expiry]
    _report_armed(cudafault_json(*arm, timeout=_left(deadline)))
    return True


def delete_cuda_fault_configmap(namespace: str, *, timeout: float | None = None) -> bool:
    """Deletes the ConfigMap `cuda-fault-injection-lib`; that there is none is fine.

    namespace: where it is.
    timeout: seconds; default CUDA_FAULT_TIMEOUT, else 300.
    Returns True. Raises CudaFaultError: a workload, which is named, still mounts it; no cluster, no permission.
    """
    deadline = _deadline(timeout)
    cudafault_json("library", "delete", "-n", namespace, timeout=_left(deadline))
    _say(f"ConfigMap cuda-fault-injection-lib is gone from namespace {namespace}")
    return True


# The program they call


def find_cudafault() -> str:
    """The path of `cudafault`: $CUDAFAULT, else on PATH, else built beside this directory."""
    if named := os.environ.get("CUDAFAULT"):
        if found := shutil.which(named):
            return found
        raise CudaFaultError(f"CUDAFAULT names {named}, which is no program")
    if found := shutil.which("cudafault") or shutil.which(BUILT):
        return str(found)
    raise CudaFaultError(f"there is no cudafault program on PATH or at {BUILT}: run `make` in {HERE}")


def cudafault_k8s(*arguments: str, timeout: float | None = None) -> str:
    """Runs `cudafault k8s ARGUMENTS`, passes its progress through to standard error and returns its standard output.
    Raises CudaFaultError with its sentence if it fails."""
    return _finish([find_cudafault(), "k8s", *arguments, "--timeout", f"{math.ceil(_seconds(timeout))}s"])


def cudafault_json(*arguments: str, timeout: float | None = None) -> dict[str, Any]:
    """The same with --json."""
    limit = f"{math.ceil(_seconds(timeout))}s"
    answer = _finish([find_cudafault(), "k8s", *arguments, "--timeout", limit, "--json"])
    try:
        return json.loads(answer)
    except ValueError:
        found = f"`cudafault k8s {arguments[0]}` did not answer in JSON but with {answer[:80]!r}"
        raise CudaFaultError(found) from None


def _finish(command: list[str]) -> str:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as answer:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise CudaFaultError(f"{command[0]} cannot be started: {error.strerror}") from None
        errors = _wait(process)
        answer.seek(0)
        if process.returncode == 0:
            return answer.read()
    exit_code = process.returncode if process.returncode > 0 else ENVIRONMENT_EXIT_CODE
    raise CudaFaultError(_sentence(command, process.returncode, errors), exit_code)


def _wait(process: subprocess.Popen[str]) -> list[str]:
    """What the command said on standard error, shown while it ran."""
    errors: list[str] = []
    reader = threading.Thread(target=_pass_through, args=(process.stderr, errors), daemon=True)
    reader.start()
    try:
        process.wait()
    except BaseException:
        _interrupt(process)
        raise
    finally:
        reader.join(timeout=READER_GRACE)
    return errors


def _pass_through(stream: IO[str], lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip("\n"))
            print(line, end="", file=sys.stderr, flush=True)


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Waits until the command has ended in good order. A Ctrl-C on the terminal has reached it already; what else
    interrupts this process has not."""
    try:
        process.wait(timeout=INTERRUPT_GRACE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()


def _sentence(command: list[str], code: int, errors: list[str]) -> str:
    said = [line.removeprefix(ERROR_PREFIX) for line in errors if line.startswith(ERROR_PREFIX)]
    if said:
        return said[-1]
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    return f"`{shlex.join(['cudafault', *command[1:]])}` {how} and gave no reason"


def _seconds(timeout: float | None) -> float:
    given = os.environ.get("CUDA_FAULT_TIMEOUT") or DEFAULT_TIMEOUT if timeout is None else timeout
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = math.nan
    if 0 < seconds < math.inf:
        return seconds
    raise CudaFaultError(f"a timeout is a number of seconds above 0, and {given!r} is none", 2)


def _deadline(timeout: float | None) -> float:
    return time.monotonic() + _seconds(timeout)


def _left(deadline: float) -> float:
    return max(1.0, deadline - time.monotonic())


# What is printed


def _say(line: str) -> None:
    print(line, flush=True)


def _say_all(lines: list[str]) -> None:
    for line in lines:
        _say(f"  {line}")


def _name(answer: dict[str, Any]) -> str:
    workload = answer["workload"]
    return f"{workload['kind']} {workload['namespace']}/{workload['name']}"


def _report_injected(answer: dict[str, Any]) -> None:
    what = "already preloads" if answer.get("unchanged") else "preloads"
    _say(f"{_name(answer)} {what} the library in {', '.join(answer['containers'])}")
    _say_all([f"pod {pod['pod']} on {pod['node']}: {_seen(pod['library_seen'])}" for pod in answer["pods"]])
    _say_all([f"pod {pod['pod']} is pending: {pod['why']}" for pod in answer.get("pending", [])])
    _say_all([f"pod {name} stays without the library until a new one is Ready" for name in answer.get("old_pods", [])])
    _say_all(answer.get("notes", []))


def _report_armed(answer: dict[str, Any]) -> None:
    _say(f"armed until {answer['until']}: {answer['spec']}")
    _say_all([f"pod {pod['pod']}: {pod['state']}" for pod in answer["pods"]])


def _report_restored(name: str, answer: dict[str, Any]) -> None:
    _say(f"{name} is restored" if answer["restored"] else f"{name} had nothing to restore")
    _say_all(answer.get("kept", []) + answer.get("notes", []))


def _seen(library_seen: bool) -> str:
    return "library seen" if library_seen else "library not seen"


# The command line of the predecessor


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the GPUs of a Kubernetes workload fail, and takes it back.")
    parser.add_argument("--deployment", required=True, help="a DynamoGraphDeployment of that name, else a Deployment")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--node", help="pins the pods to this node")
    parser.add_argument("--xid-type", default="79", help="one that `cudafault xids` lists (default 79)")
    parser.add_argument("--passthrough", action="store_true", help="preloads the library and arms nothing")
    parser.add_argument("--patch-deployment", action="store_true", help="accepted: it is the only way there is")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--remove", action="store_true", help="takes everything back, the ConfigMap too")
    instead.add_argument("--verify", action="store_true", help="ends with 1 unless every pod has the library loaded")
    return parser.parse_args(arguments)


def _inject(options: argparse.Namespace) -> int:
    create_cuda_fault_configmap(options.namespace)
    patch_deployment_env(
        options.deployment,
        options.namespace,
        target_node=options.node,
        xid_type=options.xid_type,
        passthrough_mode=options.passthrough,
    )
    return 0


def _remove(options: argparse.Namespace) -> int:
    patch_deployment_env(options.deployment, options.namespace, enable=False)
    delete_cuda_fault_configmap(options.namespace)
    return 0


def _verify(options: argparse.Namespace) -> int:
    answer = cudafault_json("status", options.deployment, "-n", options.namespace)
    pods = answer["pods"]
    armed = answer["armed"]
    what = f"armed {armed['spec']} until {armed['until']}" if armed else "nothing armed"
    _say(f"{_name(answer)}: {what}")
    _say_all([f"pod {pod['pod']} on {pod['node']}: {_seen(pod['library_seen'])}, fired {pod['fired']}" for pod in pods])
    return 0 if pods and all(pod["library_seen"] for pod in pods) else 1


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    action = _remove if options.remove else _verify if options.verify else _inject
    try:
        return action(options)
    except CudaFaultError as error:
        print(f"inject_into_pods: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
