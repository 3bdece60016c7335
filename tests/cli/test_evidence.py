# SPDX-License-Identifier: Apache-2.0
"""Tests what arm, status, events and disarm report about a fault, during a run and after the run has ended."""

import calendar
import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from cli.support import CLIENT, ClientRun, assert_refused, child_of, has_line, has_words, status
from harness import TIMEOUT, TOOL, cudafault, wait_until

EVENT_LINE = (
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  pid (\d+) +cuMemAlloc_v2 +GPU 0 +CUDA_ERROR_NO_DEVICE \(100\) +"
    r"fault 0, call 3"
)


def assert_first_event(event: dict) -> None:
    event_time = event["time"]
    assert re.fullmatch(r"[-\d]{10}T[:\d]{8}\.\d{9}Z", event_time)
    age = time.time() - calendar.timegm(time.strptime(event_time[:19], "%Y-%m-%dT%H:%M:%S"))
    assert 0 <= age < 120
    expected = {
        "sequence": 1,
        "function": "cuMemAlloc_v2",
        "library": "libcuda.so.1",
        "gpu": 0,
        "effect": "error",
        "code": 100,
        "error": "CUDA_ERROR_NO_DEVICE",
        "fault": 0,
        "rank": None,
    }
    assert {key: event[key] for key in expected} == expected


def test_reports_follow_fault_from_arming_to_end_of_run() -> None:
    with ClientRun("example") as run:
        assert (run.allocate(0), run.allocate(1)) == ("0", "0")

        armed = cudafault("arm", "example", "xid=79 gpu=0 after=2", "--json").json
        first_gpu = status("example")["gpus"]["list"][0]["uuid"]
        assert (armed["name"], armed["spec"]) == ("example", "xid=79 gpu=0 after=2")
        assert armed["resolved"] == f"xid=79 gpu={first_gpu} after=2"
        assert armed["revision"] % 2 == 0
        before = status("example")["plan"]
        assert (before["state"], before["faults"][0]["outcome"]) == ("armed", "never hit")
        assert "armed but never hit" in cudafault("status", "example").output

        assert run.allocate(1, 5) == "0", "calls on GPU 1 succeed"
        assert run.allocate(0) == "0", "after= skips this matched call"
        assert status("example")["plan"]["faults"][0]["outcome"] == "matched, never fired"

        assert run.allocate(0, 4) == "100"
        live = status("example")
        fault = live["plan"]["faults"][0]
        functions = {row["function"]: row["fired"] for row in fault["functions"]}
        assert fault["fired"] == sum(functions.values()) >= 3
        assert functions.get("cuMemAlloc_v2") == fault["fired"]
        [process] = live["processes"]
        assert (process["alive"], process["acknowledged"]) == (True, armed["revision"])
        events = cudafault("events", "example", "--json").json
        assert len(events["events"]) == events["total"] == fault["fired"]
        assert (events["overwritten"], events["lost"]) == (0, 0)
        assert_first_event(events["events"][0])

        assert cudafault("disarm", "example", "--json").json["was_armed"] is True
        assert run.allocate(0) == "0"
        assert cudafault("disarm", "example", "--json").json["was_armed"] is False
        after = status("example")
        assert (after["plan"]["state"], [plan["faults"] for plan in after["history"]]) == ("disarmed", [[fault]])
        ended = run.end()
        assert (ended.code, ended.errors) == (0, "")

    report = status("example")
    assert (report["state"], report["exit_code"], report["signal"]) == ("ended", 0, None)
    assert report["history"] == after["history"]
    assert cudafault("events", "example", "--json").json["events"] == events["events"]
    shown = cudafault("events", "example").output.splitlines()
    line = re.fullmatch(EVENT_LINE, shown[0])
    assert line and int(line[1]) == events["events"][0]["pid"], shown
    assert len(shown) == len(events["events"])
    text = cudafault("status", "example").output
    assert has_words(text, "ended", "exit code 0", "xid=79 gpu=0 after=2", "cuMemAlloc_v2", "nothing is armed")
    assert cudafault("disarm", "example").code == 0
    assert_refused(cudafault("arm", "example", "xid=79"), 3, "example has ended")
    assert len(cudafault("events", "example", "--follow").output.splitlines()) == len(shown)


