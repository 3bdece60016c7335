# SPDX-License-Identifier: Apache-2.0
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harmless.support import OUT, PROGRAMS, WorkFolder
from harness import build


@pytest.fixture
def work() -> Iterator[WorkFolder]:
    """Returns a work folder that other users can access. The folders of tmp_path are private."""
    with tempfile.TemporaryDirectory(prefix="harmless-") as folder:
        yield WorkFolder(Path(folder))


@pytest.fixture(scope="session")
def cuda_life() -> Path:
    return build(OUT / "cuda_life", PROGRAMS / "cuda_life.c", "-ldl", "-pthread")


@pytest.fixture(scope="session")
def loader() -> Path:
    """Builds a program that loads a plugin from the folder that its argument names."""
    return build(OUT / "loading", PROGRAMS / "loading.c", "-O1", "-rdynamic", "-ldl")
