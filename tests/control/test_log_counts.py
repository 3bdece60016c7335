# SPDX-License-Identifier: Apache-2.0
"""Tests the counts that a process with a plan file writes to CUDAFAULT_LOG, where `k8s status` reads them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import LIBRARY, SIMGPU, TIMEOUT, clean_environment, wait_until

# Reads numbers from standard input, makes that many calls for each, and prints the time after the last one.
CALLER = """
import ctypes, sys, time
driver = ctypes.CDLL("libcuda.so.1")
driver.cuInit(0)
for line in sys.stdin:
    for _ in range(int(line)):
        driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int()))
    print(time.time_ns(), flush=True)
"""
FIRST_LINES = 32
COUNT_DELAY = 2
ROUNDS = 2  # sleeps of the watcher between the last call and the count
POLL = 0.01  # seconds


class Caller:
    """A process that reads its plan from a plan file."""

    def __init__(self, folder: Path) -> None:
        # The library watches the folder of the plan, so each line of a log in that folder would wake its watcher.
        self.plan, self.log = folder / "watched" / "plan", folder / "log"
        self.plan.parent.mkdir()
        self.arm(1, "")
        environment = clean_environment() | {
            "LD_PRELOAD": str(LIBRARY),
            "LD_LIBRARY_PATH": str(SIMGPU),
            "CUDAFAULT_SIM_GPUS": "1",
            "CUDAFAULT_PLAN_FILE": str(self.plan),
            "CUDAFAULT_LOG": str(self.log),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", CALLER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.call(1)

    def arm(self, revision: int, spec: str) -> None:
        new = self.plan.with_suffix(".new")
        new.write_text(f"#{revision}\n{spec}\n")
        os.replace(new, self.plan)

    def call(self, times: int) -> int:
        """Makes the calls and returns the time after the last one, in nanoseconds on the clock of the log."""
        assert self.process.stdin and self.process.stdout
        print(times, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def lines(self, revision: int, event: str) -> list[dict]:
        """Returns the lines of the log that have this plan revision and event."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if line.get("plan_revision") == revision and line["cudafault"] == event]

    def arm_and_wait(self, revision: int, spec: str) -> None:
        self.arm(revision, spec)
        wait_until(lambda: self.lines(revision, "acknowledged"))

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture
def caller(tmp_path: Path):
    caller = Caller(tmp_path)
    yield caller
    caller.end()


def wait_and_measure_delay(condition: Callable[[], object]) -> float:
    """Waits until the condition is true. Returns the longest delay, in seconds, with which this process woke
    from a sleep. On a loaded machine the library's watcher wakes with a similar delay."""
    delay, deadline = 0.0, time.monotonic() + TIMEOUT
    while not condition() and time.monotonic() < deadline:
        before = time.monotonic()
        time.sleep(POLL)
        delay = max(delay, time.monotonic() - before - POLL)
    return delay


def final_counts(caller: Caller) -> list[dict]:
    return [line for line in caller.lines(2, "count") if line["fired"] == 500]


def test_final_count_of_bounded_fault_is_written_once(caller: Caller) -> None:
    caller.arm_and_wait(2, "xid=79 calls=cuDeviceGetCount times=500")
    last_call = caller.call(1000)
    delay = wait_and_measure_delay(lambda: final_counts(caller))
    (count,) = final_counts(caller)
    fired = caller.lines(2, "fired")
    seconds = (count["time_ns"] - last_call) / 1e9
    assert seconds < COUNT_DELAY + ROUNDS * delay, delay
    assert FIRST_LINES <= len(fired) < 500
    time.sleep(COUNT_DELAY)
    assert len(final_counts(caller)) == 1, "the library writes the final count once"


def test_each_plan_logs_its_own_first_failures(caller: Caller) -> None:
    caller.arm_and_wait(2, "xid=79 calls=cuDeviceGetCount times=100")
    caller.call(100)
    caller.arm_and_wait(3, "xid=79 calls=cuDeviceGetCount times=20")
    caller.call(100)
    assert [line["fired"] for line in caller.lines(3, "fired")] == list(range(101, 121))
    acknowledged = caller.lines(3, "acknowledged")[0]
    assert acknowledged["fired"] == 100, "the final count of the previous plan"


def test_no_count_line_after_few_failures(caller: Caller) -> None:
    caller.arm_and_wait(2, "xid=79 calls=cuDeviceGetCount times=3")
    caller.call(10)
    time.sleep(COUNT_DELAY)
    assert len(caller.lines(2, "fired")) == 3
    assert caller.lines(2, "count") == []
