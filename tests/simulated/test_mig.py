# SPDX-License-Identifier: Apache-2.0
"""Tests MIG devices of simulated GPUs: what CUDA and NVML report about them, and that a plan can select one of them."""

import json
import sys
from pathlib import Path

import pytest
from harness import BUILD, create_python, cudafault, pinned_requirement

# GPU 0 has three MIG devices, GPU 1 has two, GPU 2 has none.
MACHINE = "sim:H100/3g.40gb+1g.10gb:2,A100/4g.40gb+2g.20gb,H100"

# Prints what CUDA reports, and the results of calls that a plan can fail.
CUDA_CLIENT = """
import ctypes, json
cuda = ctypes.CDLL("libcuda.so.1")
count, processors, pointer, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_void_p(), ctypes.c_size_t()
context, name, uuid = ctypes.c_void_p(), ctypes.create_string_buffer(96), ctypes.create_string_buffer(16)
init = cuda.cuInit(0)
cuda.cuDeviceGetCount(ctypes.byref(count))
cuda.cuDeviceGetName(name, 96, 0)
cuda.cuDeviceGetUuid_v2(uuid, 0)
cuda.cuDeviceGetAttribute(ctypes.byref(processors), 16, 0)
cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), 0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
cuda.cuCtxSetCurrent(context)
allocation = cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(1024))
print(json.dumps({"init": init, "count": count.value, "name": name.value.decode(), "uuid": uuid.raw.hex(),
                  "processors": processors.value, "mib": memory.value >> 20, "allocation": allocation}))
"""

# Prints the MIG devices of each GPU as a monitor finds them, and for each device whether its memory can be read.
NVML_CLIENT = """
import json, pynvml
pynvml.nvmlInit()
gpus = []
for index in range(pynvml.nvmlDeviceGetCount()):
    gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
    def memory(handle):
        try:
            return pynvml.nvmlDeviceGetMemoryInfo(handle).total >> 20
        except pynvml.NVMLError as error:
            return type(error).__name__
    devices = []
    for number in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            device = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, number)
        except pynvml.NVMLError_NotFound:
            continue
        parent = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device)
        assert pynvml.nvmlDeviceGetUUID(parent) == pynvml.nvmlDeviceGetUUID(gpu)
        assert pynvml.nvmlDeviceIsMigDeviceHandle(device)
        instance = pynvml.nvmlDeviceGetGpuInstanceById(gpu, pynvml.nvmlDeviceGetGpuInstanceId(device))
        info = pynvml.nvmlGpuInstanceGetInfo(instance)
        attributes = pynvml.nvmlDeviceGetAttributes_v2(device)
        devices.append({"uuid": pynvml.nvmlDeviceGetUUID(device), "name": pynvml.nvmlDeviceGetName(device),
                        "placement": [info.placement.start, info.placement.size], "mib": memory(device),
                        "processors": attributes.multiprocessorCount})
    gpus.append({"uuid": pynvml.nvmlDeviceGetUUID(gpu), "mode": pynvml.nvmlDeviceGetMigMode(gpu)[0],
                 "memory": memory(gpu), "devices": devices})
print(json.dumps(gpus))
"""

GPU_LOST = "NVMLError_GpuIsLost"
NO_DEVICE = 100


@pytest.fixture(scope="module")
def python() -> Path:
    return create_python(BUILD / "clients" / "nvml-getters", pinned_requirement("nvidia-ml-py"))


def nvml_report(python: Path, *plan: str) -> list:
    outcome = cudafault("run", "--gpus", MACHINE, *plan, "--", python, "-c", NVML_CLIENT)
    assert outcome.code == 0, outcome
    return json.loads(outcome.output)


def cuda_report(visible: str | None, *plan: str) -> dict:
    variables = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    run = ["run", "--quiet", "--gpus", MACHINE, *plan, "--", sys.executable, "-c", CUDA_CLIENT]
    outcome = cudafault(*run, **variables)
    assert outcome.code == 0, outcome
    return outcome.json


@pytest.fixture(scope="module")
def gpus(python: Path) -> list:
    return nvml_report(python)


def test_nvml_reports_every_mig_device(gpus):
    assert [gpu["mode"] for gpu in gpus] == [1, 1, 0]
    assert [[device["name"].split(" MIG ")[1] for device in gpu["devices"]] for gpu in gpus] == [
        ["3g.40gb", "1g.10gb", "1g.10gb"],
        ["4g.40gb", "2g.20gb"],
        [],
    ]
    assert gpus[0]["devices"][0]["placement"] == [4, 4]
    assert gpus[0]["devices"][0]["mib"] == 40448
    assert gpus[1]["devices"][1]["processors"] == 28


