# SPDX-License-Identifier: Apache-2.0
"""When a fault fires, and what it does then, as a real program sees it."""

import json
import re
import subprocess
import time

from support import (
    CLIENT,
    CLIENT_CODE,
    SECOND,
    TOOL,
    Workers,
    clean_environment,
    codes,
    cudafault,
    faults_of,
    numbers,
    operate,
    operate_in_run,
)

SYNC = "calls=cuCtxSynchronize"
FAULT = f"error=719 {SYNC}"
THREADS = 8


def check_sequences(checks):
    """The code of each of the calls, in the written order of the schedule's keys."""
    for plan, operations, expected in (
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
    ):
        checks.equal(f"schedule: {plan.replace(SYNC, 'calls=…')}: {operations}", codes(operations, plan), expected)


def check_chance(checks):
    """The same seed and rank give the same sequence; another seed or rank another."""
    calls = 400

    def sequence(seed, rank=None):
        environment = {} if rank is None else {"RANK": str(rank)}
        return codes(f"sync*{calls}", f"{FAULT} probability=0.25 seed={seed}", environment=environment)

    first = sequence(42)
    checks.equal(
        "probability: as many codes as calls, all of them 0 or 719", (len(first), set(first)), (calls, {0, 719})
    )
    share = first.count(719) / calls
    checks.expect("probability: about a quarter of the calls fails", 0.15 < share < 0.35, share)
    checks.equal("probability: the same seed, the same sequence", sequence(42), first)
    checks.expect("probability: another seed, another sequence", sequence(43) != first)
    ranked = sequence(42, 1)
    checks.expect("probability: another rank, another sequence", ranked != first)
    checks.equal("probability: the same rank, the same sequence", sequence(42, 1), ranked)
    trips = codes("sync sleep:20 " * 60, f"{FAULT} mtbf=100ms seed=7")[::2]
    checks.expect("mtbf: fails now and then", 3 <= trips.count(719) <= 30, trips.count(719))


def check_scope(checks):
    """Four processes, five calls each."""
    loop = ["sh", "-c", 'for i in 1 2 3 4; do "$0" "$@" & done; wait', CLIENT]
    for plan, failures in (
        (f"{FAULT} times=1 scope=run", 1),
        (f"{FAULT} times=1", 4),
        (f"{FAULT} after=7 scope=run", 13),
        (f"{FAULT} after=3", 8),
        (f"{FAULT} every=4 scope=run", 5),
    ):
        done = operate_in_run("sync*5", "--plan", plan, command=loop)
        checks.equal(f"scope: {plan}: {failures} of 20 calls fail", numbers(done.stdout).count(719), failures)


