# SPDX-License-Identifier: Apache-2.0
"""Tests programs that use the simulated driver. With the library disarmed, a program must behave as without it. While a
fault is armed, each selected call must fail, and each failure must be counted."""

import re
import subprocess

import pytest
from harmless.support import (
    ALLOCATION_FAULT,
    DISARMED_ON_SIMULATED,
    LINKING,
    OUT,
    PROGRAMS,
    SIMULATED,
    SIMULATED_RUN,
    armed_on_simulated,
    check_same,
    check_status,
)
from harness import SIMGPU, TOOL, build, clean_environment


@pytest.mark.parametrize(("scenario", "processes"), [("fork", 3), ("family", 9), ("reload", 1), ("exit", 1)])
def test_calls_fail_only_if_armed(work, cuda_life, scenario, processes):
    command = [cuda_life, scenario]
    alone = check_same(work, scenario, command, DISARMED_ON_SIMULATED, **SIMULATED)
    count = alone.output.count("allocation ")
    assert count > 0
    for way, more in armed_on_simulated():
        armed = work.execute(command, **more)
        assert armed.code == 0, way
        assert armed.output.count("allocation 719\n") == count, way
        assert "unexpectedly" not in armed.output, way
        logged = {event["pid"] for event in armed.events if event.get("code") == 719}
        assert len(logged) == processes, way
    check_status(work, count)


def test_fault_fires_in_signal_handlers(work, cuda_life):
    for way, more in armed_on_simulated():
        signals = work.execute([cuda_life, "signals"], **more)
        counted = re.fullmatch(r"(\d+) calls, all failed in the program, all failed in the handler\n", signals.output)
        assert counted, way
        calls = int(counted[1])
        assert (signals.code, signals.errors) == (0, ""), way
    (fault,) = work.query("status")["plan"]["faults"]
    assert fault["matched"] == fault["fired"] == calls


def test_signals_do_not_shorten_a_delay(work, cuda_life):
    for way, more in armed_on_simulated("effect=delay:200ms calls=cuMemAlloc"):
        delay = work.execute([cuda_life, "delay"], **more)
        assert delay.behavior == (0, "allocation 0, in time\n", ""), way


def test_armed_fault_fires_in_parent_and_child(work, cuda_life):
    """Parent and child use CUDA while another process arms and disarms a fault."""
    work.runs += 1
    command = [TOOL, "run", "--name", work.run_name, *SIMULATED_RUN, "--", cuda_life, "live"]
    environment = {**clean_environment(), **work.variables}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        output = process.stdout

        def expect_both(words):
            lines: list[str] = []
            while sum(words in line for line in lines) < 2 and (line := output.readline()):
                lines.append(line.strip())
            reported = sorted(line for line in lines if words in line)
            assert reported == [f"child {words} 1", f"parent {words} 1"], f"parent and child each report {words!r}"

        expect_both("works")
        work.query("arm", ALLOCATION_FAULT)
        expect_both("fails")
        work.query("disarm")
        expect_both("works again")
        assert process.wait(timeout=60) == 0, "parent and child: the exit code is 0"


@pytest.mark.parametrize("binding", ["lazy", "now"])
def test_fault_fires_after_each_load_of_a_linked_plugin(work, binding):
    """A program without CUDA loads and unloads a plugin that is linked to the driver, each time at another address."""
    program = build(OUT / "plugin_rounds", PROGRAMS / "plugin_rounds.c", "-ldl")
    flags = ["-DPLUGIN", "-shared", "-fPIC", f"-Wl,-z,{binding}", f"-L{SIMGPU}", "-l:libcuda.so.1"]
    command = [program, build(OUT / f"linked_{binding}.so", LINKING / "linked.c", *flags)]
    alone = check_same(work, binding, command, DISARMED_ON_SIMULATED, **SIMULATED)
    assert (alone.code, alone.output.count("allocation 0\n")) == (0, 3)
    fails = "".join(f"allocation 719\nround {n}: 1\nthe driver is unloaded\n" for n in (1, 2, 3))
    for way, more in armed_on_simulated():
        assert work.execute(command, **more).behavior == (0, fails, ""), way
    check_status(work, 3)


