# SPDX-License-Identifier: Apache-2.0
"""Helpers for the whole-program tests: paths of build products, the cudafault command, runs, and programs with and
without the library."""

import argparse
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import venv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CUDAFAULT_BUILD", ROOT / "build"))
TOOL = BUILD / "bin" / "cudafault"
LIBRARY = BUILD / "lib" / "libcudafault.so"
SIMGPU = BUILD / "lib" / "simgpu"
# Prefixes of the environment variables that affect fault injection and preloading.
INJECTION_VARIABLES = ("CUDAFAULT_", "CUDA_FAULT_INJECTION_", "CUDA_XID_TYPE", "LD_PRELOAD", "LD_LIBRARY_PATH")
TIMEOUT = 20  # seconds; conditions normally become true within one second

T = TypeVar("T")


class Skip(unittest.SkipTest):
    """Raised with the reason if a check cannot run on this machine. pytest reports the test as skipped."""


class Checks:
    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0

    def expect(self, name: str, ok: object, found: object = "") -> bool:
        if ok:
            self.passed += 1
            print(f"PASS {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name}: {found}", flush=True)
        return bool(ok)

    def equal(self, name: str, found: object, expected: object) -> bool:
        return self.expect(name, found == expected, f"expected {expected!r}, found {found!r}")

    def skip(self, name: str, reason: object) -> None:
        self.skipped += 1
        print(f"SKIP {name}: {reason}", flush=True)

    def finish(self) -> None:
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        sys.exit(1 if self.failed else 0)


def select_tests(description: str | None, names: Iterable[str]) -> list[str]:
    """Returns the names of the tests that a script of a suite runs: those that contain the NAME of `-k NAME`, without
    regard to case, otherwise all. With --list, prints these names and exits."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", dest="part", metavar="NAME", default="", help="run only tests whose name contains NAME")
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    options = parser.parse_args()
    selected = [name for name in names if options.part.lower() in name.lower()]
    if options.list:
        for name in selected:
            print(name)
        sys.exit(0)
    return selected


@dataclass
class Outcome:
    code: int
    output: str
    errors: str
    events: list = field(default_factory=list)  # the lines of CUDAFAULT_LOG

    @property
    def behavior(self) -> tuple:
        """The exit code and the text of both output streams."""
        return self.code, self.output, self.errors

    @property
    def json(self) -> Any:
        return json.loads(self.output)

    def fired(self, function: str, code: int) -> bool:
        return any(event.get("function") == function and event.get("code") == code for event in self.events)


def clean_environment() -> dict:
    return {name: value for name, value in os.environ.items() if not name.startswith(INJECTION_VARIABLES)}


def read_events(log: Path) -> list:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def execute(
    command: list,
    plan: str | None = None,
    preload: list | None = None,
    library_path: list | tuple = (),
    environment: dict | None = None,
    timeout: float = 120,
    **options,
) -> Outcome:
    """Runs a program and returns its outcome with the lines of CUDAFAULT_LOG. `preload` replaces the list of preloaded
    libraries, which is libcudafault.so by default."""
    variables = clean_environment()
    preloaded = [LIBRARY] if preload is None else preload
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        log = Path(folder) / "events"
        if preloaded:
            variables["LD_PRELOAD"] = ":".join(map(str, preloaded))
        if library_path:
            variables["LD_LIBRARY_PATH"] = ":".join(map(str, library_path))
        if plan is not None:
            variables["CUDAFAULT_PLAN"] = plan
            variables["CUDAFAULT_LOG"] = str(log)
        variables.update(environment or {})
        done = subprocess.run(
            [str(word) for word in command],
            env=variables,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            **options,
        )
        return Outcome(done.returncode, done.stdout, done.stderr, read_events(log))


def cudafault(*arguments: object, text_input: str = "", **environment: str) -> Outcome:
    """Runs the cudafault command in a clean environment with the given variables added."""
    done = subprocess.run(
        [TOOL, *map(str, arguments)],
        check=False,
        input=text_input,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        env={**clean_environment(), **environment},
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def wait_until(condition: Callable[[], T], seconds: float = TIMEOUT) -> T:
    """Polls the condition until it is true or the timeout passes. Returns its last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return value


