# SPDX-License-Identifier: Apache-2.0
"""Tests that a fault fires in a program that changes its environment before its first CUDA call."""

import sys

import pytest
from harness import SIMGPU, Outcome, cudafault, execute

PROGRAM = """
import ctypes, itertools, os
libc = ctypes.CDLL(None)
{change}
print(ctypes.CDLL("libcuda.so.1").cuInit(0), flush=True)
"""
OVERWRITE = """
variables = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")
for variable in itertools.takewhile(bool, (variables[i] for i in itertools.count())):
    ctypes.memset(variable, ord("x"), 8)
"""
CHANGES = {
    "unsetenv": "os.environ.clear()",
    "clearenv": "libc.clearenv()",
    "null": 'ctypes.c_void_p.in_dll(libc, "environ").value = None',
    "overwrite": OVERWRITE,  # as setproctitle does
}


def command(change: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(change=change)]


def run_with_plan(change: str, plan: str) -> Outcome:
    return execute(command(change), plan=plan, library_path=[SIMGPU])


@pytest.mark.parametrize("change", CHANGES)
def test_program_that_changes_its_environment_stays_in_its_run(change: str) -> None:
    plan = "xid=48 rank=3 calls=cuInit"
    outcome = cudafault("run", "--gpus", "sim:1", "--plan", plan, "--", *command(CHANGES[change]), RANK="3")
    assert (outcome.code, outcome.output) == (0, "214\n"), outcome


@pytest.mark.parametrize("change", CHANGES)
def test_program_that_changes_its_environment_keeps_its_plan_and_log(change: str) -> None:
    outcome = run_with_plan(CHANGES[change], "xid=48 calls=cuInit")
    assert outcome.output == "214\n" and outcome.fired("cuInit", 214), outcome


def test_program_can_replace_its_plan_before_first_call() -> None:
    outcome = run_with_plan('os.environ["CUDAFAULT_PLAN"] = "error=700 calls=cuInit"', "xid=48 calls=cuInit")
    assert outcome.output == "700\n", outcome
