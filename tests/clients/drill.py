# SPDX-License-Identifier: Apache-2.0
"""What the Python client tests share: counted checks, and a program under `cudafault run` that tells how it fares, one
line per change."""

import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import BUILD, Checks  # noqa: E402

CUDAFAULT = str(BUILD / "bin" / "cudafault")

# Code of each XID under model=simple, driver and runtime alike.
XID_CODES = {43: 702, 48: 214, 74: 217, 79: 100, 94: 214, 95: 999}


class Run:
    """A program on simulated GPUs under `cudafault run`. Each line it prints is `NAME OUTCOME`; the last outcome of a name
    holds until the next."""

    def __init__(self, *command, gpus: str = "sim:2") -> None:
        self.name = f"client-{os.getpid()}-{time.monotonic_ns()}"
        whole = [CUDAFAULT, "run", "--gpus", gpus, "--name", self.name, "--", *map(str, command)]
        self.process = subprocess.Popen(
            whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.outcomes: dict[str, str] = {}
        self.seen: list[str] = []
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def next_line(self, deadline: float) -> str | None:
        """None when the program has ended or time runs out."""
        try:
            line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if line is None:
            self.lines.put(None)
            return None
        self.seen.append(line)
        name, _, outcome = line.partition(" ")
        self.outcomes[name] = outcome
        return line

    def reaches(self, name: str, outcome: str, seconds: float = 60) -> bool:
        """Whether the outcome of the name comes to start like this."""
        deadline = time.monotonic() + seconds
        while not self.outcomes.get(name, "").startswith(outcome):
            if self.next_line(deadline) is None:
                return False
        return True

    def history(self, name: str) -> list[str]:
        return [line for line in self.seen if line.startswith(f"{name} ")]

    def tail(self) -> str:
        return " | ".join(self.seen[-5:]) or "nothing was printed"

    def arm(self, spec: str) -> None:
        subprocess.run([CUDAFAULT, "arm", self.name, spec], check=True, stdout=subprocess.DEVNULL)

    def disarm(self) -> None:
        subprocess.run([CUDAFAULT, "disarm", self.name], check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> int:
        """Tells the program to end; its exit code."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def check_healthy(checks: Checks, script: Path) -> None:
    """Counts what a script with run_checks says."""
    run = Run(sys.executable, script)
    deadline = time.monotonic() + 120
    while line := run.next_line(deadline):
        verdict, _, name = line.partition(" ")
        if verdict in ("PASS", "FAIL"):
            checks.expect(f"healthy: {name}", verdict == "PASS", run.tail())
    checks.expect("healthy: the program ends well", run.stop() == 0, run.tail())


def check_fault(checks: Checks, run: Run, spec: str, broken: dict[str, str], healthy: str) -> None:
    """Each name comes to its broken outcome while the fault is armed, and is healthy again afterwards."""
    run.arm(spec)
    for name, outcome in broken.items():
        checks.expect(f"{spec}: {name} {outcome}", run.reaches(name, outcome), run.tail())
    run.disarm()
    for name in broken:
        checks.expect(f"{spec}: {name} recovers", run.reaches(name, healthy), run.tail())


def run_checks(functions: list) -> None:
    """Runs each function of a healthy script and prints PASS or FAIL with its name."""
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
    """Tries each attempt again and again until standard input ends, and prints `NAME OUTCOME` whenever the outcome of one
    changes; an attempt returns its outcome."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    last: dict = {}
    while not ended.is_set():
        for name, attempt in attempts.items():
            outcome = attempt()
            if last.get(name) != outcome:
                last[name] = outcome
                print(f"{name} {outcome}", flush=True)
        time.sleep(0.005)
