# SPDX-License-Identifier: Apache-2.0
"""Tests when a fault fires and which effect it has on a real program."""

import re
import time

import pytest
from control.support import (
    CLIENT,
    CLIENT_CODE,
    SECOND,
    Workers,
    codes,
    faults_of,
    integers,
    run_client,
    run_client_in_run,
)
from harness import Run, expect_success

SYNC = "calls=cuCtxSynchronize"
FAULT = f"error=719 {SYNC}"
THREADS = 8


SEQUENCES = [  # in the order of the schedule's keys
    (f"{FAULT} after=3", "sync*6", [0, 0, 0, 719, 719, 719]),
    (f"{FAULT} every=3", "sync*7", [0, 0, 719, 0, 0, 719, 0]),
    (f"{FAULT} times=2", "sync*4", [719, 719, 0, 0]),
    (f"{FAULT} after=2 every=3", "sync*8", [0, 0, 0, 0, 719, 0, 0, 719]),
    (f"{FAULT} after=1 every=2 times=2", "sync*8", [0, 0, 719, 0, 719, 0, 0, 0]),
    (f"{FAULT} every=2 times=1", "sync*5", [0, 719, 0, 0, 0]),
    (f"{FAULT} after=2 sticky=yes every=2", "sync*6", [0, 0, 0, 719, 719, 719]),
    (f"{FAULT} after=1 sticky=yes times=2", "sync*5", [0, 719, 719, 0, 0]),
    (f"{FAULT} probability=1", "sync*3", [719, 719, 719]),
    (f"{FAULT} after=300ms", "sync sleep:450 sync", [0, 0, 719]),
    (f"{FAULT} after=300ms every=2", "sync*3 sleep:450 sync*4", [0, 0, 0, 0, 0, 719, 0, 719]),
    (f"{FAULT} for=300ms", "sync sleep:450 sync", [719, 0, 0]),
    (f"{FAULT} after=2", "alloc*3 sync*3", [0, 0, 0, 0, 0, 719]),
    (f"{FAULT},cuMemcpyHtoD after=2", "copy sync copy sync", [0, 0, 719, 719]),
    (f"{FAULT} every=2; error=700 {SYNC} every=3", "sync*6", [0, 719, 700, 719, 0, 719]),
    (f"{FAULT} times=1; error=700 {SYNC} after=2", "sync*4", [719, 0, 700, 700]),
    (f"{FAULT}; error=700 calls=cuMemAlloc", "sync alloc", [719, 700]),
    (f"xid=79 {SYNC}", "sync alloc", [100, 0]),
]


@pytest.mark.parametrize(("plan", "operations", "expected"), SEQUENCES)
def test_schedule_keys_select_failing_calls(plan, operations, expected):
    assert codes(operations, plan) == expected


def test_probability_depends_on_seed_and_rank():
    """The same seed and rank give the same sequence. Another seed or rank gives another sequence."""
    calls = 400

    def sequence(seed, rank=None):
        environment = {} if rank is None else {"RANK": str(rank)}
        return codes(f"sync*{calls}", f"{FAULT} probability=0.25 seed={seed}", environment=environment)

    first = sequence(42)
    assert (len(first), set(first)) == (calls, {0, 719}), "probability: each call returns 0 or 719"
    share = first.count(719) / calls
    assert 0.15 < share < 0.35, share
    assert sequence(42) == first, "probability: the same seed gives the same sequence"
    assert sequence(43) != first, "probability: another seed gives another sequence"
    ranked = sequence(42, 1)
    assert ranked != first, "probability: another rank gives another sequence"
    assert sequence(42, 1) == ranked, "probability: the same rank gives the same sequence"
    trips = codes("sync sleep:20 " * 60, f"{FAULT} mtbf=100ms seed=7")[::2]
    assert 3 <= trips.count(719) <= 30, trips.count(719)


def test_scope_run_shares_counts():
    """Runs four processes that make five calls each."""
    loop = ["sh", "-c", 'for i in 1 2 3 4; do "$0" "$@" & done; wait', CLIENT]
    for plan, failures in (
        (f"{FAULT} times=1 scope=run", 1),
        (f"{FAULT} times=1", 4),
        (f"{FAULT} after=7 scope=run", 13),
        (f"{FAULT} after=3", 8),
        (f"{FAULT} every=4 scope=run", 5),
    ):
        done = run_client_in_run("sync*5", "--plan", plan, command=loop)
        assert integers(done.stdout).count(719) == failures, f"scope: {plan}: {failures} of 20 calls fail"


