# SPDX-License-Identifier: Apache-2.0
"""Repeats an allocation, a copy, a launch and a synchronization until standard input ends, and reports each change
between success and failure."""

import re
import sys
from pathlib import Path

import numpy as np
from numba import cuda
from numba.cuda.cudadrv.driver import CudaAPIError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cuda.core._utils.cuda_utils import CUDAError
from reporting import report_changes


@cuda.jit
def add_one(array):
    i = cuda.grid(1)
    if i < array.size:
        array[i] += 1


data = cuda.to_device(np.zeros(1000, dtype=np.float32))
add_one[4, 256](data)  # compiles the kernel before a fault is armed


def attempt(function):
    def outcome() -> str:
        try:
            function()
            return "works"
        except CudaAPIError as error:
            return f"CudaAPIError {int(error.code)}"
        except CUDAError as error:
            name = re.match(r"CUDA_[A-Z_]+", str(error))
            return f"CUDAError {name[0] if name else error}"

    return outcome


report_changes(
    {
        "allocation": attempt(lambda: cuda.device_array(1 << 20, dtype=np.uint8)),
        "copy": attempt(data.copy_to_host),
        "launch": attempt(lambda: add_one[4, 256](data)),
        "synchronization": attempt(cuda.synchronize),
    }
)
