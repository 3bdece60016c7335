# SPDX-License-Identifier: Apache-2.0
"""Calls every function of data/*.tsv in stand-in libraries that record the calls. A call that passes through must reach
the real function unchanged, a call that must fail must have no side effects, and each way to obtain a function must
yield the same stub. The tests run on x86-64, and on aarch64 under emulation."""

import pytest
from functions.support import LIBRARIES, call, check_caller, unversioned

# A plan with a different code for each API, and the matching arguments of `caller`.
PLAN_FOR_ALL = (
    "error=719 calls=cu*,__cuda*{0}; error=NVML_ERROR_GPU_IS_LOST calls=nvml*{0}; error=ncclSystemError calls=nccl*{0}"
)
ALL_CODES = ["719", "15", "2"]
NO_FAILURE = ["none", "0", "0", "0"]
PLAN_NOT_DUE = PLAN_FOR_ALL.format(" after=1000000000")
PRELOADED = pytest.mark.parametrize("preload", [False, True], ids=["alone", "preloaded"])


def test_stripped_library_has_at_most_700_kib(architecture, tmp_path):
    stripped = tmp_path / "stripped"
    architecture.run_tool("strip", "-o", stripped, architecture.library)
    assert stripped.stat().st_size <= 700 << 10


@PRELOADED
def test_calls_pass_through(architecture, program, preload):
    check_caller(architecture, program, ["calls", *NO_FAILURE], preload=preload)


@pytest.mark.parametrize(
    ("expected", "plan"),
    [
        pytest.param(NO_FAILURE, "", id="empty plan"),
        pytest.param([*NO_FAILURE, "cuMemFree", "cuMemFree_v2"], "error=719 calls=cuMemFree", id="another function"),
        pytest.param(NO_FAILURE, PLAN_NOT_DUE, id="after not reached"),
        pytest.param(["all", *ALL_CODES], PLAN_FOR_ALL.format(""), id="all functions"),
        pytest.param(["simple", "100", "0", "0"], "xid=79", id="xid=79"),
    ],
)
def test_plan_fails_only_selected_functions(architecture, program, expected, plan):
    check_caller(architecture, program, ["calls", *expected], plan=plan)


@PRELOADED
def test_every_way_to_obtain_a_function_yields_one_stub(architecture, machine, preload):
    check_caller(architecture, machine.linked, ["ways"], preload=preload)


@PRELOADED
def test_unknown_addresses_pass_through(architecture, machine, preload):
    check_caller(architecture, machine.linked, ["unknown"], preload=preload)


def test_first_call_of_a_process_passes_through(architecture, machine):
    check_caller(architecture, machine.linked, ["first", *NO_FAILURE], plan=PLAN_NOT_DUE)


def test_absent_function_returns_code_of_absent_library(architecture, machine):
    check_caller(architecture, machine.linked, ["absent"], kind="absent")


def test_last_errors_of_runtimes_are_separate(architecture, machine):
    check_caller(architecture, machine.linked, ["last_error", "719"], plan="error=719 calls=cudaMalloc")


@PRELOADED
@pytest.mark.parametrize("number", range(len(LIBRARIES)), ids=[library.soname for library in LIBRARIES])
def test_unversioned_name_binds_to_the_loaded_library(architecture, machine, number, preload):
    newest = architecture.folder / "liblinked_3.so"
    arguments = ["alone", str(number), unversioned(architecture, number), newest]
    check_caller(architecture, machine.by_dlsym, arguments, preload=preload)


def test_library_prints_one_line_when_spare_stubs_run_out(architecture, machine):
    assert len(call(architecture, machine.linked, ["unknown"]).errors.splitlines()) == 1
