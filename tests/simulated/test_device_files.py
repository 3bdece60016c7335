# SPDX-License-Identifier: Apache-2.0
"""Tests the device files of simulated GPUs. Some programs look for these files before they call CUDA."""

import subprocess
import sys

import pytest
from harness import build, cudafault

# JAX looks for the files in this way.
LOOK = "import os; print([os.path.exists(f'/dev/nvidia{end}') for end in ('0', '1', '2', 'ctl', '-uvm', '01', 'x')])"

EVERY_FUNCTION = r"""
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


def look(**environment: str) -> str:
    return cudafault("run", "--gpus", "sim:2", "--", sys.executable, "-c", LOOK, **environment).output.strip()


def test_only_files_of_simulated_gpus_exist():
    assert look() == str([True, True, False, True, True, False, False])


def test_files_can_be_switched_off():
    real = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True).stdout.strip()
    assert look(CUDAFAULT_SIM_DEVICE_FILES="0") == real


def test_real_gpus_have_no_simulated_files():
    outcome = cudafault("run", "--gpus", "real", "--", "sh", "-c", "echo $LD_PRELOAD $CUDAFAULT_SIM_DEVICE_FILES")
    assert "libdevicefiles" not in outcome.output


@pytest.mark.parametrize("file, answers", [("/dev/nvidia0", "1"), ("/dev/nvidia7", "0")])
def test_every_function_finds_only_files_of_simulated_gpus(file, answers, tmp_path):
    source = tmp_path / "every_function.c"
    source.write_text(EVERY_FUNCTION)
    program = build(tmp_path / "every_function", source)
    outcome = cudafault("run", "--gpus", "sim:1", "--", program, file)
    assert outcome.behavior == (0, " ".join(["2", *[answers] * 9]) + "\n", "")


def test_other_files_are_unaffected(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    script = f"umask 027; echo content >{folder}/made; cat {folder}/made; stat -c %a {folder}/made; cat {folder}/none"
    outcome = cudafault("run", "--gpus", "sim:1", "--", "sh", "-c", script)
    assert outcome.output == "content\n640\n"
    assert "No such file or directory" in outcome.errors
