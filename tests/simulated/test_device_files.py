# SPDX-License-Identifier: Apache-2.0
"""Tests the device files of simulated GPUs. Some programs test whether these files exist before they call CUDA."""

import subprocess
import sys

import pytest
from harness import build, cudafault

# Tests for the files as JAX does.
LIST_FILES = (
    "import os; print([os.path.exists(f'/dev/nvidia{end}') for end in ('0', '1', '2', 'ctl', '-uvm', '01', 'x')])"
)

FILE_FUNCTIONS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
    struct stat status;
    struct statx extended;
    FILE* stream = fopen(argv[1], "r");
    const int fd = open(argv[1], O_RDONLY), at = openat(AT_FDCWD, argv[1], O_RDWR);
    printf("%d", argc);
    printf(" %d", stat(argv[1], &status) == 0 && S_ISCHR(status.st_mode));
    printf(" %d", lstat(argv[1], &status) == 0 && S_ISCHR(status.st_mode));
    printf(" %d", fstatat(AT_FDCWD, argv[1], &status, 0) == 0);
    printf(" %d", statx(AT_FDCWD, argv[1], 0, STATX_TYPE, &extended) == 0);
    printf(" %d", access(argv[1], R_OK | W_OK) == 0);
    printf(" %d", faccessat(AT_FDCWD, argv[1], R_OK, 0) == 0);
    printf(" %d %d %d\n", stream != NULL, fd >= 0 && read(fd, &status, 1) == 0, at >= 0);
    return 0;
}
"""


def existing_files(**environment: str) -> str:
    return cudafault("run", "--gpus", "sim:2", "--", sys.executable, "-c", LIST_FILES, **environment).output.strip()


def test_only_files_of_simulated_gpus_exist():
    assert existing_files() == str([True, True, False, True, True, False, False])


def test_device_files_can_be_disabled():
    real = subprocess.run([sys.executable, "-c", LIST_FILES], capture_output=True, text=True, check=True).stdout.strip()
    assert existing_files(CUDAFAULT_SIM_DEVICE_FILES="0") == real


def test_run_on_real_gpus_has_no_simulated_files():
    outcome = cudafault("run", "--gpus", "real", "--", "sh", "-c", "echo $LD_PRELOAD $CUDAFAULT_SIM_DEVICE_FILES")
    assert "libdevicefiles" not in outcome.output


@pytest.mark.parametrize("file, found", [("/dev/nvidia0", "1"), ("/dev/nvidia7", "0")])
def test_every_function_finds_only_files_of_simulated_gpus(file, found, tmp_path):
    source = tmp_path / "every_function.c"
    source.write_text(FILE_FUNCTIONS)
    program = build(tmp_path / "every_function", source)
    outcome = cudafault("run", "--gpus", "sim:1", "--", program, file)
    assert outcome.behavior == (0, " ".join(["2", *[found] * 9]) + "\n", "")


def test_other_files_are_unaffected(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    script = f"umask 027; echo content >{folder}/made; cat {folder}/made; stat -c %a {folder}/made; cat {folder}/none"
    outcome = cudafault("run", "--gpus", "sim:1", "--", "sh", "-c", script)
    assert outcome.output == "content\n640\n"
    assert "No such file or directory" in outcome.errors
