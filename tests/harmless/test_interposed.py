# SPDX-License-Identifier: Apache-2.0
"""Tests the library together with libraries that interpose functions of libc, the dynamic linker or the driver."""

import shutil
import subprocess

import pytest
from harness import LIBRARY, ROOT, SIMGPU, build, cudafault, execute

PROGRAMS = ROOT / "tests" / "harmless" / "programs"
LINKING = ROOT / "tests" / "clients" / "linking"
WORKED = 'allocation 0\nreceived "the data is intact"\n'
FAULT = "error=719 calls=cuMemAlloc"
DISABLED = {"CUDAFAULT_DISABLE": "1"}


def build_shared_library(folder, name, *flags):
    return build(folder / f"{name}.so", PROGRAMS / f"{name}.c", "-O1", "-shared", "-fPIC", "-ldl", *flags)


@pytest.fixture
def by_dlsym(tmp_path):
    return [build(tmp_path / "by_dlsym", LINKING / "by_dlsym.c", "-ldl"), "local"]


def imported_functions():
    listed = subprocess.run(["nm", "-D", "--undefined-only", LIBRARY], check=True, capture_output=True, text=True)
    symbols = [line.split()[-1].partition("@")[0] for line in listed.stdout.splitlines()]
    return [name for name in symbols if name not in ("environ", "_r_debug", "_dl_debug_addr")]  # variables


def test_library_imports_no_function():
    assert imported_functions() == []


@pytest.mark.parametrize("environment", ({}, DISABLED, {"LD_BIND_NOW": "1"}), ids=("idle", "disabled", "bound"))
def test_library_works_if_libc_functions_are_overridden(tmp_path, by_dlsym, environment):
    hostile = build_shared_library(tmp_path, "hostile_libc", "-fno-builtin")
    done = execute(by_dlsym, preload=[hostile, LIBRARY], library_path=[SIMGPU], environment=environment)
    assert done.behavior == (0, WORKED, "")


def test_fault_fires_if_libc_functions_are_overridden(tmp_path, by_dlsym):
    hostile = build_shared_library(tmp_path, "hostile_libc", "-fno-builtin")
    done = execute(by_dlsym, plan=FAULT, preload=[hostile, LIBRARY], library_path=[SIMGPU])
    assert done.behavior == (1, "allocation 719\n", "")
    assert done.fired("cuMemAlloc_v2", 719)


@pytest.mark.parametrize("environment", ({}, DISABLED), ids=("idle", "disabled"))
def test_library_works_if_program_defines_dl_iterate_phdr(tmp_path, environment):
    program = build(tmp_path / "phdr_cache", PROGRAMS / "phdr_cache.c", "-rdynamic", "-ldl")
    done = execute([program], library_path=[SIMGPU], environment=environment)
    assert done.behavior == (0, "cuInit 0\n", "")


@pytest.mark.parametrize("sanitizer", ("thread", "address", "undefined", "leak"))
def test_program_with_a_sanitizer_runs(tmp_path, sanitizer):
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    program = tmp_path / "empty"
    if subprocess.run(["gcc", f"-fsanitize={sanitizer}", source, "-o", program], check=False).returncode != 0:
        pytest.skip(f"gcc cannot link -fsanitize={sanitizer}")
    done = cudafault("run", "--gpus", "sim:1", "--", program)
    assert done.behavior == (0, "", "")


@pytest.mark.parametrize("first", (False, True), ids=("after the library", "before the library"))
def test_each_call_passes_through_gpu_sharing_library(tmp_path, by_dlsym, first):
    sharing = build_shared_library(tmp_path, "gpu_sharing")
    preload = [sharing, LIBRARY] if first else [LIBRARY, sharing]
    healthy = execute(by_dlsym, preload=preload, library_path=[SIMGPU])
    assert healthy.behavior == (0, WORKED, "the sharing library counted 1\n")
    armed = execute(by_dlsym, plan=FAULT, preload=preload, library_path=[SIMGPU])
    assert armed.behavior == (1, "allocation 719\n", f"the sharing library counted {int(first)}\n")
    assert armed.fired("cuMemAlloc_v2", 719)


def test_call_to_two_stage_driver_is_counted_once(tmp_path, by_dlsym):
    folder = tmp_path / "first_stage"
    folder.mkdir()
    source = PROGRAMS / "two_stage_driver.c"
    build(folder / "libcuda.so.1", source, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-ldl")
    second = tmp_path / "libcuda_second_stage.so"
    shutil.copyfile(SIMGPU / "libcuda.so.1", second)
    environment = {"TWO_STAGE_DRIVER": str(second)}
    for first_failure, code in (("after=0", 719), ("after=1", 0)):
        done = execute(by_dlsym, plan=f"{FAULT} {first_failure}", library_path=[folder], environment=environment)
        assert f"allocation {code}\n" in done.output, done
