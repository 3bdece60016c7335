# SPDX-License-Identifier: Apache-2.0
"""Tests gpu= for NVML calls. The library must determine the GPU from each kind of argument that identifies a GPU, and
from no other argument."""

import subprocess
import sys
from pathlib import Path

import pytest
from harness import BUILD, ROOT, clean_environment

PROGRAM = """
import ctypes, sys
from ctypes import byref, c_char_p, c_uint, c_uint64, c_void_p, create_string_buffer
nvml = ctypes.CDLL("libnvidia-ml.so.1")
number, handles, text = c_uint(), [c_void_p(), c_void_p()], create_string_buffer(96)
nvml.nvmlInit_v2()
real = [nvml.nvmlDeviceGetHandleByIndex_v2(i, byref(handles[i])) for i in (0, 1)]
pci = [create_string_buffer(bytes(16) + bytes([0] * 4 + [16 * (i + 1)] + [0] * 43), 68) for i in (0, 1)]
calls = {
    "index": lambda i: nvml.nvmlDeviceGetHandleByIndex_v2(i, byref(c_void_p())),
    "uuid": lambda i: nvml.nvmlDeviceGetHandleByUUID(
        c_char_p(b"GPU-" + b"-".join(b"%d" % i * n for n in (8, 4, 4, 4, 12))), byref(c_void_p())),
    "pci": lambda i: nvml.nvmlDeviceGetHandleByPciBusId_v2(c_char_p(b"00000000:%d0:00.0" % (i + 1)), byref(c_void_p())),
    "serial": lambda i: nvml.nvmlDeviceGetHandleBySerial(c_char_p(b"%d00" % (i + 1)), byref(c_void_p())),
    "pci_info": lambda i: nvml.nvmlDeviceRemoveGpu(pci[i]),
    "gpu_instance": lambda i: nvml.nvmlGpuInstanceDestroy(c_uint64(100 + i)),
    "compute_instance": lambda i: nvml.nvmlComputeInstanceDestroy(c_uint64(100 + i)),
    "handle": lambda i: nvml.nvmlDeviceGetTemperature(handles[i], -i, byref(number)),
    "unit": lambda i: nvml.nvmlUnitGetTemperature(c_void_p(7), i, byref(number)),
    "vgpu_type": lambda i: nvml.nvmlVgpuTypeGetLicense(7, text, 96),
    "vgpu_instance": lambda i: nvml.nvmlVgpuInstanceGetVmID(7, text, 96, byref(number)),
    "none": lambda i: nvml.nvmlSystemGetTopologyGpuSet(7, byref(number), None),
}
print(*(calls[sys.argv[1]](i) for i in (0, 1)))
"""


@pytest.fixture(scope="module")
def strict_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).with_name("strict_nvml.c")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", library, source], check=True)
    return folder


def results(folder: Path, argument: str, plan: str) -> str:
    environment = {
        **clean_environment(),
        "LD_LIBRARY_PATH": str(folder),
        "LD_PRELOAD": str(BUILD / "lib" / "libcudafault.so"),
        "CUDAFAULT_PLAN": plan,
    }
    done = subprocess.run([sys.executable, "-c", PROGRAM, argument], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done
    return done.stdout.strip()


GPU_1 = "error=15 calls=nvml* gpu=GPU-11111111-1111-1111-1111-111111111111"
BY_CALL = {
    "index": "nvmlDeviceGetHandleByIndex",
    "uuid": "nvmlDeviceGetHandleByUUID",
    "pci": "nvmlDeviceGetHandleByPciBusId",
    "serial": "nvmlDeviceGetHandleBySerial",
    "pci_info": "nvmlDeviceRemoveGpu",
    "gpu_instance": "nvmlGpuInstanceDestroy",
    "compute_instance": "nvmlComputeInstanceDestroy",
    "handle": "nvmlDeviceGetTemperature",
}
WITHOUT_GPU = ("unit", "vgpu_type", "vgpu_instance", "none")


def test_every_kind_of_argument_is_tested() -> None:
    lines = [line for line in (ROOT / "data" / "nvml.tsv").read_text().splitlines() if not line.startswith("#")]
    column = lines[0].split("\t").index("device")
    kinds = {line.split("\t")[column].split(":")[0] for line in lines[1:]}
    assert kinds == {*BY_CALL, *WITHOUT_GPU}


@pytest.mark.parametrize("argument", BY_CALL)
@pytest.mark.parametrize("gpu", ["GPU-11111111-1111-1111-1111-111111111111", "GPU-1", "0000:20:00.0", "1"])
def test_fault_fires_if_argument_identifies_the_gpu(strict_nvml: Path, argument: str, gpu: str) -> None:
    after = " after=1" if argument == "index" else ""  # the program first calls this function to get its handles
    plan = f"error=15 calls={BY_CALL[argument]} gpu={gpu}{after}"
    assert results(strict_nvml, argument, plan) == "0 15"


@pytest.mark.parametrize("argument", WITHOUT_GPU)
def test_fault_does_not_fire_if_argument_identifies_no_gpu(strict_nvml: Path, argument: str) -> None:
    assert results(strict_nvml, argument, GPU_1) == "0 0"
