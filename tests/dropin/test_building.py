# SPDX-License-Identifier: Apache-2.0
"""`make` in the drop-in directory: inside the repository, in a copy elsewhere, and the library it makes."""

import shutil
import sys

import pytest
from dropin.support import Place, make, with_path
from harness import BUILD, SIMGPU, execute

CODES = {79: 100, 48: 214, 94: 214, 95: 999, 43: 702, 74: 217}
CALL_CUDA = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"


def test_make_in_the_repository(made):
    place, done = made
    assert done.returncode == 0
    assert (place.dropin / "fake_cuda_xid79.so").exists()
    assert "program is ../build/bin/cudafault" in done.stdout
    assert not (place.dropin / "cudafault.map").exists()


def test_make_compiles_only_a_new_source(made):
    place, _ = made
    library = place.dropin / "fake_cuda_xid79.so"
    modified = library.stat().st_mtime_ns
    assert make(place).returncode == 0
    assert library.stat().st_mtime_ns == modified
    (place.root / "build" / "generated" / "cudafault.one.cpp").touch()
    assert make(place).returncode == 0
    assert library.stat().st_mtime_ns > modified


def test_make_fails_with_the_build(repository):
    place = repository("a broken repository")
    (place.root / "scripts" / "build").write_text("#!/bin/sh\nexit 1\n")
    assert make(place).returncode != 0


def test_copy(tmp_path, made):
    origin, place = made[0], Place(tmp_path / "a copy")
    done = make(place)
    refused = done.returncode != 0 and "not found: run `make` in" in done.stderr
    assert refused, done
    shutil.copy(origin.dropin / "fake_cuda_xid79.cpp", place.dropin)
    done = make(place)
    refused = done.returncode != 0 and "put it on PATH" in done.stderr
    assert refused, done
    done = make(place, **with_path(BUILD / "bin"))
    assert done.returncode == 0, done
    make(place, "clean")
    left = {path.name for path in place.dropin.glob("fake_cuda_xid79.*")}
    assert left == {"fake_cuda_xid79.cpp"}, "clean keeps the source of a copy"
    (place.dropin / "fake_cuda_xid79.cpp").write_text("// no command\nint x;\n")
    done = make(place, **with_path(BUILD / "bin"))
    assert done.returncode != 0 and "did not create" in done.stderr, done
    (place.dropin / "fake_cuda_xid79.cpp").write_text("//   g++ -shared -o libcudafault.so THIS_FILE\nnot C++\n")
    done = make(place, **with_path(BUILD / "bin"))
    broken = done.returncode != 0 and not (place.dropin / "fake_cuda_xid79.so").exists()
    assert broken, done


@pytest.fixture(scope="module")
def cu_init(made, tmp_path_factory):
    """Calls cuInit with the library, in a folder whose path LD_PRELOAD can name, and returns the code."""
    library = shutil.copy(made[0].dropin / "fake_cuda_xid79.so", tmp_path_factory.mktemp("library"))

    def call(**environment):
        done = execute(
            [sys.executable, "-c", CALL_CUDA], preload=[library], library_path=[SIMGPU], environment=environment
        )
        return done.output.strip() or done.errors

    return call


@pytest.mark.parametrize(("xid", "code"), CODES.items())
def test_code_of_an_xid(cu_init, xid, code):
    assert cu_init(CUDA_FAULT_INJECTION_ENABLED="1", CUDA_XID_TYPE=str(xid)) == str(code)


def test_default_xid_is_79(cu_init):
    assert cu_init(CUDA_FAULT_INJECTION_ENABLED="1") == "100"


def test_nothing_fails_unless_enabled(cu_init):
    assert cu_init(CUDA_FAULT_INJECTION_ENABLED="0", CUDA_XID_TYPE="79") == "0"
    assert cu_init() == "0"
