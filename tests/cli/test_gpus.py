# SPDX-License-Identifier: Apache-2.0
"""Tests which GPUs a run has (--gpus, CUDAFAULT_SIM_GPUS), and which run names and library paths are valid."""

import shutil
from pathlib import Path

import pytest
from cli.support import assert_refused, status
from harness import LIBRARY, cudafault


def models(*options: str, **environment: str) -> list[str]:
    cudafault("run", "--name", "gpus", *options, "--", "true", **environment)
    return [gpu["name"] for gpu in status("gpus")["gpus"]["list"]]


def test_gpus_option_overrides_sim_gpus_variable() -> None:
    assert models(CUDAFAULT_SIM_GPUS="L4:2") == ["NVIDIA L4"] * 2
    assert models("--gpus", "sim", CUDAFAULT_SIM_GPUS="L4:2") == ["NVIDIA L4"] * 2
    assert len(models("--gpus", "sim:3", CUDAFAULT_SIM_GPUS="L4:2")) == 3
    assert len(models("--gpus", "sim")) == 1
    assert_refused(cudafault("run", "--", "true", CUDAFAULT_SIM_GPUS="Voodoo"), 2, "Voodoo", "expected")


@pytest.mark.parametrize("value", ["sim:", "", "two"])
def test_run_refuses_invalid_gpus(value: str) -> None:
    assert_refused(
        cudafault("run", "--gpus", value, "--", "true"), 2, f'invalid --gpus "{value}": expected real, sim, sim:N'
    )


@pytest.mark.parametrize("value", ["sim:2:H100", "sim:99", "sim:X100"])
def test_error_about_invalid_gpus_names_the_option(value: str) -> None:
    refused = cudafault("run", "--gpus", value, "--", "true")
    assert_refused(refused, 2, f'invalid --gpus "{value}": expected N, MODEL:N')
    assert "CUDAFAULT_SIM_GPUS" not in refused.errors


def test_error_suggests_missing_sim_prefix() -> None:
    assert_refused(cudafault("run", "--gpus", "2", "--", "true"), 2, "did you mean sim:2?")
    assert_refused(cudafault("check", "--gpus", "A100:4", "xid=79"), 2, "did you mean sim:A100:4?")


@pytest.mark.parametrize("name", ["größe-1", "試験"])
def test_run_name_accepts_letters_of_any_script(name: str) -> None:
    assert cudafault("run", "--name", name, "--", "true").code == 0
    assert name in cudafault("status").output


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\u202eb", "a b", "../a"])
def test_run_name_refuses_special_characters(name: str) -> None:
    assert_refused(cudafault("run", "--name", name, "--", "true"), 2, "invalid run name")
    assert "\x1b" not in cudafault("run", "--name", name, "--", "true").errors


@pytest.mark.parametrize("folder", ["a b", "a:b", "$ORIGIN", "a;b", "${LIB}"])
def test_run_refuses_library_path_that_loader_would_split_or_expand(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    library = shutil.copy(LIBRARY, tmp_path / folder / "libcudafault.so")
    refused = cudafault("run", "--", "true", CUDAFAULT_LIBRARY=str(library))
    assert_refused(refused, 125, "has a special meaning", "CUDAFAULT_LIBRARY")
    assert refused.errors.count("\n") == 1
