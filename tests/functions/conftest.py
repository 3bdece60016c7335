# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass
from pathlib import Path

import pytest
from functions.support import Architecture, build_all, emulated, host, write_tables


@dataclass
class Machine:
    architecture: Architecture
    libc: Path
    linked: Path  # the caller that is linked to the stand-ins
    by_dlsym: Path


@pytest.fixture(scope="session")
def function_count() -> int:
    return write_tables()


@pytest.fixture(scope="session", params=[host, emulated], ids=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest, function_count: int) -> Machine:
    architecture, libc = request.param()
    return Machine(architecture, libc, *build_all(architecture, function_count))


@pytest.fixture(scope="session", params=["linked", "by_dlsym"])
def program(request: pytest.FixtureRequest, machine: Machine) -> Path:
    return getattr(machine, request.param)


@pytest.fixture(scope="session")
def architecture(machine: Machine) -> Architecture:
    return machine.architecture
