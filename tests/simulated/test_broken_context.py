# SPDX-License-Identifier: Apache-2.0
"""Tests sticky=context: a fatal error breaks the context of the process, as on a real GPU."""

import sys

import pytest
from harness import SIMGPU, execute

# Makes allocations, then calls other functions. One of them (cuMemFree) succeeds in a broken context.
PROGRAM = """
import ctypes, subprocess, sys
cuda = ctypes.CDLL("libcuda.so.1")
context, pointer, free, total = ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_size_t(), ctypes.c_size_t()
cuda.cuInit(0)
cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
cuda.cuCtxSetCurrent(context)
def allocate():
    return cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(4096))
print("synchronize", cuda.cuCtxSynchronize())
print("allocations", [allocate() for _ in range(4)])
print("synchronize", cuda.cuCtxSynchronize())
print("memory", cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
print("free", cuda.cuMemFree_v2(pointer))
if "child" in sys.argv:
    subprocess.run([sys.executable, *sys.orig_argv[1:-1]], check=True)
"""


def run(plan: str, *arguments: str) -> str:
    outcome = execute([sys.executable, "-c", PROGRAM, *arguments], plan=plan, library_path=[SIMGPU])
    assert outcome.code == 0, outcome
    return outcome.output


BROKEN = "synchronize 0\nallocations [0, 0, 700, 700]\nsynchronize 700\nmemory 700\nfree 0\n"


@pytest.mark.parametrize("more", ["", " times=1", " gpu=0", " scope=run times=1"])
def test_every_call_fails_after_the_fault_has_fired(more):
    assert run(f"error=700 calls=cuMemAlloc after=2 sticky=context{more}") == BROKEN


def test_only_selected_calls_fail_without_sticky_context():
    expected = BROKEN.replace("synchronize 700", "synchronize 0").replace("memory 700", "memory 0")
    assert run("error=700 calls=cuMemAlloc after=2 sticky=yes") == expected


def test_context_of_another_process_is_not_broken():
    assert run("error=700 calls=cuMemAlloc after=2 sticky=context", "child") == BROKEN * 2


def test_context_works_until_the_fault_fires():
    assert run("error=700 calls=cuMemAlloc after=9 sticky=context").count("700") == 0
