# SPDX-License-Identifier: Apache-2.0
"""Programs that use the simulated driver: disarmed they behave as without the library; armed each failure is seen and
counted."""

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


@pytest.mark.parametrize(("what", "processes"), [("fork", 3), ("family", 9), ("reload", 1), ("exit", 1)])
def test_life_of_cuda(place, cuda_life, what, processes):
    command = [cuda_life, what]
    alone = check_same(place, what, command, DISARMED_ON_SIMULATED, **SIMULATED)
    count = alone.output.count("allocation ")
    assert count > 0
    for way, more in armed_on_simulated():
        armed = place.execute(command, **more)
        assert armed.code == 0, way
        assert armed.output.count("allocation 719\n") == count, way
        assert "otherwise" not in armed.output, way
        logged = {event["pid"] for event in armed.events if event.get("code") == 719}
        assert len(logged) == processes, way
    check_status(place, count)


def test_signals_during_failing_calls(place, cuda_life):
    for way, more in armed_on_simulated():
        signals = place.execute([cuda_life, "signals"], **more)
        said = re.fullmatch(r"(\d+) calls, all failed in the program, all failed in the handler\n", signals.output)
        assert said, way
        assert (signals.code, signals.errors) == (0, ""), way
    (fault,) = place.ask("status")["plan"]["faults"]
    assert fault["matched"] == fault["fired"] == int(said[1])


def test_signals_during_a_delayed_call(place, cuda_life):
    for way, more in armed_on_simulated("effect=delay:200ms calls=cuMemAlloc"):
        delay = place.execute([cuda_life, "delay"], **more)
        assert delay.behaviour == (0, "allocation 0, in time\n", ""), way


def test_parent_and_child_in_a_live_run(place, cuda_life):
    """Both use CUDA while a fault is armed and disarmed from outside."""
    place.runs += 1
    command = [TOOL, "run", "--name", place.run_name, *SIMULATED_RUN, "--", cuda_life, "live"]
    environment = {**clean_environment(), **place.surroundings}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:

        def hear(what):
            heard = []
            while sum(what in line for line in heard) < 2 and (line := process.stdout.readline()):
                heard.append(line.strip())
            told = sorted(line for line in heard if what in line)
            assert told == [f"child {what} 1", f"parent {what} 1"], f"parent and child: each {what}"

        hear("works")
        place.ask("arm", ALLOCATION_FAULT)
        hear("fails")
        place.ask("disarm")
        hear("works again")
        assert process.wait(timeout=60) == 0, "parent and child: the exit code"


@pytest.mark.parametrize("binding", ["lazy", "now"])
def test_linked_plugin_that_is_loaded_three_times(place, binding):
    """A program without CUDA loads and unloads a plugin that is linked to the driver, at another address each time."""
    program = build(OUT / "plugin_rounds", PROGRAMS / "plugin_rounds.c", "-ldl")
    flags = ["-DPLUGIN", "-shared", "-fPIC", f"-Wl,-z,{binding}", f"-L{SIMGPU}", "-l:libcuda.so.1"]
    command = [program, build(OUT / f"linked_{binding}.so", LINKING / "linked.c", *flags)]
    alone = check_same(place, binding, command, DISARMED_ON_SIMULATED, **SIMULATED)
    assert (alone.code, alone.output.count("allocation 0\n")) == (0, 3)
    fails = "".join(f"allocation 719\nround {n}: 1\nthe driver is gone\n" for n in (1, 2, 3))
    for way, more in armed_on_simulated():
        assert place.execute(command, **more).behaviour == (0, fails, ""), way
    check_status(place, 3)


def test_weak_reference(place, cuda_life):
    """It answers as the driver that is loaded."""
    weak = place.execute([cuda_life, "weak"], **SIMULATED)
    expected = "open: looked up 0, weak 0\nclosed: weak 3\nopen again: looked up 0, weak 0\n"
    assert weak.behaviour == (0, expected, "")


def test_scopes(place):
    flags = ["-DPLUGIN", "-shared", "-fPIC", f"-L{SIMGPU}", "-l:libcuda.so.1"]
    plugin = build(OUT / "linked.so", LINKING / "linked.c", *flags)
    command = [build(OUT / "scopes", PROGRAMS / "scopes.c", "-ldl"), plugin]
    name = "who finds the driver's functions"
    alone = check_same(place, name, command, DISARMED_ON_SIMULATED, **SIMULATED)
    assert (alone.output.count(": cuInit 0, no dlerror"), alone.output.count("undefined symbol: cuInit")) == (5, 13), (
        f"{name}: some do, some do not"
    )


def test_errno_and_dlerror(place, cuda_life):
    """errno and dlerror after look-ups and calls, and after an allocation that fails."""
    command = [cuda_life, "errors"]
    alone = check_same(place, "errno and dlerror", command, DISARMED_ON_SIMULATED, **SIMULATED)
    expected = alone.code, alone.output.replace("allocation 0\n", "allocation 719\n"), ""
    assert expected[1] != alone.output, alone.behaviour
    for way, more in armed_on_simulated():
        assert place.execute(command, **more).behaviour == expected, f"errno and dlerror: {way}"


def test_interposers(place):
    """Another interposer before and behind the library: both see the call, unless a fault ends it first."""
    linked = [build(OUT / "linked", LINKING / "linked.c", f"-L{SIMGPU}", "-l:libcuda.so.1", f"-Wl,-rpath,{SIMGPU}")]
    looked_up = [build(OUT / "by_dlsym", LINKING / "by_dlsym.c", "-ldl"), "local"]
    flags = ["-O2", "-shared", "-fPIC", "-ldl"]
    plain = build(OUT / "interposer.so", PROGRAMS / "interposer.c", *flags)
    resolving = build(OUT / "interposer_dlsym.so", PROGRAMS / "interposer.c", "-DOVERRIDE_DLSYM", *flags)
    for name, preload, command, seen_armed in (
        ("linked program, another interposer in front", [plain, place.library], linked, 1),
        ("linked program, another interposer behind", [place.library, plain], linked, 0),
        ("dlsym program, another interposer behind", [place.library, resolving], looked_up, 0),
        ("dlsym program, another interposer in front", [resolving, place.library], looked_up, 1),
    ):
        healthy = place.execute(command, preload=preload, library_path=[SIMGPU])
        assert (
            healthy.code == 0 and "allocation 0\n" in healthy.output and healthy.errors == "the interposer saw 1\n"
        ), (f"{name}: both take part", healthy.behaviour)
        armed = place.execute(command, preload=preload, library_path=[SIMGPU], plan=ALLOCATION_FAULT)
        assert "allocation 719\n" in armed.output and armed.fired("cuMemAlloc_v2", 719), (
            f"{name}: the fault fires",
            (armed.behaviour, armed.events),
        )
        assert armed.errors == f"the interposer saw {seen_armed}\n", f"{name}: armed, the other sees what comes through"
