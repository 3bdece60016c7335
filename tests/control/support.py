# SPDX-License-Identifier: Apache-2.0
"""Helpers for the control tests: the client program, and workers that call the driver continuously and record the
results."""

import mmap
import os
import struct
import subprocess
import time
from pathlib import Path

from harness import BUILD, LIBRARY, SIMGPU, TOOL, Run, build, clean_environment, execute, expect_success

HERE = Path(__file__).resolve().parent
OUT = BUILD / "control"
CLIENT = OUT / "client"
CLIENT_CODE = 7  # exit code of the client
SECOND = 1.0


def build_client():
    libraries = [SIMGPU / "libcuda.so.1", SIMGPU / "libcudart.so.12"]
    return build(CLIENT, HERE / "client.c", "-O1", "-pthread", *libraries)


def run_client(operations, plan=None, command=(CLIENT,), environment=None, **options):
    """Runs the client with the operations, separated by spaces, on two simulated GPUs."""
    variables = {"CUDAFAULT_SIM_GPUS": "2", **(environment or {})}
    return execute([*command, *operations.split()], plan, library_path=[SIMGPU], environment=variables, **options)


def integers(text):
    return [int(line) for line in text.splitlines() if line.lstrip("-").isdigit()]


def codes(operations, plan=None, **options):
    return integers(run_client(operations, plan, **options).output)


def run_client_in_run(operations, *options, command=(CLIENT,), gpus="sim:2", environment=None):
    """Runs the client with the operations under `cudafault run` with the given options."""
    run = [TOOL, "run", "--gpus", gpus, *options, "--", *map(str, command), *operations.split()]
    variables = {**clean_environment(), **(environment or {})}
    return subprocess.run(run, env=variables, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def faults_of(name):
    """Returns the faults of the run's plan, as `status` reports them."""
    return expect_success("status", name, "--json").json["plan"]["faults"]


def seconds_until(condition, seconds):
    """Returns the seconds until the condition is true, or None if it is still false after `seconds`."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if condition():
            return time.monotonic() - started
        time.sleep(0.002)
    return None


class Workers:
    """Clients that call the driver continuously. start(), start_in_run() and start_storm() start them."""

    SLOT = struct.Struct("=QQQQ")  # pid, calls, failed, last code
    WATCH, WATCH_OFFSET = struct.Struct("=Q"), 8 + 16 * SLOT.size
    TIMEOUT = 20 * SECOND

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
            process.wait(timeout=self.TIMEOUT)
        if self.run and self.run.process.poll() is None:
            self.run.end(30)
        self.file.unlink()

    def stop(self):
        self.board[0] = 1

    def command(self, number):
        return [str(CLIENT), "worker", str(self.file), str(number)]

    def start_in_run(self):
        """Starts all workers in one `cudafault run` on a simulated GPU. The end of the `with` block ends the run."""
        script = f'for i in $(seq 0 {self.count - 1}); do "$0" worker "$1" $i & done; wait'
        self.run = Run("sh", "-c", script, CLIENT, self.file, gpus="sim:1")
        self.wait_for_calls()
        return self.run

    def start_storm(self, children=0):
        """Starts one program that calls continuously, from eight threads or from forked children."""
        self.run = Run(CLIENT, "storm", self.file, children, gpus="sim:1")
        self.wait_for_calls()
        return self.run

    def start(self, **environment):
        """Starts all workers with the library preloaded and the given variables set."""
        variables = {**clean_environment(), "LD_LIBRARY_PATH": str(SIMGPU), "LD_PRELOAD": str(LIBRARY)}
        variables |= {name: str(value) for name, value in environment.items()}
        for number in range(self.count):
            self.processes.append(
                subprocess.Popen(self.command(number), env=variables, stderr=subprocess.PIPE, text=True)
            )
        return self.wait_for_calls()

    def watch(self, watching):
        """Starts or stops counting successful calls in storm mode, and waits until earlier calls have ended."""
        self.WATCH.pack_into(self.board, self.WATCH_OFFSET, watching)
        self.wait_for_calls()

    def successes(self):
        return self.WATCH.unpack_from(self.board, self.WATCH_OFFSET + self.WATCH.size)[0]

    def slots(self):
        return [self.SLOT.unpack_from(self.board, 8 + number * self.SLOT.size) for number in range(self.count)]

    def pids(self):
        return [slot[0] for slot in self.slots()]

    def failed(self):
        return [slot[2] for slot in self.slots()]

    def last_codes(self):
        return {slot[3] for slot in self.slots()}

    def wait_for_calls(self, calls=6, seconds=TIMEOUT):
        """Waits until each worker has made `calls` more calls. Returns False after `seconds`."""
        before = [slot[1] for slot in self.slots()]
        return None is not seconds_until(
            lambda: all(slot[1] >= earlier + calls for slot, earlier in zip(self.slots(), before)), seconds
        )

    def outcomes(self, calls=6):
        """Returns the set of codes of the workers' next calls, or {None} if a worker makes no call."""
        before = self.failed()
        if not self.wait_for_calls(calls, 5 * SECOND):
            return {None}
        after = self.slots()
        return {slot[3] if slot[2] > failed else 0 for slot, failed in zip(after, before)}

    def seconds_until_outcomes(self, outcomes, seconds=SECOND):
        """Returns the seconds until the next calls of all workers have these outcomes, or None at the timeout."""
        return seconds_until(lambda: self.outcomes(4) == outcomes, seconds)


def run_variable(pid):
    """Returns a process's CUDAFAULT_RUN, which consists of a PID, file descriptor, start time and inode."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        variables = dict(variable.split(b"=", 1) for variable in file.read().split(b"\0") if b"=" in variable)
    return variables[b"CUDAFAULT_RUN"].decode()


def lines_of(text):
    return [line for line in text.splitlines() if line]


def write_atomically(file, text):
    new = Path(f"{file}.new")
    new.write_text(text)
    os.replace(new, file)
