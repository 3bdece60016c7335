# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import pytest
from dropin.support import Repository, make
from harness import BUILD

# Replaces scripts/build. Copies existing build products.
BUILD_ALL = """#!/bin/sh
[ "$*" = "release cudafault cudafault-one-file" ] || exit 1
mkdir -p ../build/generated ../build/bin
cp "{build}/generated/cudafault.one.cpp" ../build/generated/
cp "{build}/bin/cudafault" ../build/bin/
"""


@pytest.fixture(scope="session")
def create_repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Repository]:
    """Returns a function that creates a repository without build products."""

    def create(name: str) -> Repository:
        repo = Repository(tmp_path_factory.mktemp("dropin") / name)
        script = repo.root / "scripts" / "build"
        script.parent.mkdir()
        script.write_text(BUILD_ALL.format(build=BUILD))
        script.chmod(0o755)
        return repo

    return create


@pytest.fixture
def repo(tmp_path) -> Repository:
    return Repository(tmp_path / "user")


@pytest.fixture(scope="session")
def made_repository(create_repository):
    """Returns a repository in which `make` has built the library, and the completed `make` process."""
    repo = create_repository("a repository")
    return repo, make(repo)


@pytest.fixture
def repo_with_library(repo, made_repository) -> Repository:
    for product in made_repository[0].dropin.glob("fake_cuda_xid79.*"):
        (repo.dropin / product.name).write_bytes(product.read_bytes())
    return repo
