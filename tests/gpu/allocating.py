# SPDX-License-Identifier: Apache-2.0
"""Allocates on the first GPU repeatedly, and prints `allocation CODE` whenever the result changes."""

import ctypes
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))
from reporting import report_changes

cuda = ctypes.CDLL("libcuda.so.1")
context = ctypes.c_void_p()
for status in (
    cuda.cuInit(0),
    cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0),
    cuda.cuCtxSetCurrent(context),
):
    if status != 0:
        sys.exit(f"cannot create a context: {status}")


def allocate():
    memory = ctypes.c_uint64()
    status = cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(4096))
    if status == 0:
        cuda.cuMemFree_v2(memory)
    return str(status)


report_changes({"allocation": allocate})
