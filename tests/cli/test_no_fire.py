# SPDX-License-Identifier: Apache-2.0
"""Tests the note in which `cudafault run` explains why no fault fired, and the option --must-fire."""

import sys
from pathlib import Path

import pytest
from cli.support import CLIENT, ClientRun
from harness import Outcome, build, cudafault

NO_CUDA = ("true",)


def run_client(*options: object, gpu: int = 0, count: int = 1, command: tuple = CLIENT) -> Outcome:
    return cudafault(
        "run", "--name", "silent", "--gpus", "sim:2", *options, "--", *command, text_input=f"{gpu} {count}\n"
    )


def notes(outcome: Outcome) -> list[str]:
    return [line for line in outcome.errors.splitlines() if line.startswith("cudafault: no fault fired in run ")]


def build_program(folder: Path, source: str, *flags: str) -> Path:
    (folder / "program.c").write_text(source)
    return build(folder / "program", folder / "program.c", *flags)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("xid=79 calls=cuGraphLaunch", "no call of a function that calls= selects"),
        ("xid=79 gpu=1 calls=cuMemAlloc*", "1 call of functions that calls= selects was on GPUs"),
        ("xid=79 calls=cuMemAlloc* after=100", "1 call matched, but the schedule"),
        ("xid=79 process=serve.py", "no process matches process=serve.py; the processes were: python"),
        ("xid=79 rank=7", "no process has rank 7"),
        ("xid=79 node=n", "because CUDAFAULT_NODE is not set"),
    ],
)
def test_note_names_reason_in_the_plan(plan: str, words: str) -> None:
    outcome = run_client("--plan", plan)
    assert (outcome.code, outcome.output) == (0, "ready\n0\n"), outcome
    assert len(notes(outcome)) == 1 and words in notes(outcome)[0], outcome


def test_status_counts_calls_on_other_gpus() -> None:
    """The counts are the same as in the note that `cudafault run` prints."""
    run_client("--plan", "xid=79 gpu=1 calls=cuMemAlloc*")
    assert "armed but never hit: 1 call on other GPUs" in cudafault("status", "silent").output


def test_note_for_program_without_cuda_calls() -> None:
    outcome = cudafault("run", "--plan", "xid=79", "--", *NO_CUDA)
    assert outcome.code == 0 and "no process of the run made a CUDA call" in notes(outcome)[0], outcome


def test_note_for_statically_linked_program(tmp_path: Path) -> None:
    program = build_program(tmp_path, "int main(void) { return 3; }", "-static")
    outcome = cudafault("run", "--plan", "xid=79", "--", program)
    assert outcome.code == 3 and f'"{program}" is statically linked' in notes(outcome)[0], outcome


@pytest.mark.parametrize("dropped", [["LD_PRELOAD"], ["LD_PRELOAD", "CUDAFAULT_RUN", "CUDAFAULT_SIM_GPUS"]])
def test_note_for_process_without_ld_preload(dropped: list[str]) -> None:
    words = [word for name in dropped for word in ("-u", name)]
    shell = ("sh", "-c", '"$@"; exit $?', "sh")  # the parent of the client is this shell, not `cudafault run`
    outcome = run_client("--plan", "xid=79", command=("env", *words, *shell, *CLIENT))
    assert outcome.code == 0 and outcome.errors.count("without the fault library, so faults cannot be injected") == 1, (
        outcome
    )


def test_note_if_only_env_loads_the_library() -> None:
    outcome = cudafault("run", "--plan", "xid=79", "--", "env", "-i", sys.executable, "-c", "pass")
    assert outcome.code == 0, outcome  # `env` itself loads the library
    assert "no process of the run made a CUDA call" in notes(outcome)[0], outcome


def test_note_for_static_runtime_on_simulated_gpus(tmp_path: Path) -> None:
    source = """
        #include <dlfcn.h>
        int main(void) {
            void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
            int (*table)(const void **, const void *) = (int (*)(const void **, const void *))dlsym(cuda, "cuGetExportTable");
            const void *found;
            char uuid[16] = "";
            return table(&found, uuid) == table(&found, uuid) ? 0 : 1;
        }"""
    program = build_program(tmp_path, source, "-ldl")
    outcome = cudafault("run", "--gpus", "sim:1", "--", program)
    assert outcome.code == 0 and outcome.errors.count("statically linked CUDA runtime") == 1, outcome
    assert "-cudart shared" in outcome.errors


def test_note_for_plan_that_was_armed_and_disarmed() -> None:
    with ClientRun("later") as run:
        run.arm("xid=79 calls=cuGraphLaunch")
        assert run.allocate() == "0"
        run.disarm()
        outcome = run.end()
    assert "no call of a function that calls= selects" in notes(outcome)[0], outcome


def test_no_note_if_a_fault_fired_or_no_plan_was_armed() -> None:
    assert run_client("--plan", "xid=79 calls=cuMemAlloc*").behavior == (0, "ready\n100\n", "")
    assert run_client().behavior == (0, "ready\n0\n", "")


def test_quiet_suppresses_the_note() -> None:
    assert cudafault("run", "--quiet", "--plan", "xid=79", "--", *NO_CUDA).behavior == (0, "", "")


def test_must_fire_fails_the_run_if_no_fault_fired() -> None:
    assert run_client("--must-fire", "--plan", "xid=79 calls=cuMemAlloc*").behavior == (0, "ready\n100\n", "")
    for command in (NO_CUDA, ("sh", "-c", "exit 7"), ("sh", "-c", "kill -9 $$")):
        outcome = cudafault("run", "--must-fire", "--quiet", "--plan", "xid=79", "--", *command)
        assert outcome.code == 125 and len(notes(outcome)) == 1, outcome
    outcome = cudafault("run", "--must-fire", "--", *NO_CUDA)
    assert outcome.code == 125 and "no plan was armed" in outcome.errors, outcome
