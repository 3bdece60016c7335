# SPDX-License-Identifier: Apache-2.0
"""Tests runs whose processes have different clocks, because of a library that fakes clocks or a time namespace."""

import subprocess
from pathlib import Path

import pytest
from cli.support import CLIENT, ClientRun, status
from harness import TOOL, build, cudafault

# Adds ten years to every clock, as libfaketime does.
FAKE_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static const time_t shift = 315360000;
int clock_gettime(clockid_t clock, struct timespec *out) {
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, out);
    out->tv_sec += shift;
    return result;
}
int gettimeofday(struct timeval *out, void *zone) {
    int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(out, zone);
    out->tv_sec += shift;
    return result;
}
time_t time(time_t *out) {
    time_t (*real)(time_t *) = (time_t (*)(time_t *))dlsym(RTLD_NEXT, "time");
    time_t result = real(0) + shift;
    if (out) *out = result;
    return result;
}
"""
SHIFTED_CLOCKS = ("unshare", "--fork", "--time", "--monotonic", "100000", "--boottime", "200000")
PLAN = "xid=79 calls=cuMemAlloc* for=1h until=2035-01-01T00:00:00Z"


@pytest.fixture(scope="session")
def fake_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake-clock")
    (folder / "fake.c").write_text(FAKE_CLOCK)
    return build(folder / "libfake.so", "-shared", "-fPIC", folder / "fake.c", "-ldl")


@pytest.fixture
def time_namespace() -> None:
    """Skips the test if this process cannot create a time namespace."""
    attempt = subprocess.run([*SHIFTED_CLOCKS, "true"], check=False, capture_output=True, text=True)
    if attempt.returncode != 0:
        pytest.skip(f"cannot create a time namespace: {attempt.stderr.strip()}")


def arm_and_allocate(run: ClientRun, plan: str = PLAN) -> str | None:
    run.arm(plan)
    return run.allocate()


def test_fault_fires_if_program_has_faked_clock(fake_clock: Path) -> None:
    command = ("sh", "-c", 'LD_PRELOAD="$LD_PRELOAD:$0" exec "$@"', fake_clock, *CLIENT)
    with ClientRun("faked", *command) as run:
        assert arm_and_allocate(run) == "100"
        assert not run.status()["plan"]["stalled"]


def test_fault_fires_if_all_processes_have_faked_clock(fake_clock: Path) -> None:
    with ClientRun("faked", environment={"LD_PRELOAD": str(fake_clock)}) as run:
        assert cudafault("arm", "faked", PLAN, LD_PRELOAD=str(fake_clock)).code == 0
        assert run.allocate() == "100"
        assert run.status()["plan"]["faults"][0]["expired"] is False


def test_fault_fires_if_program_is_in_time_namespace(time_namespace: None) -> None:
    with ClientRun("shifted", *SHIFTED_CLOCKS, *CLIENT) as run:
        assert arm_and_allocate(run) == "100"
        [process] = run.status()["processes"]
        assert process["alive"]
        assert arm_and_allocate(run, "xid=79 calls=cuMemAlloc* after=1h") == "0"


def test_fault_fires_if_run_is_in_time_namespace(time_namespace: None) -> None:
    command: list[str | Path] = [*SHIFTED_CLOCKS, TOOL, "run", "--name", "inside", "--gpus", "sim:1", "--", *CLIENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin and run.stdout
        assert run.stdout.readline() == "ready\n"
        assert status("inside")["state"] == "running"
        assert cudafault("arm", "inside", PLAN).code == 0
        print(0, 1, file=run.stdin, flush=True)
        assert run.stdout.readline() == "100\n"
        assert not status("inside")["plan"]["stalled"]
