# SPDX-License-Identifier: Apache-2.0
"""Tests the counts that a process with a plan file writes to CUDAFAULT_LOG, where `k8s status` reads them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import LIBRARY, SIMGPU, clean_environment, wait_until

# Reads numbers from standard input and makes that many calls for each.
CALLER = """
import ctypes, sys
driver = ctypes.CDLL("libcuda.so.1")
driver.cuInit(0)
for line in sys.stdin:
    for _ in range(int(line)):
        driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int()))
    print("done", flush=True)
"""
FIRST_LINES = 32
COUNT_DELAY = 2


class Caller:
    """A process that reads its plan from a plan file."""

    def __init__(self, folder: Path) -> None:
        self.plan, self.log = folder / "plan", folder / "log"
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

    def call(self, times: int) -> None:
        assert self.process.stdin and self.process.stdout
        print(times, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n"

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


def test_final_count_of_bounded_fault_is_written_once(caller: Caller) -> None:
    caller.arm_and_wait(2, "xid=79 calls=cuDeviceGetCount times=500")
    caller.call(1000)
    count = wait_until(lambda: caller.lines(2, "count"))[0]
    fired = caller.lines(2, "fired")
    assert count["fired"] == 500
    assert FIRST_LINES <= len(fired) < 500
    time.sleep(COUNT_DELAY)
    assert len(caller.lines(2, "count")) == 1, "the library writes the final count once"


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
