# SPDX-License-Identifier: Apache-2.0
"""What the control tests share: the client, and workers that call the driver all the time and note how they fare."""

import json
import mmap
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "clients")]
from harness import BUILD, LIBRARY, SIMGPU, TOOL, build, clean_environment, execute
from reporting import ReportingRun

OUT = BUILD / "control"
CLIENT = OUT / "client"
CLIENT_CODE = 7  # its own exit code
SECOND = 1.0


def build_client():
    libraries = [SIMGPU / "libcuda.so.1", SIMGPU / "libcudart.so.12"]
    return build(CLIENT, HERE / "client.c", "-O1", "-pthread", *libraries)


def operate(operations, plan=None, command=(CLIENT,), environment=None, **options):
    """Does the operations (one string) in a process of its own, on two simulated GPUs unless told otherwise."""
    surroundings = {"CUDAFAULT_SIM_GPUS": "2", **(environment or {})}
    return execute([*command, *operations.split()], plan, library_path=[SIMGPU], environment=surroundings, **options)


def numbers(text):
    return [int(line) for line in text.splitlines() if line.lstrip("-").isdigit()]


def codes(operations, plan=None, **options):
    return numbers(operate(operations, plan, **options).output)


def operate_in_run(operations, *options, command=(CLIENT,), gpus="sim:2", environment=None):
    """The same under `cudafault run` with these options."""
    whole = [TOOL, "run", "--gpus", gpus, *options, "--", *map(str, command), *operations.split()]
    surroundings = {**clean_environment(), **(environment or {})}
    return subprocess.run(whole, env=surroundings, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def cudafault(*arguments):
    """The standard output; a failure is the test's own."""
    return subprocess.run([TOOL, *arguments], check=True, capture_output=True, text=True).stdout


def faults_of(name):
    """What `status` tells of each fault of the run's plan."""
    return json.loads(cudafault("status", name, "--json"))["plan"]["faults"]


def wait_until(condition, seconds):
    """The seconds until the condition holds, or None."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if condition():
            return time.monotonic() - started
        time.sleep(0.002)
    return None


class Workers:
    """Clients that call the driver all the time: as many as there are names, started by `start(number)` or by a run."""

    SLOT = struct.Struct("=QQQQ")  # pid, calls, failed, last code
    WATCH, WATCH_OFFSET = struct.Struct("=Q"), 8 + 16 * SLOT.size
    PATIENCE = 20 * SECOND

    def __init__(self, folder, count):
        self.count = count
        self.file = folder / f"board-{time.monotonic_ns()}"
        self.file.write_bytes(bytes(4096))
        with open(self.file, "r+b") as file:
            self.board = mmap.mmap(file.fileno(), 4096)
        self.processes = []
        self.run = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        for process in self.processes:
            process.wait(timeout=self.PATIENCE)
        if self.run and self.run.process.poll() is None:
            self.run.stop()
        self.file.unlink()

    def stop(self):
        self.board[0] = 1

    def command(self, number):
        return [str(CLIENT), "worker", str(self.file), str(number)]

    def start_in_run(self):
        """All of them in one `cudafault run` on a simulated GPU; which is stopped in the end."""
        script = f'for i in $(seq 0 {self.count - 1}); do "$0" worker "$1" $i & done; wait'
        self.run = ReportingRun("sh", "-c", script, CLIENT, self.file, gpus="sim:1")
        self.wait_for_calls()
        return self.run

    def start_storm(self, children=0):
        """One program that calls without a pause, from eight threads or from children."""
        self.run = ReportingRun(CLIENT, "storm", self.file, children, gpus="sim:1")
        self.wait_for_calls()
        return self.run

    def start(self, **environment):
        """All of them, preloaded, with these variables."""
        surroundings = {**clean_environment(), "LD_LIBRARY_PATH": str(SIMGPU), "LD_PRELOAD": str(LIBRARY)}
        surroundings |= {name: str(value) for name, value in environment.items()}
        for number in range(self.count):
            self.processes.append(
                subprocess.Popen(self.command(number), env=surroundings, stderr=subprocess.PIPE, text=True)
            )
        return self.wait_for_calls()

    def watch(self, watching):
        """From now on no call of the storm may succeed, or any may again; calls in flight are done."""
        self.WATCH.pack_into(self.board, self.WATCH_OFFSET, watching)
        self.wait_for_calls()

    def slipped(self):
        return self.WATCH.unpack_from(self.board, self.WATCH_OFFSET + self.WATCH.size)[0]

    def slots(self):
        return [self.SLOT.unpack_from(self.board, 8 + number * self.SLOT.size) for number in range(self.count)]

    def pids(self):
        return [slot[0] for slot in self.slots()]

    def failed(self):
        return [slot[2] for slot in self.slots()]

    def last_codes(self):
        return {slot[3] for slot in self.slots()}

    def wait_for_calls(self, calls=6, seconds=PATIENCE):
        """Whether each of them makes so many more calls."""
        before = [slot[1] for slot in self.slots()]
        return None is not wait_until(
            lambda: all(slot[1] >= made + calls for slot, made in zip(self.slots(), before)), seconds
        )

    def outcomes(self, calls=6):
        """The codes of the next calls of all of them; None for a worker that makes none."""
        before = self.failed()
        if not self.wait_for_calls(calls, 5 * SECOND):
            return {None}
        after = self.slots()
        return {slot[3] if slot[2] > failed else 0 for slot, failed in zip(after, before)}

    def reach(self, outcomes, seconds=SECOND):
        """The seconds until the next calls of all come out like this; None if they do not in time."""
        return wait_until(lambda: self.outcomes(4) == outcomes, seconds)


def lines_of(text):
    return [line for line in text.splitlines() if line]


def write_atomically(file, text):
    new = Path(f"{file}.new")
    new.write_text(text)
    os.replace(new, file)
