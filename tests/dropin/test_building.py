# SPDX-License-Identifier: Apache-2.0
"""Tests `make` in the drop-in directory of the repository and in a copy of it, and the library that `make` builds."""

import shutil
import sys

import pytest
from dropin.support import Repository, make, with_path
from harness import BUILD, SIMGPU, execute

CODES = {79: 100, 48: 214, 94: 214, 95: 999, 43: 702, 74: 217}
CALL_CUDA = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"


def test_make_builds_library_in_the_repository(made_repository):
    repo, done = made_repository
    assert done.returncode == 0
    assert (repo.dropin / "fake_cuda_xid79.so").exists()
    assert "program is ../build/bin/cudafault" in done.stdout
    assert not (repo.dropin / "cudafault.map").exists()


def test_make_compiles_only_if_source_has_changed(made_repository):
    repo, _ = made_repository
    library = repo.dropin / "fake_cuda_xid79.so"
    modified = library.stat().st_mtime_ns
    assert make(repo).returncode == 0
    assert library.stat().st_mtime_ns == modified
    (repo.root / "build" / "generated" / "cudafault.one.cpp").touch()
    assert make(repo).returncode == 0
    assert library.stat().st_mtime_ns > modified


def test_make_fails_if_build_fails(create_repository):
    repo = create_repository("a broken repository")
    (repo.root / "scripts" / "build").write_text("#!/bin/sh\nexit 1\n")
    assert make(repo).returncode != 0


def test_make_builds_library_in_a_copy(tmp_path, made_repository):
    origin, repo = made_repository[0], Repository(tmp_path / "a copy")
    done = make(repo)
    refused = done.returncode != 0 and "not found: run `make` in" in done.stderr
    assert refused, done
    shutil.copy(origin.dropin / "fake_cuda_xid79.cpp", repo.dropin)
    done = make(repo)
    refused = done.returncode != 0 and "put it on PATH" in done.stderr
    assert refused, done
    done = make(repo, **with_path(BUILD / "bin"))
    assert done.returncode == 0, done
    make(repo, "clean")
    remaining = {path.name for path in repo.dropin.glob("fake_cuda_xid79.*")}
    assert remaining == {"fake_cuda_xid79.cpp"}, "`make clean` keeps the source of a copy"
    (repo.dropin / "fake_cuda_xid79.cpp").write_text("// no command\nint x;\n")
    done = make(repo, **with_path(BUILD / "bin"))
    assert done.returncode != 0 and "did not create" in done.stderr, done
    (repo.dropin / "fake_cuda_xid79.cpp").write_text("//   g++ -shared -o libcudafault.so THIS_FILE\nnot C++\n")
    done = make(repo, **with_path(BUILD / "bin"))
    broken = done.returncode != 0 and not (repo.dropin / "fake_cuda_xid79.so").exists()
    assert broken, done


@pytest.fixture(scope="module")
def cu_init(made_repository, tmp_path_factory):
    """Returns a function that calls cuInit with the library and returns the code. The library is copied to a path
    without spaces, because LD_PRELOAD cannot contain spaces."""
    library = shutil.copy(made_repository[0].dropin / "fake_cuda_xid79.so", tmp_path_factory.mktemp("library"))

    def call(**environment):
        done = execute(
            [sys.executable, "-c", CALL_CUDA], preload=[library], library_path=[SIMGPU], environment=environment
        )
        return done.output.strip() or done.errors

    return call


@pytest.mark.parametrize(("xid", "code"), CODES.items())
def test_xid_type_selects_the_code(cu_init, xid, code):
    assert cu_init(CUDA_FAULT_INJECTION_ENABLED="1", CUDA_XID_TYPE=str(xid)) == str(code)


def test_default_xid_is_79(cu_init):
    assert cu_init(CUDA_FAULT_INJECTION_ENABLED="1") == "100"


def test_no_call_fails_unless_enabled(cu_init):
    assert cu_init(CUDA_FAULT_INJECTION_ENABLED="0", CUDA_XID_TYPE="79") == "0"
    assert cu_init() == "0"