@pytest.mark.parametrize("disarmed", [False, True])
def test_evidence_is_kept_if_until_passes_before_run_ends(disarmed: bool) -> None:
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    spec = f"xid=79 calls=cuMemAlloc until={until}"
    with ClientRun("until") as run:
        run.arm(spec)
        wait_until(lambda: run.status()["plan"]["faults"][0]["expired"])
        assert run.allocate() == "0"
        if disarmed:
            run.disarm()
        assert len(run.status()["processes"]) == 1
        outcome = run.end()
    assert outcome.code == 0 and outcome.errors.count("\n") == 1, outcome
    assert "for= or until= had ended before a call matched" in outcome.errors, outcome
    report = status("until")
    plan = report["history"][0] if disarmed else report["plan"]
    assert (report["state"], len(report["processes"]), plan["spec"]) == ("ended", 1, spec)
    assert plan["faults"][0]["expired"] is True
    assert cudafault("events", "until", "--json").json["total"] == 0


def test_run_applies_two_plans() -> None:
    specs = ["xid=48 gpu=0 calls=cuMemAlloc", "xid=79 gpu=1 calls=cuMemAlloc"]
    plans = [word for spec in specs for word in ("--plan", spec)]
    run = ["run", "--name", "start", "--gpus", "sim:2", *plans, "--", *CLIENT]
    assert cudafault(*run, text_input="0 1\n1 1\n").output.split() == ["ready", "214", "100"]
    faults = status("start")["plan"]["faults"]
    assert [(fault["spec"], fault["fired"]) for fault in faults] == [(spec, 1) for spec in specs]


def test_overwritten_events_are_counted() -> None:
    with ClientRun("many") as run:
        run.arm("xid=79 calls=cuMemAlloc")
        run.allocate(0, 5000)
        events = run.events()
        assert (len(events["events"]), events["total"], events["overwritten"]) == (4096, 5000, 904)
        assert "904 events" in cudafault("events", "many").errors
        assert run.status()["plan"]["faults"][0]["fired"] == 5000


def test_events_follow_prints_events_of_live_run() -> None:
    command = [str(TOOL), "events", "followed", "--follow", "--json"]
    with ClientRun("followed") as run, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follow:
        assert follow.stdout
        run.arm("xid=79 calls=cuMemAlloc gpu=0")
        for sequence in (1, 2):
            run.allocate(0)
            event = json.loads(follow.stdout.readline())
            assert (event["sequence"], run.process.poll()) == (sequence, None)
        run.end()
        assert (follow.wait(timeout=TIMEOUT), follow.stdout.read()) == (0, "")


def test_history_counts_dropped_plans() -> None:
    with ClientRun("history") as run:
        for _ in range(53):
            run.arm("xid=79 calls=cuMemAlloc")
            run.allocate(0, 2)
        live = run.status()
        assert len(live["history"]) == 50
        assert live["history_dropped"] == {"plans": 2, "matched": 4, "fired": 4}
        assert "2 earlier plans in total: 4 matched, 4 fired" in cudafault("status", "history").output
    assert status("history")["history_dropped"] == live["history_dropped"]


def test_two_runs_are_independent() -> None:
    with ClientRun("left") as left, ClientRun("right") as right:
        left.arm("xid=79")
        assert (left.allocate(), right.allocate()) == ("100", "0")
        runs = {run["name"]: run for run in cudafault("status", "--json").json["runs"]}
        assert [runs["left"][key] for key in ("state", "armed")] == ["running", "xid=79"]
        assert [runs["right"][key] for key in ("state", "armed")] == ["running", None]
        assert has_line(cudafault("status").output, r"^left +running +\d+ .* xid=79 ")
        assert_refused(cudafault("arm", "lift", "xid=79"), 3, "lift", "left, right")
        assert_refused(cudafault("run", "--name", "left", "--", "echo"), 125, "already live")
        assert left.allocate() == "100"


def test_inner_run_applies_only_its_own_plan() -> None:
    inner = [TOOL, "run", "--name", "inner", "--plan", "xid=48 calls=cuMemAlloc", "--", *CLIENT]
    with ClientRun("outer", *inner, options=["--plan", "xid=79 calls=cuMemAlloc"]) as run:
        assert run.allocate() == "214"
        program = child_of(child_of(run.pid))
        variables = Path(f"/proc/{program}/environ").read_text().split("\0")
        preload = next(line for line in variables if line.startswith("LD_PRELOAD="))
        assert (preload.count("libcudafault.so"), preload.count("libcudart")) == (1, 3)
        assert len(status("inner")["gpus"]["list"]) == 2, "the inner run has the GPUs of the outer run"
    assert [status(name)["plan"]["faults"][0]["fired"] for name in ("outer", "inner")] == [0, 1]
