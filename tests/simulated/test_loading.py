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
