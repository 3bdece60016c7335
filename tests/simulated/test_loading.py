# SPDX-License-Identifier: Apache-2.0
"""Tests how programs find and load the simulated libraries."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import SIMGPU, build, cudafault, execute

LIBRARIES = ["libcuda.so", "libcuda.so.1", "libnvidia-ml.so", "libnvidia-ml.so.1"]


def run(*command: object):
    return cudafault("run", "--gpus", "sim:1", "--", *command)


@pytest.mark.parametrize("name", [*LIBRARIES, "/usr/lib/x86_64-linux-gnu/libcuda.so", "/opt/cuda/stubs/libcuda.so"])
def test_library_can_be_opened_by_every_name(name):
    outcome = run(sys.executable, "-c", f"import ctypes; ctypes.CDLL({name!r}); print('opened')")
    assert outcome.behavior == (0, "opened\n", "")


def test_name_without_version_opens_the_versioned_library():
    code = (
        "import ctypes; a, b = (ctypes.CDLL(n) for n in ('libcuda.so', 'libcuda.so.1')); print(a._handle == b._handle)"
    )
    assert run(sys.executable, "-c", code).output == "True\n"


@pytest.mark.parametrize("library, function", [("cuda", "cuInit"), ("nvidia-ml", "nvmlInit_v2")])
def test_program_can_be_linked_by_unversioned_name(library, function, tmp_path):
    source = tmp_path / "program.c"
    source.write_text(f"int {function}(unsigned);\nint main(void) {{ return {function}(0); }}\n")
    program = build(tmp_path / "program", source, f"-L{SIMGPU}", f"-l{library}")
    assert run(program).code == 0


RUNTIMES = [
    ("libcudart.so.13", 13),
    ("libcudart.so.13.5.37", 13),
    ("libcudart.so.12", 12),
    ("libcudart.so.12.9.79", 12),
    ("libcudart.so.11.0", 11),
    ("libcudart.so.11.8.89", 11),
    ("libcudart.so", 12),  # a link to libcudart.so.12
]
RUNTIME_VERSION = """
import ctypes, sys
runtime, version = ctypes.CDLL(sys.argv[1]), ctypes.c_int()
runtime.cudaRuntimeGetVersion(ctypes.byref(version))
print(runtime.cudaSetDevice(0), version.value // 1000)
"""


@pytest.mark.parametrize("name, version", RUNTIMES)
def test_runtime_can_be_opened_by_path(name, version, tmp_path):
    """A program that opens the runtime of an installed toolkit uses the simulated runtime of the same major version."""
    library = tmp_path / name
    if name == "libcudart.so":
        library.symlink_to("libcudart.so.12")
    else:
        library.write_text("a file of the toolkit, which the program must not load")
    outcome = run(sys.executable, "-c", RUNTIME_VERSION, library)
    assert outcome.behavior == (0, f"0 {version}\n", "")


def test_runtime_can_be_opened_without_version_or_path():
    assert run(sys.executable, "-c", RUNTIME_VERSION, "libcudart.so").behavior == (0, "0 13\n", "")


@pytest.mark.parametrize("name", [*LIBRARIES, "libcudart.so.12", "libcudart.so"])
def test_library_can_be_opened_if_the_library_path_was_replaced(name):
    code = f"import ctypes; ctypes.CDLL({name!r}); print('opened')"
    outcome = run("env", "LD_LIBRARY_PATH=/nonexistent", sys.executable, "-c", code)
    assert outcome.behavior == (0, "opened\n", "")


def test_runtime_finds_driver_if_the_library_path_was_replaced():
    outcome = run("env", "LD_LIBRARY_PATH=/nonexistent", sys.executable, "-c", RUNTIME_VERSION, "libcudart.so.13")
    assert outcome.behavior == (0, "0 13\n", "")


def test_other_libraries_are_opened_by_path(tmp_path):
    outcome = run(sys.executable, "-c", RUNTIME_VERSION, tmp_path / "libcudart.so.99")
    assert "libcudart.so.99: cannot open shared object file" in outcome.errors


def test_ctypes_finds_driver_library():
    code = "import ctypes.util; print(ctypes.util.find_library('cuda'))"
    assert run(sys.executable, "-c", code).output == "libcuda.so.1\n"


@pytest.mark.skipif(not shutil.which("musl-gcc"), reason="musl-gcc is not installed")
def test_musl_program_runs_with_simulated_gpus(tmp_path):
    source = tmp_path / "program.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("started"); return 0; }\n')
    program = tmp_path / "program"
    subprocess.run(["musl-gcc", source, "-o", program], check=True)
    assert run(program).behavior == (0, "started\n", "")


@pytest.mark.skipif(not Path("/lib/ld-musl-x86_64.so.1").exists(), reason="musl is not installed")
@pytest.mark.parametrize("library", sorted(each.name for each in SIMGPU.glob("*.so.*")))
def test_each_simulated_library_loads_under_musl(library, tmp_path):
    source = tmp_path / "program.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["musl-gcc", source, "-o", tmp_path / "program"], check=True)
    outcome = execute([tmp_path / "program"], preload=[SIMGPU / library])
    assert outcome.behavior == (0, "", "")
