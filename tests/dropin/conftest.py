# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
from dropin.support import Place, make
from harness import BUILD

# What scripts/build does with these arguments.
BUILD_ALL = """#!/bin/sh
[ "$*" = "release cudafault cudafault-one-file" ] || exit 1
mkdir -p ../build/generated ../build/bin
cp "{build}/generated/cudafault.one.cpp" ../build/generated/
cp "{build}/bin/cudafault" ../build/bin/
"""


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    """Makes a repository in which nothing is built yet."""

    def create(name: str) -> Place:
        place = Place(tmp_path_factory.mktemp("dropin") / name)
        script = place.root / "scripts" / "build"
        script.parent.mkdir()
        script.write_text(BUILD_ALL.format(build=BUILD))
        script.chmod(0o755)
        return place

    return create


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path / "user")


@pytest.fixture(scope="session")
def made(repository):
    """A repository in which `make` created the library, and what `make` said."""
    place = repository("a repository")
    return place, make(place)


@pytest.fixture
def place_with_library(place, made) -> Place:
    for product in made[0].dropin.glob("fake_cuda_xid79.*"):
        (place.dropin / product.name).write_bytes(product.read_bytes())
    return place
