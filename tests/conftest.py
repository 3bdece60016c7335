# SPDX-License-Identifier: Apache-2.0
"""Defines the fixtures of all test suites. Functions and classes that tests import are in harness.py."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
pytest.register_assert_rewrite("harness", *(folder.name for folder in TESTS.iterdir() if folder.is_dir()))

from harness import INJECTION_VARIABLES, LIBRARY, SIMGPU, TOOL, Run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--name", help="run only the tests whose name, as scripts/test prints it, contains this text")


def printed_name(item: pytest.Item) -> str:
    """Returns a name such as control.test_targets::test_rank[one], as scripts/test prints it for a failed test."""
    return ".".join(item.path.relative_to(TESTS).with_suffix("").parts) + "::" + item.nodeid.split("::", 1)[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    name = config.getoption("--name")
    if name is None:
        return
    config.hook.pytest_deselected(items=[item for item in items if name not in printed_name(item)])
    items[:] = [item for item in items if name in printed_name(item)]


@pytest.fixture(scope="session", autouse=True)
def require_build() -> None:
    """Ends the test run if cudafault is not built."""
    for product in (TOOL, LIBRARY, SIMGPU / "libcuda.so.1"):
        if not product.exists():
            pytest.exit(f"{product} does not exist: run `make` first", returncode=3)


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Removes the variables of cudafault and the loader, and returns a runtime folder that only this test uses."""
    for name in os.environ:
        if name.startswith(INJECTION_VARIABLES):
            monkeypatch.delenv(name)
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def start_run() -> Iterator[Callable[..., Run]]:
    """Returns a function that creates a harness.Run. All runs end with the test."""
    started: list[Run] = []

    def start(*command: object, **options) -> Run:
        started.append(Run(*command, **options))
        return started[-1]

    yield start
    for run in started:
        run.end(5)
