# SPDX-License-Identifier: Apache-2.0
"""Tests which GPUs and processes a fault applies to."""

import shutil
import sys

from control.support import CLIENT, codes, integers, run_client, run_client_in_run

SYNC = "calls=cuCtxSynchronize"
SYNC_ON_BOTH_GPUS = "use:0 sync use:1 sync"
REORDERED = {"CUDA_VISIBLE_DEVICES": "1,0"}
ONLY_SECOND_VISIBLE = {"CUDA_VISIBLE_DEVICES": "1"}


def identities():
    """Returns the UUID and PCI ID of both simulated GPUs."""
    lines = run_client("uuid:0 pci:0 uuid:1 pci:1", preload=[]).output.splitlines()
    return [{"uuid": lines[0], "pci": lines[2]}, {"uuid": lines[4], "pci": lines[6]}]


def test_gpu_selectors_ignore_order_of_visible_devices():
    """All selectors except local: select the same GPU for every order of CUDA_VISIBLE_DEVICES."""
    first, second = identities()

    def expect(gpu, expected, **environment):
        found = codes(SYNC_ON_BOTH_GPUS, f"error=719 {SYNC} gpu={gpu}", environment=environment)[1::2]
        visible = environment.get("CUDA_VISIBLE_DEVICES", "unset")
        assert found == expected, f"gpu={gpu}, CUDA_VISIBLE_DEVICES {visible}: codes on ordinals 0 and 1"

    for gpu in (
        "1",
        "local:1",
        second["uuid"],
        second["pci"],
        second["uuid"].upper(),
        second["pci"].lower(),
    ):
        expect(gpu, [0, 719])
    for gpu in ("0", "local:0", first["uuid"], first["pci"], "0000" + first["pci"]):
        expect(gpu, [719, 0])
    for gpu in ("all", "0,1", "local:0,local:1", f"{first['uuid']},{second['pci']}", f"local:1 {first['uuid']}"):
        expect(gpu, [719, 719])
    expect("2", [0, 0])
    expect("GPU-01234567-89ab-cdef-0123-456789abcdef", [0, 0])
    for gpu in ("1", second["uuid"], second["pci"], "local:0"):
        expect(gpu, [719, 0], **REORDERED)
    expect("local:1", [0, 719], **REORDERED)


def test_run_resolves_gpu_selectors_against_all_gpus():
    """`cudafault run` resolves selectors against all GPUs of the machine, regardless of CUDA_VISIBLE_DEVICES."""
    _, second = identities()
    for gpu, environment, expected in (
        ("1", {}, [0, 719]),
        ("1", REORDERED, [719, 0]),
        (second["uuid"], REORDERED, [719, 0]),
        (second["pci"], REORDERED, [719, 0]),
        ("local:1", REORDERED, [0, 719]),
        ("all", REORDERED, [719, 719]),
    ):
        done = run_client_in_run(SYNC_ON_BOTH_GPUS, "--plan", f"error=719 {SYNC} gpu={gpu}", environment=environment)
        visible = environment.get("CUDA_VISIBLE_DEVICES", "unset")
        assert integers(done.stdout)[1::2] == expected, (
            f"run: gpu={gpu}, CUDA_VISIBLE_DEVICES {visible}: codes on ordinals 0 and 1"
        )
    done = run_client_in_run("use:0 sync", "--plan", f"error=719 {SYNC} gpu=1", environment=ONLY_SECOND_VISIBLE)
    assert integers(done.stdout)[1::2] == [719], "run: gpu=1 selects the only visible GPU"


def test_arguments_or_context_determine_gpu_of_call():
    """The arguments of a call determine its GPU. For other calls, the current context determines the GPU."""
    calls = "cuStreamSynchronize,cuMemcpyHtoD,cuCtxGetApiVersion,cuDeviceGetAttribute,cuMemCreate,cudaMemcpy"
    plan = f"error=719 gpu=local:1 calls={calls}"
    for operation in ("stream", "copy", "context", "attribute", "create", "runtime_copy"):
        found = codes(f"use:0 {operation}:0 {operation}:1 use:1 {operation}:0 {operation}:1", plan)
        assert found == [0, 0, 719, 0, 0, 719], f"the {operation} argument determines the GPU"
    found = codes("use:0 default_stream use:1 default_stream", plan)
    assert found == [0, 0, 0, 719], "the default stream belongs to the GPU of the current context"
    found = codes("use:0 sync use:1 sync", f"error=719 gpu=local:1 {SYNC}")
    assert found == [0, 0, 0, 719], "a call without arguments runs on the GPU of the current context"
    found = codes("use:0 runtime_alloc use:1 runtime_alloc", "error=719 gpu=local:1 calls=cudaMalloc")
    assert found == [0, 0, 0, 719], "a runtime call runs on the GPU of the current context"


