# SPDX-License-Identifier: Apache-2.0
"""Tests that CUDA calls in forked children return the same codes as with NVIDIA's driver."""

import sys

import pytest
from harness import cudafault

FORK = """
import ctypes, os, sys
cuda = ctypes.CDLL("libcuda.so.1")
if sys.argv[1] == "after":
    cuda.cuInit(0)
pid = os.fork()
if pid == 0:
    print("child", cuda.cuInit(0), cuda.cuGreenCtxDestroy(None), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("parent", cuda.cuInit(0))
"""


# The simulated driver does not implement green contexts.
@pytest.mark.parametrize("when, child", [("before", "0 801"), ("after", "3 3")])
def test_child_cannot_use_cuda_if_parent_has_initialized_cuda(when, child):
    outcome = cudafault("run", "--gpus", "sim:1", "--", sys.executable, "-c", FORK, when)
    assert outcome.behavior == (0, f"child {child}\nparent 0\n", "")
