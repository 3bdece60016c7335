# SPDX-License-Identifier: Apache-2.0
"""Tests that check, run and arm refuse an invalid plan with the same message and a caret below the invalid part."""

from collections.abc import Iterator

import pytest
from cli.support import ClientRun, assert_refused, status
from harness import Outcome, cudafault

REFUSED = [  # spec, column, words
    ("cals=cuInit", 1, "expected one of xid, error"),
    ("xid=79 gpu=0 xyz=1", 14, 'unknown key "xyz"'),
    ("xid=999", 5, "unknown XID 999"),
    ("xid=79 gpu=zero", 12, "GPU-<uuid>"),
    ("xid=79 calls=cuMelt*", 14, "no function matches"),
    ("xid=79 every=0", 14, "at least 1"),
    ("xid=79 probability=1.5", 20, "above 0 and up to 1"),
    ("xid=79 times=18446744073709551616", 14, "a number of failures"),
    ("xid=79; error=719 effect=exit:256", 26, "0 to 255"),
    ("xid=79 error=719", 14, "cannot be combined"),
    ("every=10", 1, "needs xid= or error="),
    ("xid = 79", 1, "remove the spaces around ="),
    ("xid=3", 5, "XID 3 is reserved"),
    ("xid=63", 5, "XID 63 makes no CUDA call fail"),
    ("effect=signal:PIZZA", 8, "HUP, INT, QUIT"),
    ("xid=79 until=2020-01-01T00:00:00Z", 14, "is in the past, so the fault can never fire"),
    ("xid=79 until=2000-01-01T00:00:00Z after=10d", 14, "can never fire"),
    ("xid=79 times=0", 14, "at least 1"),
    ("xid=79 for=0s", 12, "a duration"),
    ("xid=79 process=/opt/train.py", 16, "expected a base name without a slash"),
    ("effect=hang calls=nvmlDeviceGetName gpu=local:0", 41, "no CUDA ordinal"),
]
ABSENT_GPUS = [  # spec, column
    ("xid=79 gpu=2", 12),
    ("xid=79 gpu=0,7", 14),
    ("xid=79 gpu=0-2", 12),
    ("xid=79 gpu=GPU-0123", 12),
    ("xid=79 gpu=0000:77:00.0", 12),
    ("xid=79 gpu=GPU-01234567-89ab-cdef-0123-456789abcdef", 12),
]


def assert_points_at(outcome: Outcome, spec: str, column: int, words: str) -> None:
    """Asserts that the error output consists of a message, the spec, and a caret below the column."""
    assert (outcome.code, outcome.output) == (2, ""), outcome
    message, shown, caret = outcome.errors.splitlines()
    assert f"at column {column}: " in message
    assert words in message
    assert shown == "  " + spec
    assert caret.index("^") == column + 1


@pytest.fixture
def idle_run() -> Iterator[ClientRun]:
    """A run without a plan. After the test, the run must have neither a plan nor a history."""
    with ClientRun("idle") as run:
        yield run
        assert status(run.name)["plan"]["state"] == "disarmed"
        assert run.allocate() == "0"
        assert not status(run.name)["history"]


@pytest.mark.parametrize(("spec", "column", "words"), REFUSED)
def test_commands_refuse_invalid_plan(idle_run: ClientRun, spec: str, column: int, words: str) -> None:
    for verb in (["check", spec], ["run", "--plan", spec, "--", "echo", "started"], ["arm", idle_run.name, spec]):
        assert_points_at(cudafault(*verb), spec, column, words)


@pytest.mark.parametrize(("spec", "column"), ABSENT_GPUS)
def test_commands_refuse_absent_gpu(idle_run: ClientRun, spec: str, column: int) -> None:
    run = ["run", "--gpus", "sim:2", "--plan", spec, "--", "echo", "started"]
    for verb in (["check", "--gpus", "sim:2", spec], run, ["arm", idle_run.name, spec]):
        assert_points_at(cudafault(*verb), spec, column, "expected 0 to 1")


def test_simulated_gpus_have_no_mig_devices(idle_run: ClientRun) -> None:
    spec = "xid=79 gpu=MIG-01234567-89ab-cdef-0123-456789abcdef"
    for verb in (["check", "--gpus", "sim:2", spec], ["run", "--gpus", "sim:2", "--plan", spec, "--", "true"]):
        assert_points_at(cudafault(*verb), spec, 12, "simulated GPUs have no MIG devices")


@pytest.mark.parametrize("spec", ["xid=79 gpu=local:2", "xid=79 gpu=local:0,local:2-5"])
def test_commands_refuse_absent_local_ordinal(idle_run: ClientRun, spec: str) -> None:
    run = ["run", "--gpus", "sim:2", "--plan", spec, "--", "echo", "started"]
    for verb in (["check", "--gpus", "sim:2", spec], run, ["arm", idle_run.name, spec]):
        assert_points_at(cudafault(*verb), spec, spec.index("local:2") + 1, "expected local:0 to local:1")


@pytest.mark.parametrize(
    ("rank", "size"),
    [
        ("RANK", "WORLD_SIZE"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
    ],
)
def test_run_refuses_rank_outside_of_job(rank: str, size: str) -> None:
    job = {rank: "0", size: "4"}
    refused = cudafault("run", "--plan", "xid=79 rank=4,9", "--", "true", **job)
    assert_points_at(refused, "xid=79 rank=4,9", 13, "not among the 4 ranks")
    assert cudafault("run", "--plan", "xid=79 rank=3", "--", "true", **job).code == 0
    assert cudafault("run", "--plan", "xid=79 rank=4", "--", "true").code == 0


def test_arm_checks_rank_against_job_size_of_run() -> None:
    with ClientRun("ranked", environment={"RANK": "0", "WORLD_SIZE": "4"}) as run:
        assert_points_at(cudafault("arm", run.name, "xid=79 rank=4"), "xid=79 rank=4", 13, "not among the 4 ranks")
        run.arm("xid=79 rank=3")


@pytest.mark.parametrize("key", ["node", "pod"])
def test_commands_warn_if_node_or_pod_selects_no_process(key: str) -> None:
    """The commands accept the plan and print one line, because a program in the run may set the variable itself."""
    spec, variable = f"xid=79 {key}=gpu-7", f"CUDAFAULT_{key.upper()}"
    note = f"cudafault: {key}=gpu-7 selects no process of a run on this machine, because {variable} is not set, "
    with ClientRun("local") as live:
        verbs = (["check", spec], ["run", "--plan", spec, "--", "true"], ["arm", live.name, spec])
        for verb in verbs:
            outcome = cudafault(*verb)
            assert outcome.code == 0 and outcome.errors.startswith(note), outcome
            assert outcome.errors.count(note) == 1, outcome
    for verb in (["check", spec], ["run", "--must-fire", "--plan", spec, "--", "true"]):
        assert note not in cudafault(*verb, **{variable: "gpu-7"}).errors
    with ClientRun("named", environment={variable: "gpu-7"}) as live:
        assert cudafault("arm", live.name, spec).errors == ""
        assert live.allocate() == "100"


def test_arm_refuses_empty_plan(idle_run: ClientRun) -> None:
    assert_refused(cudafault("arm", idle_run.name, " ; "), 2, "disarm idle")


def test_run_joins_several_plan_options() -> None:
    joined = cudafault("run", "--plan", "xid=79", "--plan", "xid=999", "--", "echo", "started")
    assert_points_at(joined, "xid=79; xid=999", 13, "unknown XID 999")