def test_enumeration_fails_only_if_all_visible_gpus_fail():
    """Enumeration calls fail only if the plan selects every GPU that is visible to the process."""
    first, second = identities()
    calls = "error=719 calls=cuInit,cuDeviceGetCount,cudaGetDeviceCount"
    for gpu, environment, fails in (
        ("all", {}, True),
        ("local:0,local:1", {}, True),
        (f"{first['uuid']},{second['uuid']}", {}, True),
        ("local:0", {}, False),
        (first["uuid"], {}, False),
        ("0,1", {}, True),
        (second["uuid"], ONLY_SECOND_VISIBLE, True),
        (first["uuid"], ONLY_SECOND_VISIBLE, False),
        ("local:0", ONLY_SECOND_VISIBLE, True),
    ):
        found = codes("init count runtime_count", f"{calls} gpu={gpu}", environment=environment)
        visible = environment.get("CUDA_VISIBLE_DEVICES", "unset")
        assert found == [719 if fails else 0] * 3, (
            f"gpu={gpu}, CUDA_VISIBLE_DEVICES {visible}: codes of enumeration calls"
        )


def test_process_selectors_select_expected_processes(tmp_path):
    """Tests process=, rank=, node= and pod=."""

    def expect(key, expected, command=(CLIENT,), **environment):
        outcome = run_client("sync", f"error=719 {SYNC} {key}", command=command, environment=environment)
        variables = " ".join(f"{name}={value}" for name, value in environment.items()) or command[-1].name
        assert integers(outcome.output) == [expected], (
            f"{key} with {variables}: the call returns {expected}",
            outcome.behavior,
        )

    renamed = tmp_path / "train_model"
    shutil.copy(CLIENT, renamed)
    script = tmp_path / "trial.py"
    script.write_text(SCRIPT)
    for key, command, expected in (
        ("process=client", (CLIENT,), 719),
        ("process=train_*", (CLIENT,), 0),
        ("process=train_*", (renamed,), 719),
        ("process=clien?", (CLIENT,), 719),
        ("process=lient", (CLIENT,), 0),
        ("process=trial.py", (sys.executable, script), 719),
        ("process=other.py", (sys.executable, script), 0),
        ("process=python*", (sys.executable, script), 719),
    ):
        expect(key, expected, command)
    for name in ("RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"):
        expect("rank=3", 719, **{name: "3"})
        expect("rank=3", 0, **{name: "4"})
    expect("rank=3", 719, RANK="3", SLURM_PROCID="4")
    expect("rank=0", 0)
    expect("rank=0", 0, RANK="none")
    expect("node=gpu-7", 719, CUDAFAULT_NODE="gpu-7")
    expect("node=gpu-7", 0, CUDAFAULT_NODE="gpu-70")
    expect("node=gpu-7", 0)
    expect("pod=vllm-*", 719, CUDAFAULT_POD="vllm-decode-1")
    expect("pod=vllm-*", 0, CUDAFAULT_POD="web-1")
    expect("pod=vllm-*", 0)
    expect("pod=vllm-* node=gpu-7 rank=1", 719, CUDAFAULT_POD="vllm-1", CUDAFAULT_NODE="gpu-7", RANK="1")
    expect("pod=vllm-* node=gpu-7 rank=1", 0, CUDAFAULT_POD="vllm-1", CUDAFAULT_NODE="gpu-8", RANK="1")


SCRIPT = """
import ctypes
driver = ctypes.CDLL("libcuda.so.1")
context = ctypes.c_void_p()
assert driver.cuInit(0) == 0 and driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert driver.cuCtxSetCurrent(context) == 0
print(driver.cuCtxSynchronize())
"""
