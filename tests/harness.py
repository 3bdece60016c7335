# SPDX-License-Identifier: Apache-2.0
"""What whole-program tests share: where things are, counted checks, programs run with and without the library."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CUDAFAULT_BUILD", ROOT / "build"))
LIBRARY = BUILD / "lib" / "libcudafault.so"
SIMGPU = BUILD / "lib" / "simgpu"
OURS = ("CUDAFAULT_", "CUDA_FAULT_INJECTION_", "CUDA_XID_TYPE", "LD_PRELOAD", "LD_LIBRARY_PATH")


class Skip(Exception):
    """Why a check cannot be made on this machine."""


class Checks:
    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0

    def expect(self, name: str, ok: bool, found: object = "") -> bool:
        if ok:
            self.passed += 1
            print(f"PASS {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL {name}: {found}", flush=True)
        return ok

    def equal(self, name: str, found: object, expected: object) -> bool:
        return self.expect(name, found == expected, f"expected {expected!r}, found {found!r}")

    def skip(self, name: str, why: object) -> None:
        self.skipped += 1
        print(f"SKIP {name}: {why}", flush=True)

    def finish(self) -> None:
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        sys.exit(1 if self.failed else 0)


@dataclass
class Outcome:
    code: int
    output: str
    errors: str
    events: list

    @property
    def behaviour(self) -> tuple:
        """What somebody who runs the program can see."""
        return self.code, self.output, self.errors

    def fired(self, function: str, code: int) -> bool:
        return any(event.get("function") == function and event.get("code") == code for event in self.events)


def clean_environment() -> dict:
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def read_events(log: Path) -> list:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def execute(
    command: list,
    plan: str | None = None,
    preload: list | None = None,
    library_path: list = (),
    environment: dict = {},
    timeout: int = 120,
    **options,
) -> Outcome:
    """Runs a program, with the library preloaded unless `preload` says otherwise, and reads the library's evidence."""
    surroundings = clean_environment()
    preloaded = [LIBRARY] if preload is None else preload
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        log = Path(folder) / "events"
        if preloaded:
            surroundings["LD_PRELOAD"] = ":".join(map(str, preloaded))
        if library_path:
            surroundings["LD_LIBRARY_PATH"] = ":".join(map(str, library_path))
        if plan is not None:
            surroundings["CUDAFAULT_PLAN"] = plan
            surroundings["CUDAFAULT_LOG"] = str(log)
        surroundings.update(environment)
        done = subprocess.run(
            [str(word) for word in command],
            env=surroundings,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            **options,
        )
        return Outcome(done.returncode, done.stdout, done.stderr, read_events(log))


def build(output: Path, *arguments) -> Path:
    """Compiles with gcc; whatever the test needs is small, so it is always made anew."""
    output.parent.mkdir(parents=True, exist_ok=True)
    compile_with("gcc", "-Wall", "-Wextra", "-Werror", "-o", output, *arguments)
    return output


def compile_with(*command) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=clean_environment())
    if done.returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` failed:\n{done.stderr}")


def pinned(package: str) -> str:
    """The requirement for pip, with the version of tests/clients/versions.env."""
    key = package.upper().replace("-", "_") + "_VERSION="
    for line in (ROOT / "tests" / "clients" / "versions.env").read_text().splitlines():
        if line.startswith(key):
            return f"{package}=={line.removeprefix(key)}"
    sys.exit(f"tests/clients/versions.env does not name a version of {package}")


def python_with(folder: Path, *packages: str) -> Path:
    """The interpreter of a virtual environment with these packages; kept from one test run to the next."""
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
    whole = [python, "-m", "pip", command, "--quiet", *map(str, arguments)]
    done = subprocess.run(whole, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"`pip {command} {arguments[-1]}` failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")


def require_library() -> None:
    for product in (LIBRARY, SIMGPU / "libcuda.so.1"):
        if not product.exists():
            sys.exit(f"{product} is not built: run `make` first")
