# SPDX-License-Identifier: Apache-2.0
"""Clocks that differ between the processes of a run: a library that fakes them, and time namespaces."""

import subprocess
from pathlib import Path

import pytest
from cli.support import CLIENT, ClientRun, status
from harness import TOOL, build, cudafault

# As libfaketime does it: ten years later, and the monotonic clock days ahead.
FAKE = """
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
SHIFTED = ("unshare", "--fork", "--time", "--monotonic", "100000", "--boottime", "200000")
PLAN = "xid=79 calls=cuMemAlloc* for=1h until=2035-01-01T00:00:00Z"


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake-clock")
    (folder / "fake.c").write_text(FAKE)
    return build(folder / "libfake.so", "-shared", "-fPIC", folder / "fake.c", "-ldl")


@pytest.fixture
def time_namespace() -> None:
    tried = subprocess.run([*SHIFTED, "true"], check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no time namespace can be made: {tried.stderr.strip()}")


def allocate_in(run: ClientRun, plan: str = PLAN) -> str | None:
    run.arm(plan)
    return run.allocate()


def test_faked_clock_in_the_program(fake: Path) -> None:
    command = ("sh", "-c", 'LD_PRELOAD="$LD_PRELOAD:$0" exec "$@"', fake, *CLIENT)
    with ClientRun("faked", *command) as run:
        assert allocate_in(run) == "100"
        assert not run.status()["plan"]["stalled"]


def test_faked_clock_everywhere(fake: Path) -> None:
    with ClientRun("faked", environment={"LD_PRELOAD": str(fake)}) as run:
        assert cudafault("arm", "faked", PLAN, LD_PRELOAD=str(fake)).code == 0
        assert run.allocate() == "100"
        assert run.status()["plan"]["faults"][0]["expired"] is False


def test_program_in_a_time_namespace(time_namespace: None) -> None:
    with ClientRun("shifted", *SHIFTED, *CLIENT) as run:
        assert allocate_in(run) == "100"
        [process] = run.status()["processes"]
        assert process["alive"]
        assert allocate_in(run, "xid=79 calls=cuMemAlloc* after=1h") == "0"


def test_run_in_a_time_namespace(time_namespace: None) -> None:
    command: list[str | Path] = [*SHIFTED, TOOL, "run", "--name", "inside", "--gpus", "sim:1", "--", *CLIENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin and run.stdout
        assert run.stdout.readline() == "ready\n"
        assert status("inside")["state"] == "running"
        assert cudafault("arm", "inside", PLAN).code == 0
        print(0, 1, file=run.stdin, flush=True)
        assert run.stdout.readline() == "100\n"
        assert not status("inside")["plan"]["stalled"]
