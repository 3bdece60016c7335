#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make the GPUs of a Kubernetes workload fail, and restore the workload. The functions call `cudafault k8s`.

    create_cuda_fault_configmap("default")
    patch_deployment_env("vllm-worker", "default", enable=True, xid_type=79)
    ...
    patch_deployment_env("vllm-worker", "default", enable=False)
    delete_cuda_fault_configmap("default")

Each function blocks until its work is done, shows progress on standard error, prints what it did and returns True. On
failure it raises CudaFaultError. Each function can be repeated, and interrupted with Ctrl-C.

Environment: CUDAFAULT (path of the program, if it is not on PATH), CUDA_FAULT_TIMEOUT (seconds, default 300),
CUDA_FAULT_EXPIRES (duration after which an armed fault expires, default 4h), KUBECONFIG (as for kubectl). The
functions need neither kubectl nor a Python package.
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

DIRECTORY = Path(__file__).resolve().parent
BUILT_PROGRAM = DIRECTORY.parent / "build" / "bin" / "cudafault"
DEFAULT_TIMEOUT = 300
DEFAULT_EXPIRY = "4h"
ERROR_PREFIX = "cudafault: "
ENVIRONMENT_EXIT_CODE = 3
INTERRUPT_GRACE = 2.0
READER_GRACE = 2.0  # an exec credential plugin that keeps running can keep standard error open