def test_status_counts_calls_of_concurrent_threads_exactly():
    """With eight concurrent threads, `status` reports exactly the calls and failures that the program counted."""
    calls = 20000
    for keys, failures in (("every=3", THREADS * calls // 3), ("after=1234", THREADS * calls - 1234), ("times=77", 77)):
        for scope in ("process", "run"):
            plan = f"{FAULT} {keys} scope={scope}"
            name = f"counts-{keys.replace('=', '-')}-{scope}"
            done = run_client_in_run(f"hammer:{calls}", "--name", name, "--plan", plan)
            (fault,) = faults_of(name)
            found = {"program": integers(done.stdout), "matched": fault["matched"], "fired": fault["fired"]}
            expected = {"program": [failures], "matched": THREADS * calls, "fired": failures}
            assert found == expected, f"counts: {keys} scope={scope}: status and the program agree"
            by_function = {row["function"]: row["fired"] for row in fault["functions"]}
            assert by_function == {"cuCtxSynchronize": failures}, (
                f"counts: {keys} scope={scope}: status counts all failures for one function"
            )
    events = expect_success("events", "counts-times-77-run", "--json").json
    assert (events["total"], len(events["events"])) == (77, 77), "counts: an event for each failure"


# Effects


def test_effects_delay_hang_exit_and_signal():
    def effect(name, operations="sync*2"):
        started = time.monotonic()
        outcome = run_client(operations, f"effect={name} {SYNC}")
        return outcome, time.monotonic() - started

    outcome, _ = effect("delay:300ms", "timed*2")
    durations = integers(outcome.output)
    assert len(durations) == 2 and all(300 <= ms < 600 for ms in durations), durations
    outcome, _ = effect("hang for=500ms", "timed*2")
    durations = integers(outcome.output)
    assert len(durations) == 2 and durations[0] >= 350 and 0 <= durations[1] < 100, durations
    outcome, _ = effect("exit:5")
    assert (outcome.code, outcome.output, outcome.errors) == (5, "", ""), (
        "effect=exit:5: the process exits without running exit handlers"
    )
    for name, number in (("KILL", 9), ("SIGTERM", 15), ("11", 11)):
        outcome, _ = effect(f"signal:{name}")
        assert (outcome.code, outcome.output) == (-number, ""), f"effect=signal:{name}: the signal ends the process"
    outcome, _ = effect("signal:USR1 times=2", "sync*3 signals")
    assert integers(outcome.output) == [0, 0, 0, 2], (
        "effect=signal:USR1: the program handles the signal, and the calls succeed"
    )
    outcome, _ = effect("exit:0 after=1")
    assert (outcome.code, outcome.output) == (0, "0\n"), "effect=exit:0 after=1: the first call succeeds"


def test_hang_ends_at_disarm_and_at_end_of_run(tmp_path):
    with Workers(tmp_path, 2) as workers:
        run = workers.start_in_run()
        run.arm(f"effect=hang {SYNC}")
        time.sleep(0.2)
        assert not workers.wait_for_calls(1, SECOND), workers.slots()
        run.disarm()
        assert workers.wait_for_calls(6, SECOND), workers.slots()
        assert workers.failed() == [0, 0], "effect=hang: no call failed"
        run.arm(f"effect=hang {SYNC}")
        time.sleep(0.2)
        run.process.kill()
        assert workers.wait_for_calls(6, 7 * SECOND), workers.slots()


# The last error


LAUNCH = "error=719 calls=cudaLaunchKernel"
LAST_ERRORS = [
    ("cudaGetLastError reports the error once", f"{LAUNCH} times=1", "launch get get", [719, 719, 0]),
    ("cudaPeekAtLastError keeps the error", f"{LAUNCH} times=1", "launch peek peek get peek", [719, 719, 719, 719, 0]),
    ("the error belongs to one thread", f"{LAUNCH} times=1", "launch peek_in_thread get", [719, 0, 719]),
    (
        "the error is cleared when the fault expires",
        f"{LAUNCH} for=400ms",
        "launch peek sleep:600 peek get",
        [719, 719, 0, 0, 0],
    ),
    (
        "any runtime function sets the error",
        "error=719 calls=cudaMalloc times=1",
        "runtime_alloc get get",
        [719, 719, 0],
    ),
    (
        "cudaGetLastError also clears the runtime's own error",
        f"{LAUNCH} after=1",
        "launch launch get get",
        [98, 719, 719, 0],
    ),
    ("a driver call does not set the error", FAULT, "sync get", [719, 0]),
    (
        "an effect without a code does not set the error",
        "effect=delay:1ms calls=cudaMalloc",
        "runtime_alloc get",
        [0, 0],
    ),
]


@pytest.mark.parametrize(("name", "plan", "operations", "expected"), LAST_ERRORS, ids=[row[0] for row in LAST_ERRORS])
def test_last_error_after_injected_failure(name, plan, operations, expected):
    assert codes(operations, plan) == expected


def test_disarm_clears_last_error():
    """The program sleeps between two queries, so that the test can disarm the run between them."""
    script = '"$0" launch peek sleep:1500 peek get'
    plan = ["--plan", "error=719 calls=cudaLaunchKernel"]
    with Run("sh", "-c", script, CLIENT, gpus="sim:1", options=plan) as run:
        codes_while_armed = [run.read_line() for _ in range(2)]
        run.disarm()
        codes_after_disarm = integers(run.end().output)
    assert codes_while_armed == ["719", "719"], "the last error is reported while the fault is armed"
    assert codes_after_disarm == [0, 0, 0], "disarm clears the last error"


# Exit codes of `cudafault run`


def test_run_returns_exit_code_of_client_or_refuses_plan():
    done = run_client_in_run("sync", "--plan", FAULT)
    assert (done.returncode, integers(done.stdout)) == (CLIENT_CODE, [719]), (
        "run: the exit code and output are those of the client"
    )
    for plan, column in (
        ("xid=999", 5),
        ("xid=79 gpu=7", 12),
        ("error=719 calls=cuNothing*", 17),
        ("xid=79 times=0", 14),
    ):
        done = run_client_in_run("sync", "--plan", plan)
        refused = done.returncode == 2 and done.stdout == "" and re.search(rf"column {column}\b", done.stderr)
        assert refused, (
            f"run: --plan '{plan}' is refused and the client does not start",
            (done.returncode, done.stdout, done.stderr),
        )