def check_counts(checks):
    """Eight threads at once: what `status` counts is what the program saw, call for call."""
    calls = 20000
    for keys, failures in (("every=3", THREADS * calls // 3), ("after=1234", THREADS * calls - 1234), ("times=77", 77)):
        for scope in ("process", "run"):
            plan = f"{FAULT} {keys} scope={scope}"
            name = f"counts-{keys.replace('=', '-')}-{scope}"
            done = operate_in_run(f"hammer:{calls}", "--name", name, "--plan", plan)
            (fault,) = faults_of(name)
            found = {"program": numbers(done.stdout), "matched": fault["matched"], "fired": fault["fired"]}
            expected = {"program": [failures], "matched": THREADS * calls, "fired": failures}
            checks.equal(f"counts: {keys} scope={scope}, eight threads", found, expected)
            by_function = {each["function"]: each["fired"] for each in fault["functions"]}
            checks.equal(f"counts: {keys} scope={scope}, by function", by_function, {"cuCtxSynchronize": failures})
    events = json.loads(cudafault("events", "counts-times-77-run", "--json"))
    checks.equal("counts: an event for each failure", (events["total"], len(events["events"])), (77, 77))


# Effects


def check_effects(checks):
    def effect(name, operations="sync*2"):
        started = time.monotonic()
        outcome = operate(operations, f"effect={name} {SYNC}")
        return outcome, time.monotonic() - started

    outcome, _ = effect("delay:300ms", "timed*2")
    took = numbers(outcome.output)
    checks.expect(
        "effect=delay:300ms: the call is made, that much later",
        len(took) == 2 and all(300 <= ms < 600 for ms in took),
        took,
    )
    outcome, _ = effect("hang for=500ms", "timed*2")
    took = numbers(outcome.output)
    checks.expect(
        "effect=hang: ends with for=, and the call is made",
        len(took) == 2 and took[0] >= 350 and 0 <= took[1] < 100,
        took,
    )
    outcome, _ = effect("exit:5")
    checks.equal(
        "effect=exit:5: at once, without exit handlers", (outcome.code, outcome.output, outcome.errors), (5, "", "")
    )
    for name, number in (("KILL", 9), ("SIGTERM", 15), ("11", 11)):
        outcome, _ = effect(f"signal:{name}")
        checks.equal(f"effect=signal:{name}: ends the process", (outcome.code, outcome.output), (-number, ""))
    outcome, _ = effect("signal:USR1 times=2", "sync*3 signals")
    checks.equal("effect=signal:USR1: handled, and the calls are made", numbers(outcome.output), [0, 0, 0, 2])
    outcome, _ = effect("exit:0 after=1")
    checks.equal("effect=exit:0 after=1: the first call is made", (outcome.code, outcome.output), (0, "0\n"))


def check_hang(checks, folder):
    with Workers(folder, 2) as workers:
        run = workers.start_in_run()
        run.arm(f"effect=hang {SYNC}")
        time.sleep(0.2)
        checks.expect("effect=hang: no call returns", not workers.wait_for_calls(1, SECOND), workers.slots())
        run.disarm()
        checks.expect(
            "effect=hang: released on disarm within a second", workers.wait_for_calls(6, SECOND), workers.slots()
        )
        checks.equal("effect=hang: no call failed", workers.failed(), [0, 0])
        run.arm(f"effect=hang {SYNC}")
        time.sleep(0.2)
        run.process.kill()
        checks.expect(
            "effect=hang: released when the tool is dead", workers.wait_for_calls(6, 7 * SECOND), workers.slots()
        )


# The last error


def check_last_error(checks):
    launch = "error=719 calls=cudaLaunchKernel"
    for name, plan, operations, expected in (
        ("Get reports it once", f"{launch} times=1", "launch get get", [719, 719, 0]),
        ("Peek keeps it", f"{launch} times=1", "launch peek peek get peek", [719, 719, 719, 719, 0]),
        ("it is that of one thread", f"{launch} times=1", "launch peek_in_thread get", [719, 0, 719]),
        (
            "it is dropped when the fault is over",
            f"{launch} for=400ms",
            "launch peek sleep:600 peek get",
            [719, 719, 0, 0, 0],
        ),
        ("of any runtime function", "error=719 calls=cudaMalloc times=1", "runtime_alloc get get", [719, 719, 0]),
        ("Get clears the runtime's own too", f"{launch} after=1", "launch launch get get", [98, 719, 719, 0]),
        ("a driver call has none", FAULT, "sync get", [719, 0]),
        ("an effect that returns no code has none", "effect=delay:1ms calls=cudaMalloc", "runtime_alloc get", [0, 0]),
    ):
        checks.equal(f"last error: {name}", codes(operations, plan), expected)


def check_last_error_disarmed(checks):
    """Dropped at disarm: the program waits between its launch and its question until that has happened."""
    name = "last-error"
    script = '"$0" launch peek sleep:1500 peek get'
    whole = [TOOL, "run", "--gpus", "sim:1", "--name", name, "--plan", "error=719 calls=cudaLaunchKernel", "--",
             "sh", "-c", script, CLIENT]  # fmt: skip
    with subprocess.Popen(whole, env=clean_environment(), stdout=subprocess.PIPE, text=True) as run:
        first = [run.stdout.readline().strip() for _ in range(2)]
        cudafault("disarm", name)
        rest = numbers(run.stdout.read())
    checks.equal("last error: reported while armed", first, ["719", "719"])
    checks.equal("last error: dropped at disarm", rest, [0, 0, 0])


# What `run` passes on


def check_exit_codes(checks):
    done = operate_in_run("sync", "--plan", FAULT)
    checks.equal("run: the client's own code and output", (done.returncode, numbers(done.stdout)), (CLIENT_CODE, [719]))
    for plan, column in (
        ("xid=80", 5),
        ("xid=79 gpu=7", 12),
        ("error=719 calls=cuNothing*", 17),
        ("xid=79 times=0", 14),
    ):
        done = operate_in_run("sync", "--plan", plan)
        refused = done.returncode == 2 and done.stdout == "" and re.search(rf"column {column}\b", done.stderr)
        checks.expect(
            f"run: --plan '{plan}' is refused and nothing starts", refused, (done.returncode, done.stdout, done.stderr)
        )