def test_weak_reference_calls_the_loaded_driver(work, cuda_life):
    weak = work.execute([cuda_life, "weak"], **SIMULATED)
    expected = "open: looked up 0, weak 0\nclosed: weak 3\nopen again: looked up 0, weak 0\n"
    assert weak.behavior == (0, expected, "")


def test_lookups_in_scopes_are_unchanged(work):
    flags = ["-DPLUGIN", "-shared", "-fPIC", f"-L{SIMGPU}", "-l:libcuda.so.1"]
    plugin = build(OUT / "linked.so", LINKING / "linked.c", *flags)
    command = [build(OUT / "scopes", PROGRAMS / "scopes.c", "-ldl"), plugin]
    name = "lookups of cuInit in different scopes"
    alone = check_same(work, name, command, DISARMED_ON_SIMULATED, **SIMULATED)
    assert (alone.output.count(": cuInit 0, no dlerror"), alone.output.count("undefined symbol: cuInit")) == (5, 13), (
        f"{name}: 5 lookups succeed, 13 fail"
    )


def test_errno_and_dlerror_are_unchanged(work, cuda_life):
    """Compares errno and dlerror after lookups, after calls, and after an allocation that fails."""
    command = [cuda_life, "errors"]
    alone = check_same(work, "errno and dlerror", command, DISARMED_ON_SIMULATED, **SIMULATED)
    expected = alone.code, alone.output.replace("allocation 0\n", "allocation 719\n"), ""
    assert expected[1] != alone.output, alone.behavior
    for way, more in armed_on_simulated():
        assert work.execute(command, **more).behavior == expected, f"errno and dlerror are unchanged ({way})"


def test_other_interposers_work_before_and_after_the_library(work):
    """Preloads another interposer before and after the library. Each call passes through both interposers, unless a fault
    fires before the call reaches the second one."""
    linked = [build(OUT / "linked", LINKING / "linked.c", f"-L{SIMGPU}", "-l:libcuda.so.1", f"-Wl,-rpath,{SIMGPU}")]
    looked_up = [build(OUT / "by_dlsym", LINKING / "by_dlsym.c", "-ldl"), "local"]
    flags = ["-O2", "-shared", "-fPIC", "-ldl"]
    plain = build(OUT / "interposer.so", PROGRAMS / "interposer.c", *flags)
    resolving = build(OUT / "interposer_dlsym.so", PROGRAMS / "interposer.c", "-DOVERRIDE_DLSYM", *flags)
    for name, preload, command, count_armed in (
        ("linked program, another interposer before the library", [plain, work.library], linked, 1),
        ("linked program, another interposer after the library", [work.library, plain], linked, 0),
        ("dlsym program, another interposer after the library", [work.library, resolving], looked_up, 0),
        ("dlsym program, another interposer before the library", [resolving, work.library], looked_up, 1),
    ):
        healthy = work.execute(command, preload=preload, library_path=[SIMGPU])
        assert (
            healthy.code == 0 and "allocation 0\n" in healthy.output and healthy.errors == "the interposer counted 1\n"
        ), (f"{name}: the call passes through both libraries", healthy.behavior)
        armed = work.execute(command, preload=preload, library_path=[SIMGPU], plan=ALLOCATION_FAULT)
        assert "allocation 719\n" in armed.output and armed.fired("cuMemAlloc_v2", 719), (
            f"{name}: the fault fires",
            (armed.behavior, armed.events),
        )
        assert armed.errors == f"the interposer counted {count_armed}\n", (
            f"{name}: while the fault is armed, the interposer counts {count_armed}"
        )
