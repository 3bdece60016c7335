# SPDX-License-Identifier: Apache-2.0
"""Tests that the simulated driver interprets CUDA_VISIBLE_DEVICES as NVIDIA's driver does."""

import sys

import pytest
from harness import cudafault

COUNT = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
count = ctypes.c_int(0)
cuda.cuInit(0)
cuda.cuDeviceGetCount(ctypes.byref(count))
print(count.value)
"""


@pytest.mark.parametrize(
    "visible, count",
    [
        ("0,0", 0),
        ("1gpu2,0ampere", 2),
        ("GPU-c0187606,0", 1),
        ("GPU-c018,GPU-c018", 0),
        ("2,0", 2),
        ("GPU-c018", 1),
        ("0,-1,1", 1),
        ("", 0),
        ("no", 0),
    ],
)
def test_visible_devices_limit_number_of_gpus(visible, count):
    outcome = cudafault("run", "--gpus", "sim:4", "--", sys.executable, "-c", COUNT, CUDA_VISIBLE_DEVICES=visible)
    assert outcome.behavior == (0, f"{count}\n", "")