R = TypeVar("R", bound="Run")


class Run:
    """`cudafault run` in the background. end() and the end of the `with` block close standard input and wait for the
    exit."""

    def __init__(
        self,
        *command: object,
        name: str | None = None,
        gpus: str | None = "sim:2",
        options: list | tuple = (),
        environment: dict | None = None,
    ) -> None:
        self.name = name or f"test-{os.getpid()}-{time.monotonic_ns()}"
        gpus_option = ["--gpus", gpus] if gpus else []
        self._errors = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen(
            [TOOL, "run", "--name", self.name, *gpus_option, *map(str, options), "--", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            errors="replace",
            env={**clean_environment(), **(environment or {})},
            # The kernel does not stop orphaned process groups, so the group needs a parent in the same session.
            preexec_fn=os.setpgrp,  # noqa: PLW1509  (process_group= needs Python 3.11)
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    @property
    def pid(self) -> int:
        return self.process.pid

    def read_line(self, seconds: float = TIMEOUT) -> str | None:
        """Returns the next line of standard output, or None after the last line or at the timeout."""
        try:
            line = self._lines.get(timeout=max(0, seconds))
        except queue.Empty:
            return None
        if line is None:
            self._lines.put(None)
        return line

    def write_line(self, *words: object) -> None:
        """Writes a line to standard input."""
        print(*words, file=self.process.stdin, flush=True)

    def errors(self) -> str:
        """Returns the standard error output so far."""
        self._errors.seek(0)
        return self._errors.read()

    def arm(self, spec: str) -> None:
        expect_success("arm", self.name, spec)

    def disarm(self) -> None:
        expect_success("disarm", self.name)

    def status(self) -> Any:
        return expect_success("status", self.name, "--json").json

    def events(self) -> Any:
        return expect_success("events", self.name, "--json").json

    def end(self, seconds: float = TIMEOUT) -> Outcome:
        """Closes standard input and waits for the exit. The outcome contains the lines that read_line() has not
        returned."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        unread = iter(lambda: self.read_line(1), None)
        return Outcome(self.process.returncode, "".join(f"{line}\n" for line in unread), self.errors())

    def __enter__(self: R) -> R:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(5)


def expect_success(*arguments: object) -> Outcome:
    """Runs the cudafault command and asserts that it exits with 0."""
    outcome = cudafault(*arguments)
    assert outcome.code == 0, outcome
    return outcome


def build(output: Path, *arguments) -> Path:
    """Compiles with gcc and returns the output path. Compiles unconditionally, because the tests' programs are
    small."""
    output.parent.mkdir(parents=True, exist_ok=True)
    compile_with("gcc", "-Wall", "-Wextra", "-Werror", "-o", output, *arguments)
    return output


def compile_with(*command) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=clean_environment())
    if done.returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` failed:\n{done.stderr}")


def pinned_requirement(package: str) -> str:
    """Returns the pip requirement for the package, with the version in tests/clients/versions.env."""
    key = package.upper().replace("-", "_") + "_VERSION="
    for line in (ROOT / "tests" / "clients" / "versions.env").read_text().splitlines():
        if line.startswith(key):
            return f"{package}=={line.removeprefix(key)}"
    sys.exit(f"tests/clients/versions.env does not name a version of {package}")


def create_python(folder: Path, *packages: str) -> Path:
    """Creates a virtual environment with these packages, unless an earlier test run has created it, and returns the path of
    its interpreter."""
    python = folder / "bin" / "python"
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == " ".join(packages):
        return python
    venv.create(folder, with_pip=True, clear=True)
    if packages:
        pip(python, "install", *packages)
    stamp.write_text(" ".join(packages))
    return python


def pip(python: Path, command: str, *arguments) -> None:
    pip_command = [str(python), "-m", "pip", command, "--quiet", *map(str, arguments)]
    done = subprocess.run(pip_command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"`pip {command} {arguments[-1]}` failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")


def require_library() -> None:
    for product in (LIBRARY, SIMGPU / "libcuda.so.1"):
        if not product.exists():
            sys.exit(f"{product} is not built: run `make` first")
