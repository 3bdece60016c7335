# SPDX-License-Identifier: Apache-2.0
"""Tests programs that drop their capabilities or change their user ID in a run that root starts."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from cli.support import CLIENT
from harness import LIBRARY, build, cudafault, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities and can become another user")

PLAN = ("--plan", "xid=79 calls=cuInit")
HEARTBEAT_LIMIT = 5  # seconds, kHeartbeatLimitNs of the control block
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
CALLER = """
#include <stdio.h>
#include <sys/resource.h>
__attribute__((weak)) int cuInit(unsigned);
int main(void) {
    ACTION
    return printf("%d\\n", cuInit(0)) < 0;
}
"""
CALL_AFTER_ACTION = """
import ctypes, os, resource, sys
driver = ctypes.CDLL("libcuda.so.1")
exec(sys.argv[1])
print(driver.cuInit(0), flush=True)
"""
BECOME_NOBODY = """
import ctypes, os
driver = ctypes.CDLL("libcuda.so.1")
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(driver.cuInit(0), flush=True)
if os.fork() == 0:
    print(driver.cuInit(0), flush=True)
    os._exit(0)
os.wait()
"""


def test_fault_fires_in_program_without_capabilities() -> None:
    """The program can use the control block of its run, and status counts the fault."""
    run = ("run", "--must-fire", "--name", "no-caps", "--gpus", "sim:1", "--plan", "xid=79 calls=cuMemAlloc*", "--")
    outcome = cudafault(*run, "setpriv", "--bounding-set=-all", "--inh-caps=-all", *CLIENT, text_input="0 1\n")
    assert outcome.behavior == (0, "ready\n100\n", ""), outcome
    faults = cudafault("status", "no-caps", "--json").json["plan"]["faults"]
    assert faults[0]["fired"] == 1, faults


def test_fault_fires_after_process_becomes_another_user() -> None:
    run = ("run", "--must-fire", "--gpus", "sim:1", *PLAN, "--")
    outcome = cudafault(*run, sys.executable, "-c", BECOME_NOBODY)
    assert outcome.behavior == (0, "100\n100\n", ""), outcome


@pytest.mark.parametrize("action", ["resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))", "os.chroot(sys.argv[2])"])
def test_fault_fires_in_root_process_that_cannot_look_up_its_run(tmp_path: Path, action: str) -> None:
    run = ("run", "--must-fire", "--gpus", "sim:1", *PLAN, "--")
    outcome = cudafault(*run, sys.executable, "-c", CALL_AFTER_ACTION, action, tmp_path)
    assert outcome.behavior == (0, "100\n", ""), outcome


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("", "this program was started as another user"),
        ("setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3});", "no file descriptor is free"),
    ],
)
def test_program_started_as_another_user_prints_reason(action: str, words: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cudafault-users-") as folder:
        Path(folder).chmod(0o755)
        library = shutil.copy(LIBRARY, folder)
        source, program = Path(folder, "caller.c"), Path(folder, "caller")
        source.write_text(CALLER.replace("ACTION", action))
        build(program, source)
        outcome = cudafault("run", "--gpus", "real", *PLAN, "--", *AS_NOBODY, program, CUDAFAULT_LIBRARY=library)
    program_line, closing_line = outcome.errors.splitlines()
    assert words in program_line and "has ended" not in program_line, outcome
    assert "a process that cannot join the run prints the reason" in closing_line, outcome


def test_no_fault_fires_in_root_process_whose_run_has_ended(tmp_path: Path) -> None:
    """The process still maps the control block of the run, but the heartbeat has expired."""
    printed = tmp_path / "printed"
    end_run = f"import time; os.kill(os.getppid(), 9); time.sleep({HEARTBEAT_LIMIT + 0.5})"
    program = (sys.executable, "-c", CALL_AFTER_ACTION, end_run)
    run = ("run", "--gpus", "sim:1", *PLAN, "--", "sh", "-c", 'exec "$@" >"$0" 2>&1', printed, *program)
    assert cudafault(*run).code == -9
    assert wait_until(lambda: printed.read_text().endswith("0\n"), seconds=HEARTBEAT_LIMIT + 20), printed.read_text()
    assert "`cudafault run` has ended" in printed.read_text()
