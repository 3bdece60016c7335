# SPDX-License-Identifier: Apache-2.0
"""Every function of data/*.tsv, one by one, over stand-in libraries that record what reaches them: a call that passes
through arrives unchanged, a call that must fail fails and touches nothing, and each way to obtain a function leads to the
same stub. On x86-64, and on aarch64 under emulation."""

import pytest
from functions.support import LIBRARIES, call, check_caller, unversioned

# A plan for each API, whose codes differ, and what `caller` is told of it.
ALL = (
    "error=719 calls=cu*,__cuda*{0}; error=NVML_ERROR_GPU_IS_LOST calls=nvml*{0}; error=ncclSystemError calls=nccl*{0}"
)
ALL_CODES = ["719", "15", "2"]
NEVER = ["none", "0", "0", "0"]
LATER = ALL.format(" after=1000000000")
PRELOADED = pytest.mark.parametrize("preload", [False, True], ids=["alone", "preloaded"])


@PRELOADED
def test_calls(architecture, program, preload):
    check_caller(architecture, program, ["calls", *NEVER], preload=preload)


@pytest.mark.parametrize(
    ("expected", "plan"),
    [
        pytest.param(NEVER, "", id="an empty plan"),
        pytest.param([*NEVER, "cuMemFree", "cuMemFree_v2"], "error=719 calls=cuMemFree", id="another function"),
        pytest.param(NEVER, LATER, id="later"),
        pytest.param(["all", *ALL_CODES], ALL.format(""), id="all functions"),
        pytest.param(["simple", "100", "0", "0"], "xid=79", id="xid=79"),
    ],
)
def test_armed_calls(architecture, program, expected, plan):
    check_caller(architecture, program, ["calls", *expected], plan=plan)


@PRELOADED
def test_ways_to_obtain_a_function(architecture, machine, preload):
    check_caller(architecture, machine.linked, ["ways"], preload=preload)


@PRELOADED
def test_unknown_addresses(architecture, machine, preload):
    check_caller(architecture, machine.linked, ["unknown"], preload=preload)


def test_first_call(architecture, machine):
    check_caller(architecture, machine.linked, ["first", *NEVER], plan=LATER)


def test_real_library_without_the_function(architecture, machine):
    check_caller(architecture, machine.linked, ["absent"], kind="absent")


def test_last_errors(architecture, machine):
    check_caller(architecture, machine.linked, ["last_error", "719"], plan="error=719 calls=cudaMalloc")


@PRELOADED
@pytest.mark.parametrize("number", range(len(LIBRARIES)), ids=[library.soname for library in LIBRARIES])
def test_library_alone(architecture, machine, number, preload):
    newest = architecture.folder / "liblinked_3.so"
    arguments = ["alone", str(number), unversioned(architecture, number), newest]
    check_caller(architecture, machine.by_dlsym, arguments, preload=preload)


def test_one_line_when_spare_stubs_run_out(architecture, machine):
    assert len(call(architecture, machine.linked, ["unknown"]).errors.splitlines()) == 1
