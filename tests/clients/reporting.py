# SPDX-License-Identifier: Apache-2.0
"""Runs programs under `cudafault run` that print a line `NAME OUTCOME` when the outcome of an operation changes."""

import sys
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import Checks, Run

# The error code of each XID with model=simple, which is the same for driver and runtime.
XID_CODES = {43: 702, 48: 214, 74: 217, 79: 100, 94: 214, 95: 999}


class ReportingRun(Run):
    """A run of a program that reports outcomes. An outcome is valid until the next line for its name."""

    def __init__(self, *command: object, gpus: str | None = "sim:2") -> None:
        super().__init__(*command, gpus=gpus)
        self.outcomes: dict[str, str] = {}
        self.lines: list[str] = []

    def next_line(self, deadline: float) -> str | None:
        """Returns the next line, or None if the program ends or the deadline passes."""
        line = self.read_line(deadline - time.monotonic())
        if line is None:
            return None
        self.lines.append(line)
        name, _, outcome = line.partition(" ")
        self.outcomes[name] = outcome
        return line

    def reaches(self, name: str, outcome: str, seconds: float = 60) -> bool:
        """Waits until the outcome of the name starts with `outcome`. Returns False after `seconds`."""
        deadline = time.monotonic() + seconds
        while not self.outcomes.get(name, "").startswith(outcome):
            if self.next_line(deadline) is None:
                return False
        return True

    def history(self, name: str) -> list[str]:
        return [line for line in self.lines if line.startswith(f"{name} ")]

    def tail(self) -> str:
        last = [*self.lines[-5:], *self.errors().splitlines()[-5:]]
        return " | ".join(last) or "no output"

    def stop(self) -> int:
        """Closes the program's standard input, and returns its exit code."""
        return self.end(30).code


def check_healthy(checks: Checks, script: Path) -> None:
    """Runs a script that uses run_checks(), and adds its results to `checks`."""
    run = ReportingRun(sys.executable, script)
    deadline = time.monotonic() + 120
    while line := run.next_line(deadline):
        result, _, name = line.partition(" ")
        if result in ("PASS", "FAIL"):
            checks.expect(f"healthy: {name}", result == "PASS", run.tail())
    checks.expect("healthy: the program exits with 0", run.stop() == 0, run.tail())


def check_fault(checks: Checks, run: ReportingRun, spec: str, broken: dict[str, str], healthy: str) -> None:
    """Checks that each name has its broken outcome while the fault is armed, and its healthy outcome afterwards."""
    run.arm(spec)
    for name, outcome in broken.items():
        checks.expect(f"{spec}: {name} {outcome}", run.reaches(name, outcome), run.tail())
    run.disarm()
    for name in broken:
        checks.expect(f"{spec}: {name} recovers", run.reaches(name, healthy), run.tail())


def run_checks(functions: list) -> None:
    """Runs each function, and prints PASS or FAIL with its name."""
    failed = False
    for function in functions:
        try:
            function()
            print(f"PASS {function.__name__}", flush=True)
        except Exception:
            failed = True
            traceback.print_exc(file=sys.stdout)
            print(f"FAIL {function.__name__}", flush=True)
    sys.exit(failed)


def report_changes(attempts: dict) -> None:
    """Repeats all attempts until standard input ends, and prints `NAME OUTCOME` whenever an outcome changes. `attempts`
    maps each name to a function that returns the outcome."""
    ended = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    last: dict = {}
    while not ended.is_set():
        for name, attempt in attempts.items():
            outcome = attempt()
            if last.get(name) != outcome:
                last[name] = outcome
                print(f"{name} {outcome}", flush=True)
        time.sleep(0.005)
