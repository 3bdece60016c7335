# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all suites. What a test imports instead stands in harness.py: paths of the build, cudafault(), Run,
execute(), and build() for programs in C."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
pytest.register_assert_rewrite("harness", *(folder.name for folder in TESTS.iterdir() if folder.is_dir()))

from harness import LIBRARY, OURS, SIMGPU, TOOL, Run


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Fails each test if the program is not built."""
    for product in (TOOL, LIBRARY, SIMGPU / "libcuda.so.1"):
        if not product.exists():
            pytest.exit(f"{product} does not exist: run `make` first", returncode=3)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of cudafault's or the loader's, and a runtime folder of the test's own, which is returned."""
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def start_run() -> Iterator[Callable[..., Run]]:
    """Starts `cudafault run` as harness.Run does; what still runs ends with the test."""
    started: list[Run] = []

    def start(*command: object, **options) -> Run:
        started.append(Run(*command, **options))
        return started[-1]

    yield start
    for run in started:
        run.end(5)
