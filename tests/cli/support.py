# SPDX-License-Identifier: Apache-2.0
"""Helpers for the command-line tests."""

import os
import re
import sys
from pathlib import Path

from harness import Outcome, Run, cudafault

CLIENT = (sys.executable, Path(__file__).resolve().parent / "client.py")

# A program that prints the name of each signal it receives. Its arguments name the signals that it handles.
SIGNAL_PRINTER = """
import signal, sys, time
def show(number, _):
    print(signal.Signals(number).name, flush=True)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), show)
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""


class ClientRun(Run):
    """A run of client.py on two simulated GPUs. If `command` is given, it must start client.py itself."""

    def __init__(self, name: str, *command: object, **options) -> None:
        super().__init__(*(command or CLIENT), name=name, **options)
        assert self.read_line() == "ready", self.errors()

    def allocate(self, gpu: int = 0, count: int = 1) -> str | None:
        """Makes `count` allocations and returns the code of the last allocation."""
        self.write_line(gpu, count)
        return self.read_line()


def assert_refused(outcome: Outcome, code: int, *words: str) -> None:
    assert outcome.code == code, outcome
    assert not [word for word in words if word not in outcome.errors], outcome
    assert "terminate" not in outcome.errors, outcome


def record_file(name: str) -> Path:
    return Path(os.environ["XDG_RUNTIME_DIR"]) / "cudafault" / f"{name}.json"


def status(name: str):
    return cudafault("status", name, "--json").json


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def has_words(text: str, *words: str) -> bool:
    return all(word in text for word in words)


def has_line(text: str, pattern: str) -> bool:
    return re.search(pattern, text, re.MULTILINE) is not None