class CudaFaultError(RuntimeError):
    """A failure, described in one line. `exit_code` is the exit code of `cudafault`: 2 invalid usage, 3 error of the
    cluster or machine, 4 objects or changes of cudafault remain."""

    def __init__(self, message: str, exit_code: int = ENVIRONMENT_EXIT_CODE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


# Public functions


def create_cuda_fault_configmap(namespace: str, *, timeout: float | None = None) -> bool:
    """Create or update the ConfigMap `cuda-fault-injection-lib` with the source of the library, which an init container
    compiles in each pod.

    namespace: namespace of the workload.
    timeout: seconds; default: CUDA_FAULT_TIMEOUT, or 300.
    Returns True. Raises CudaFaultError if the cluster is unreachable, permission is missing or the namespace does not
    exist.
    """
    deadline = _deadline(timeout)
    cudafault_json("library", "create", "-n", namespace, timeout=_remaining(deadline))
    _print(f"ConfigMap cuda-fault-injection-lib is in namespace {namespace}")
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
    """Make the GPUs of a workload fail (enable=True), or restore the workload (enable=False).

    deployment_name: name of a DynamoGraphDeployment or, if none has this name, of a Deployment.
    namespace: namespace of the workload.
    enable: True replaces the pods with pods that preload the library, and then arms the fault: a running pod fails at
        its next CUDA call, a restarted pod at its first. A second call changes the armed fault. False disarms, unpins
        and restores the workload; it succeeds if nothing was injected.
    use_configmap: True compiles the library in the pod, from create_cuda_fault_configmap(). False sets only the
        environment: the image must contain the library at /cuda-fault/fake_cuda_xid79.so.
    target_node: pins the pods to this node. The output names pods that do not fit on the node, and old pods that a
        graph's operator keeps because of them. The call fails only if no pod fits.
    xid_type: an XID that `cudafault xids` lists.
    passthrough_mode: True does not arm a fault; use `cudafault k8s arm` to arm one later, without a restart.
    timeout: seconds for the whole call; default: CUDA_FAULT_TIMEOUT, or 300.
    Returns True. Raises CudaFaultError if the workload does not exist, the XID is unknown, the ConfigMap or a permission
    is missing, pods were not replaced in time, or an object could not be restored.
    """
    deadline = _deadline(timeout)
    target = [deployment_name, "-n", namespace]
    if not enable:
        _report_restored(deployment_name, cudafault_json("restore", *target, timeout=_remaining(deadline)))
        return True
    options = ["--delivery", "source" if use_configmap else "image"]
    options += ["--contract-xid", str(xid_type), "--contract-enabled", "0" if passthrough_mode else "1"]
    options += ["--node", target_node] if target_node else []
    options += ["--or-all-containers", "--replace"]
    _report_injected(cudafault_json("inject", *target, *options, timeout=_remaining(deadline)))
    if passthrough_mode:
        _print(f"no fault is armed; arm one with `cudafault k8s arm {deployment_name} 'xid={xid_type}' -n {namespace}`")
        return True
    expiry = ["--expires", os.environ.get("CUDA_FAULT_EXPIRES") or DEFAULT_EXPIRY]
    arm = ["arm", deployment_name, f"xid={xid_type}", "-n", namespace, *expiry]
    _report_armed(cudafault_json(*arm, timeout=_remaining(deadline)))
    return True


def delete_cuda_fault_configmap(namespace: str, *, timeout: float | None = None) -> bool:
    """Delete the ConfigMap `cuda-fault-injection-lib`. Succeeds if it does not exist.

    namespace: namespace of the ConfigMap.
    timeout: seconds; default: CUDA_FAULT_TIMEOUT, or 300.
    Returns True. Raises CudaFaultError if a workload still mounts the ConfigMap (the message names the workload), the
    cluster is unreachable or permission is missing.
    """
    deadline = _deadline(timeout)
    cudafault_json("library", "delete", "-n", namespace, timeout=_remaining(deadline))
    _print(f"ConfigMap cuda-fault-injection-lib is deleted from namespace {namespace}")
    return True


# Calling the cudafault program


def find_cudafault() -> str:
    """Return the path of `cudafault`: $CUDAFAULT, the program on PATH, or the program in build/, in this order."""
    if configured := os.environ.get("CUDAFAULT"):
        if found := shutil.which(configured):
            return found
        raise CudaFaultError(f'invalid CUDAFAULT "{configured}": expected the path of an executable')
    if found := shutil.which("cudafault") or shutil.which(BUILT_PROGRAM):
        return str(found)
    raise CudaFaultError(f"cudafault not found on PATH or at {BUILT_PROGRAM}: run `make` in {DIRECTORY}")


def cudafault_k8s(*arguments: str, timeout: float | None = None) -> str:
    """Run `cudafault k8s ARGUMENTS`, pass its progress through to standard error and return its standard output.
    Raises CudaFaultError with the program's message if it fails."""
    return _run([find_cudafault(), "k8s", *arguments, "--timeout", f"{math.ceil(_seconds(timeout))}s"])


def cudafault_json(*arguments: str, timeout: float | None = None) -> dict[str, Any]:
    """Run `cudafault k8s ARGUMENTS --json` like cudafault_k8s() and return the parsed output."""
    limit = f"{math.ceil(_seconds(timeout))}s"
    output = _run([find_cudafault(), "k8s", *arguments, "--timeout", limit, "--json"])
    try:
        return json.loads(output)
    except ValueError:
        message = f"`cudafault k8s {arguments[0]}` printed {output[:80]!r} instead of JSON"
        raise CudaFaultError(message) from None


def _run(command: list[str]) -> str:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise CudaFaultError(f"cannot start {command[0]}: {error.strerror}") from None
        errors = _wait(process)
        output.seek(0)
        if process.returncode == 0:
            return output.read()
    exit_code = process.returncode if process.returncode > 0 else ENVIRONMENT_EXIT_CODE
    raise CudaFaultError(_error_message(command, process.returncode, errors), exit_code)


def _wait(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the command, show its standard error while it runs, and return the lines of its standard error."""
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
    """Wait until the command has shut down. A Ctrl-C on the terminal reaches the command too; other interrupts of this
    process do not, so SIGINT is sent after a grace period."""
    try:
        process.wait(timeout=INTERRUPT_GRACE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait()


def _error_message(command: list[str], code: int, errors: list[str]) -> str:
    messages = [line.removeprefix(ERROR_PREFIX) for line in errors if line.startswith(ERROR_PREFIX)]
    if messages:
        return messages[-1]
    outcome = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
    return f"`{shlex.join(['cudafault', *command[1:]])}` {outcome} without a message"


def _seconds(timeout: float | None) -> float:
    value = os.environ.get("CUDA_FAULT_TIMEOUT") or DEFAULT_TIMEOUT if timeout is None else timeout
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if 0 < seconds < math.inf:
        return seconds
    raise CudaFaultError(f'invalid timeout "{value}": expected a number of seconds above 0', 2)


def _deadline(timeout: float | None) -> float:
    return time.monotonic() + _seconds(timeout)


def _remaining(deadline: float) -> float:
    return max(1.0, deadline - time.monotonic())


# Output


def _print(line: str) -> None:
    print(line, flush=True)


def _print_indented(lines: list[str]) -> None:
    for line in lines:
        _print(f"  {line}")


def _workload_name(result: dict[str, Any]) -> str:
    workload = result["workload"]
    return f"{workload['kind']} {workload['namespace']}/{workload['name']}"


def _report_injected(result: dict[str, Any]) -> None:
    verb = "already preloads" if result.get("unchanged") else "preloads"
    _print(f"{_workload_name(result)} {verb} the library in {', '.join(result['containers'])}")
    for pod in result["pods"]:
        _print(f"  pod {pod['pod']} on {pod['node']}: {_library_state(pod['library_seen'])}")
    _print_indented([f"pod {pod['pod']} is Pending: {pod['why']}" for pod in result.get("pending", [])])
    old_pods = result.get("old_pods", [])
    _print_indented([f"pod {name} runs without the library until a new pod is Ready" for name in old_pods])
    _print_indented(result.get("notes", []))


def _report_armed(result: dict[str, Any]) -> None:
    _print(f"armed until {result['until']}: {result['spec']}")
    _print_indented([f"pod {pod['pod']}: {pod['state']}" for pod in result["pods"]])


def _report_restored(name: str, result: dict[str, Any]) -> None:
    _print(f"{name} is restored" if result["restored"] else f"{name} has no injection to restore")
    _print_indented(result.get("kept", []) + result.get("notes", []))


def _library_state(library_seen: bool) -> str:
    return "library seen" if library_seen else "library not seen"


# Command-line interface, with the options of the script of the same name in NVIDIA Dynamo


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the GPUs of a Kubernetes workload fail, and restore it.")
    workload_help = "name of a DynamoGraphDeployment or, if none has this name, of a Deployment"
    parser.add_argument("--deployment", required=True, help=workload_help)
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--node", help="pin the pods to this node")
    parser.add_argument("--xid-type", default="79", help="an XID that `cudafault xids` lists (default 79)")
    parser.add_argument("--passthrough", action="store_true", help="preload the library without arming a fault")
    parser.add_argument("--patch-deployment", action="store_true", help="accepted for compatibility; it has no effect")
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--remove", action="store_true", help="restore the workload and delete the ConfigMap")
    actions.add_argument("--verify", action="store_true", help="exit with 1 unless every pod has loaded the library")
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
    result = cudafault_json("status", options.deployment, "-n", options.namespace)
    pods = result["pods"]
    armed = result["armed"]
    plan = f"armed {armed['spec']} until {armed['until']}" if armed else "no fault is armed"
    _print(f"{_workload_name(result)}: {plan}")
    for pod in pods:
        _print(f"  pod {pod['pod']} on {pod['node']}: {_library_state(pod['library_seen'])}, fired {pod['fired']}")
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