def test_cuda_reports_only_the_visible_mig_device(gpus):
    for device in [device for gpu in gpus for device in gpu["devices"]]:
        report = cuda_report(device["uuid"])
        assert report["count"] == 1
        assert f"MIG-{report['uuid']}" == device["uuid"].replace("-", "").replace("MIG", "MIG-")
        assert [report[key] for key in ("name", "processors", "mib")] == [
            device[key] for key in ("name", "processors", "mib")
        ]


def test_cuda_reports_the_first_mig_device_by_default(gpus):
    first, second = gpus[0]["devices"][0]["name"], gpus[1]["devices"][0]["name"]
    assert [cuda_report(visible)["name"] for visible in (None, "0", "1", "2,1")] == [first, first, second, second]
    assert cuda_report("2")["name"] == "NVIDIA H100 80GB HBM3"
    assert cuda_report("MIG-ffffffff")["init"] == NO_DEVICE


def test_plan_for_a_mig_device_fails_this_device_only(gpus):
    target, other = gpus[0]["devices"][1]["uuid"], gpus[0]["devices"][2]["uuid"]
    plan = ("--plan", f"xid=79 calls=cuMemAlloc gpu={target}")
    assert cuda_report(target, *plan)["allocation"] == NO_DEVICE
    assert cuda_report(other, *plan)["allocation"] == 0
    assert cuda_report("2", *plan)["allocation"] == 0
    found = cuda_report(target, "--plan", f"xid=79 gpu={target}")
    assert found["init"] == NO_DEVICE, "the MIG device is the only GPU of the process"


def test_plan_selects_mig_device_by_first_digits_of_uuid(gpus):
    target = gpus[0]["devices"][1]["uuid"]
    assert cuda_report(target, "--plan", f"xid=79 calls=cuMemAlloc gpu={target[:16]}")["allocation"] == NO_DEVICE


def test_plan_for_a_gpu_fails_its_mig_devices(gpus):
    own, other = gpus[1]["devices"][1]["uuid"], gpus[0]["devices"][1]["uuid"]
    for selector in ("1", gpus[1]["uuid"], "0000:11:00.0"):
        plan = ("--plan", f"xid=79 calls=cuMemAlloc gpu={selector}")
        assert cuda_report(own, *plan)["allocation"] == NO_DEVICE, selector
        assert cuda_report(other, *plan)["allocation"] == 0, selector


def test_nvml_plan_for_a_mig_device_fails_this_device_only(gpus, python):
    target = gpus[0]["devices"][2]["uuid"]
    plan = f"error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGetMemoryInfo gpu={target}"
    report = nvml_report(python, "--plan", plan)
    lost = [device["uuid"] for gpu in report for device in gpu["devices"] if device["mib"] == GPU_LOST]
    assert lost == [target]
    assert [gpu["memory"] for gpu in report] == [gpu["memory"] for gpu in gpus]


def test_nvml_plan_for_a_gpu_fails_its_mig_devices(gpus, python):
    report = nvml_report(python, "--plan", "error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGetMemoryInfo gpu=1")
    lost = [device["uuid"] for gpu in report for device in gpu["devices"] if device["mib"] == GPU_LOST]
    assert lost == [device["uuid"] for device in gpus[1]["devices"]]
    assert [gpu["memory"] == GPU_LOST for gpu in report] == [False, True, False]


def test_check_refuses_absent_mig_device(gpus):
    refused = cudafault("check", "--gpus", MACHINE, "xid=79 gpu=MIG-01234567-89ab-cdef-0123-456789abcdef")
    assert refused.code == 2
    assert "has no such MIG device: expected the UUID of a MIG device, such as MIG-" in refused.errors


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ("sim:L4/1g.10gb", "the model L4 does not support MIG"),
        ("sim:H100/1g.5gb", "of the profiles 1g.10gb, 1g.20gb"),
        ("sim:H100/4g.40gb:2", "expected MIG profiles that fit on one GPU"),
    ],
)
def test_run_refuses_mig_profiles_that_do_not_fit(machine, words):
    refused = cudafault("run", "--gpus", machine, "--", "true")
    assert refused.code == 2
    assert words in refused.errors


def test_status_lists_mig_devices(gpus):
    outcome = cudafault("run", "--name", "mig", "--gpus", MACHINE, "--", "true")
    assert outcome.code == 0, outcome
    listed = cudafault("status", "mig", "--json").json["gpus"]["list"]
    assert [device["uuid"] for device in listed[0]["mig_devices"]] == [d["uuid"] for d in gpus[0]["devices"]]
    assert "mig_devices" not in listed[2]
