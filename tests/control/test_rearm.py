# SPDX-License-Identifier: Apache-2.0
"""Plans that are replaced while a program calls without a pause: each call is counted once, under the plan that decided
it, and no call slips through between two plans."""

import json
import time

from support import Workers, cudafault

SYNC = "calls=cuCtxSynchronize"
LIMITED = f"error=719 {SYNC} times=1000"
UNLIMITED = f"error=720 {SYNC}"
ROUNDS = 40
CALLERS = 8
PAUSE = 0.05  # a call that spans two re-arms would be counted wrongly


def status(name):
    return json.loads(cudafault("status", name, "--json"))


def plans_of(found):
    """Every plan that was ever armed and is still listed."""
    current = [found["plan"]] if found["plan"]["state"] == "armed" else []
    return found["history"] + current


def total(found, key):
    listed = sum(fault[key] for plan in plans_of(found) for fault in plan["faults"])
    return listed + found["history_dropped"][key]


def expect_exact(checks, name, found, failed, limit=1000):
    checks.equal(f"{name}: every failure is counted once", total(found, "fired"), failed)
    faults = [(plan["revision"], fault) for plan in plans_of(found) for fault in plan["faults"]]
    over = [(revision, fault["fired"]) for revision, fault in faults
            if "times=1000" in fault["spec"] and fault["fired"] > limit]  # fmt: skip
    checks.equal(f"{name}: no plan with times=1000 fires more than {limit} times", over, [])
    odd = [(revision, fault) for revision, fault in faults if fault["fired"] > fault["matched"]]
    checks.equal(f"{name}: nothing fires that did not match", odd, [])


def expect_end(checks, name, workers, run, **options):
    """Stops the callers; what `status` says then is what they saw."""
    workers.stop()
    checks.equal(f"{name}: the program ends well", run.stop(), 0)
    found = status(run.name)
    expect_exact(checks, name, found, sum(workers.failed()), **options)
    return found


def check_rearming(checks, folder):
    for scope in ("process", "run"):
        name = f"re-armed {ROUNDS} times under load, scope={scope}"
        with Workers(folder, CALLERS) as workers:
            run = workers.start_storm()
            for number in range(ROUNDS):
                run.arm(f"{UNLIMITED if number % 2 else LIMITED} scope={scope}")
                time.sleep(PAUSE)
            run.disarm()
            time.sleep(PAUSE)
            expect_exact(checks, f"{name}, live", status(run.name), sum(workers.failed()))
            found = expect_end(checks, name, workers, run)
            checks.equal(f"{name}: all plans are kept", len(found["history"]), ROUNDS)


def check_no_gap(checks, folder):
    """From one unlimited plan to another: the program never sees a success."""
    with Workers(folder, CALLERS) as workers:
        run = workers.start_storm()
        run.arm(UNLIMITED)
        workers.reach({720})
        workers.watch(True)
        for number in range(ROUNDS):
            run.arm(UNLIMITED if number % 2 else f"error=719 {SYNC}")
            time.sleep(PAUSE)
        workers.watch(False)
        run.disarm()
        checks.equal("no call succeeds while a plan replaces another", workers.slipped(), 0)
        expect_end(checks, "replaced without a gap", workers, run)


def check_forked(checks, folder):
    """Children of a process that has used CUDA."""
    with Workers(folder, CALLERS) as workers:
        run = workers.start_storm(children=CALLERS)
        checks.expect("forked children call", len(set(workers.pids())) == CALLERS, workers.pids())
        checks.equal("forked children: nothing fails while nothing is armed", workers.failed(), [0] * CALLERS)
        run.arm(UNLIMITED)
        checks.expect("forked children: each fails", workers.reach({720}) is not None, workers.outcomes())
        live = status(run.name)
        listed = {process["pid"] for process in live["processes"]}
        checks.expect("forked children are listed", set(workers.pids()) <= listed, listed)
        run.arm(LIMITED)
        time.sleep(PAUSE)
        run.disarm()
        checks.expect("forked children: each works again", workers.reach({0}) is not None, workers.outcomes())
        checks.equal("forked children: the block is whole", status(run.name)["plan"]["state"], "disarmed")
        expect_end(checks, "forked children", workers, run, limit=1000 * CALLERS)  # each has its own count
