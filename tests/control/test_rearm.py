# SPDX-License-Identifier: Apache-2.0
"""Replaces plans while a program calls continuously. Each call must be counted once, under the plan that applied to
it, and no call may succeed between two plans."""

import time

from control.support import Workers
from harness import expect_success

SYNC = "calls=cuCtxSynchronize"
LIMITED = f"error=719 {SYNC} times=1000"
UNLIMITED = f"error=720 {SYNC}"
ROUNDS = 40
CALLERS = 8
PAUSE = 0.05  # longer than any call, because a call that spans two re-arms is counted wrongly


def status(name):
    return expect_success("status", name, "--json").json


def plans_of(found):
    """Returns the plans that `status` lists: the history, and the current plan if one is armed."""
    current = [found["plan"]] if found["plan"]["state"] == "armed" else []
    return found["history"] + current


def total(found, key):
    listed = sum(fault[key] for plan in plans_of(found) for fault in plan["faults"])
    return listed + found["history_dropped"][key]


def expect_exact_counts(name, found, failed, limit=1000):
    assert total(found, "fired") == failed, f"{name}: every failure is counted once"
    faults = [(plan["revision"], fault) for plan in plans_of(found) for fault in plan["faults"]]
    excessive = [(revision, fault["fired"]) for revision, fault in faults
            if "times=1000" in fault["spec"] and fault["fired"] > limit]  # fmt: skip
    assert excessive == [], f"{name}: no plan with times=1000 fires more than {limit} times"
    unmatched = [(revision, fault) for revision, fault in faults if fault["fired"] > fault["matched"]]
    assert unmatched == [], f"{name}: no fault fires more often than it matches"


def expect_counts_after_end(name, workers, run, **options):
    """Stops the callers, and asserts that `status` then reports exactly the failures that they counted."""
    workers.stop()
    assert run.end(30).code == 0, f"{name}: the program exits with 0"
    found = status(run.name)
    expect_exact_counts(name, found, sum(workers.failed()), **options)
    return found


def test_rearming_counts_each_call_once(tmp_path):
    for scope in ("process", "run"):
        name = f"re-armed {ROUNDS} times under load, scope={scope}"
        with Workers(tmp_path, CALLERS) as workers:
            run = workers.start_storm()
            for number in range(ROUNDS):
                run.arm(f"{UNLIMITED if number % 2 else LIMITED} scope={scope}")
                time.sleep(PAUSE)
            run.disarm()
            time.sleep(PAUSE)
            expect_exact_counts(f"{name}, live", status(run.name), sum(workers.failed()))
            found = expect_counts_after_end(name, workers, run)
            assert len(found["history"]) == ROUNDS, f"{name}: the history contains all plans"


def test_no_call_succeeds_between_two_plans(tmp_path):
    """Replaces an unlimited plan with another one, so every call must fail."""
    with Workers(tmp_path, CALLERS) as workers:
        run = workers.start_storm()
        run.arm(UNLIMITED)
        workers.seconds_until_outcomes({720})
        workers.watch(True)
        for number in range(ROUNDS):
            run.arm(UNLIMITED if number % 2 else f"error=719 {SYNC}")
            time.sleep(PAUSE)
        workers.watch(False)
        run.disarm()
        assert workers.successes() == 0, "no call succeeds while a plan replaces another"
        expect_counts_after_end("replaced without a gap", workers, run)


def test_rearming_reaches_forked_children(tmp_path):
    """Arms and disarms children of a process that used CUDA before the fork."""
    with Workers(tmp_path, CALLERS) as workers:
        run = workers.start_storm(children=CALLERS)
        assert len(set(workers.pids())) == CALLERS, workers.pids()
        assert workers.failed() == [0] * CALLERS, "forked children: all calls succeed before a plan is armed"
        run.arm(UNLIMITED)
        assert workers.seconds_until_outcomes({720}) is not None, workers.outcomes()
        live = status(run.name)
        listed = {process["pid"] for process in live["processes"]}
        assert set(workers.pids()) <= listed, listed
        run.arm(LIMITED)
        time.sleep(PAUSE)
        run.disarm()
        assert workers.seconds_until_outcomes({0}) is not None, workers.outcomes()
        assert status(run.name)["plan"]["state"] == "disarmed", "forked children: the block is undamaged"
        # times= applies to each child separately.
        expect_counts_after_end("forked children", workers, run, limit=1000 * CALLERS)
