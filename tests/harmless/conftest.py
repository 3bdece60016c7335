# SPDX-License-Identifier: Apache-2.0
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harmless.support import OUT, PROGRAMS, Place
from harness import build


@pytest.fixture
def place() -> Iterator[Place]:
    """Not below pytest's own folders, which other users cannot enter."""
    with tempfile.TemporaryDirectory(prefix="harmless-") as folder:
        yield Place(Path(folder))


@pytest.fixture(scope="session")
def cuda_life() -> Path:
    return build(OUT / "cuda_life", PROGRAMS / "cuda_life.c", "-ldl", "-pthread")


@pytest.fixture(scope="session")
def loader() -> Path:
    """A program that loads plugins from the folder that its argument names."""
    return build(OUT / "loading", PROGRAMS / "loading.c", "-O1", "-rdynamic", "-ldl")
