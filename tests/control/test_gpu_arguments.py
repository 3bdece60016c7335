# SPDX-License-Identifier: Apache-2.0
"""Tests gpu= for functions whose arguments name a GPU in a structure, or by the source and destination of a copy. The
cases are derived from the device column of data/*.tsv."""

import csv

import pytest
from control.support import HERE, OUT, integers
from harness import ROOT, SIMGPU, build, execute

PROGRAM = OUT / "gpu_arguments"
KINDS = ("location", "location_value", "properties", "copy")
NEWEST = ("13", "12", "11.0")  # the program calls the function of the newest libcudart


def table(name):
    lines = (ROOT / "data" / name).read_text().splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))


def newest_rows():
    found = {row["export"]: row for row in table("cuda_driver.tsv")}
    for soname in reversed(NEWEST):
        found |= {row["export"]: row for row in table("cuda_runtime.tsv") if soname in row["sonames"].split(",")}
    return list(found.values())


def cases():
    """Returns (name, kind, slot that names the GPU, slot of host memory)."""
    found = []
    for row in newest_rows():
        kind, _, slots = row["device"].partition(":")
        if kind not in KINDS:
            continue
        first, _, second = slots.partition(",")
        found.append((row["export"], kind, first, second or first))
        if kind == "copy":
            found.append((row["export"], kind, second, first))
    return found


@pytest.fixture(scope="module", autouse=True)
def build_program():
    build(PROGRAM, HERE / "gpu_arguments.c", "-O1", SIMGPU / "libcuda.so.1")


def failures(current, named, selected, calls):
    """Returns the cases of `calls` that did not fail although gpu= selects the GPU `selected`."""
    plan = f"error=719 gpu=local:{selected} calls={','.join(sorted({case[0] for case in calls}))}"
    words = [word for case in calls for word in case]
    outcome = execute(
        [PROGRAM, current, named, *words], plan, library_path=[SIMGPU], environment={"CUDAFAULT_SIM_GPUS": "2"}
    )
    found = integers(outcome.output)
    assert len(found) == len(calls), outcome
    return [case for case, code in zip(calls, found, strict=True) if code != 719]


def test_every_kind_of_argument_is_tested():
    assert {case[1] for case in cases()} == set(KINDS)
    assert {"cuMemCreate", "cuMemPoolCreate", "cudaMemPoolCreate", "cudaMemcpy", "cudaMemcpy2D"} <= {
        case[0] for case in cases()
    }


@pytest.mark.parametrize(("current", "named"), [(0, 1), (1, 0)])
def test_arguments_determine_gpu_of_call(current, named):
    assert failures(current, named, named, cases()) == []


@pytest.mark.parametrize("current", [0, 1])
def test_current_context_determines_gpu_of_other_calls(current):
    assert failures(current, -1, current, cases()) == []


@pytest.mark.parametrize("current", [0, 1])
def test_null_pointer_argument_is_not_dereferenced(current):
    calls = [(name, "null", *slots) for name, kind, *slots in cases()]
    assert failures(current, -1, current, calls) == []
