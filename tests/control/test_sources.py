# SPDX-License-Identifier: Apache-2.0
"""Tests the sources of a plan: precedence, invalid plans, invalid CUDAFAULT_RUN, and changes of plan files."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from control.support import (
    CLIENT,
    CLIENT_CODE,
    LIBRARY,
    SECOND,
    SIMGPU,
    TOOL,
    Workers,
    clean_environment,
    codes,
    integers,
    lines_of,
    run_client,
    run_variable,
    write_atomically,
)
from harness import read_events

CALLS = "calls=cuCtxSynchronize"
PAST = "2020-01-01T00:00:00Z"
UNKNOWN_XID = {"CUDA_FAULT_INJECTION_ENABLED": "1", "CUDA_XID_TYPE": "1234"}


def assert_no_fault(name, outcome, lines=1, words=""):
    """Asserts that no fault fired, that the client exited normally, and that the library printed `lines` lines, each of
    which contains `words`."""
    errors = lines_of(outcome.errors)
    reported = len(errors) == lines and all(line.startswith("cudafault: ") and words in line for line in errors)
    unharmed = outcome.code == CLIENT_CODE and integers(outcome.output) == [0, 0, 0] and "goodbye" in outcome.output
    assert reported and unharmed, (name, outcome.behavior)


# Description, plan, the position that the error message must name, and words that the message must contain.
INVALID_PLANS = [
    ("an unknown key", f"error=719 cals=cuInit {CALLS}", 11, "calls"),
    ("an unknown XID", f"xid=999 {CALLS}", 5, "unknown XID 999"),
    ("an invalid GPU", f"xid=79 {CALLS} gpu=zero", 35, "GPU-<uuid>"),
    ("an unknown function", "xid=79 calls=cuMemAlok", 14, "cudafault functions"),
    ("a glob that matches nothing", "xid=79 calls=cuInit,cuNothing*", 21, "cudafault functions"),
    ("an unknown class", "xid=79 calls=@nothing", 14, "@launch"),
    ("a number out of range", f"xid=79 {CALLS} probability=1.5", 43, "above 0 and up to 1"),
    ("a number that is too large", f"xid=79 {CALLS} times=99999999999999999999", 37, "at least 1"),
    ("an exit code out of range", f"effect=exit:256 {CALLS}", 8, "0 to 255"),
    ("an error that no function returns", "error=NVML_ERROR_GPU_IS_LOST", 7, "calls="),
    ("an invalid combination", "xid=79 error=719", 14, "one of them"),
    ("an invalid second fault", f"error=719 {CALLS}; every=10", 35, "xid= or error="),
    ("an invalid date", f"xid=79 until=tomorrow {CALLS}", 14, "2026-11-23T12:00:00Z"),
    ("control characters", "xid=79\x01", 5, "79"),
    ("17 faults", ";".join(["xid=79"] * 17), 113, "16 faults"),
    ("more than 16 KiB", "xid=79 process=" + "x" * 17000, None, ""),
]


@pytest.mark.parametrize(
    ("name", "plan", "character", "expected"), INVALID_PLANS, ids=[row[0] for row in INVALID_PLANS]
)
@pytest.mark.parametrize("source", ["CUDAFAULT_PLAN", "CUDAFAULT_PLAN_FILE"])
def test_library_reports_invalid_plan(name, plan, character, expected, source):
    """The library prints one line that names the position of the error, and injects no fault."""
    outcome = with_source(source, plan)
    assert_no_fault(name, outcome, words=expected)
    if character:
        assert f"character {character}," in outcome.errors


def test_library_reports_unknown_xid_in_contract_variable():
    assert_no_fault("CUDA_XID_TYPE=1234", run_client("sync*3", environment=UNKNOWN_XID), words='"1234"')


def with_source(source, plan):
    if source == "CUDAFAULT_PLAN":
        return run_client("sync*3", environment={source: plan})
    file = CLIENT.parent / "plan"
    file.write_text(plan)
    # The sleep is long enough for the watcher to read the file again.
    return run_client("sync sleep:300 sync", environment={source: str(file)})


def test_log_contains_plan_revision_and_pod_uid(tmp_path):
    """The first line of the plan file sets the revision."""
    file, log, uid = tmp_path / "numbered", tmp_path / "numbered.log", "0a1b2c3d-0000-4000-8000-0123456789ab"
    file.write_text(f"#7\nerror=702 {CALLS}")
    variables = {"CUDAFAULT_PLAN_FILE": str(file), "CUDAFAULT_LOG": str(log), "CUDAFAULT_POD_UID": uid}
    assert codes("sync sync", environment=variables) == [702, 702], "a plan file with a revision applies"
    lines = read_events(log)
    acknowledged = [line for line in lines if line["cudafault"] == "acknowledged"]
    fired = [line for line in lines if line["cudafault"] == "fired"]
    assert [(line["plan_revision"], line["fired"]) for line in acknowledged] == [(7, 0)], (
        "the acknowledgement contains the revision"
    )
    assert [(line["plan_revision"], line["fired"]) for line in fired] == [(7, 1), (7, 2)], (
        "fired lines contain the revision"
    )
    assert all(line["pod_uid"] == uid for line in acknowledged + fired), lines
    for first in ("#", "#x", "#7 8", "#-1", "#99999999999999999999"):
        file.write_text(f"{first}\nerror=702 {CALLS}")
        assert codes("sync", environment=variables) == [702], f"{first} is a comment"
        assert not read_events(log)[-1].get("plan_revision"), f"{first} sets no revision"
    file.write_text("#8\n")
    assert codes("sync", environment=variables) == [0], "a plan file with only a revision injects no fault"
    assert read_events(log)[-1].get("plan_revision") == 8, "an empty plan is acknowledged"


def test_log_falls_back_to_standard_error():
    """A process without permission to open the container's standard error writes its log to its own standard error,
    which is the same pipe."""
    as_another_user: dict[str, Any] = {"user": 65534} if os.geteuid() == 0 else {}
    variables = {
        "CUDAFAULT_SIM_GPUS": "1",
        "CUDAFAULT_PLAN": f"error=702 {CALLS}",
        "CUDAFAULT_LOG": "/proc/1/fd/2",
        "LD_LIBRARY_PATH": "simgpu",
        "LD_PRELOAD": f"./{LIBRARY.name}",
    }
    with tempfile.TemporaryDirectory(prefix="inherited-") as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(SIMGPU, Path(folder) / "simgpu")
        for product in (CLIENT, LIBRARY):
            shutil.copy(product, folder)

        def errors(stderr):
            done = subprocess.run(
                [f"./{CLIENT.name}", "sync"],
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                timeout=60,
                **as_another_user,
            )
            return done.stderr or b""

        lines = [json.loads(line) for line in errors(subprocess.PIPE).splitlines()]
        assert [line["cudafault"] for line in lines] == ["acknowledged", "fired"], (
            "the library writes its log to a standard error that is a pipe"
        )
        with tempfile.TemporaryFile() as file:
            errors(file)
            file.seek(0)
            assert file.read() == b"", "the library does not write its log to a standard error that is a file"


def test_source_of_highest_precedence_applies(tmp_path):
    """The library ignores sources of lower precedence even if the first source is empty."""
    file, empty, expired = tmp_path / "plan", tmp_path / "empty", tmp_path / "expired"
    file.write_text(f"error=702 {CALLS}\n")
    empty.write_text("")
    expired.write_text(f"error=702 {CALLS} until={PAST}")
    plan, contract = {"CUDAFAULT_PLAN": f"error=700 {CALLS}"}, {"CUDA_FAULT_INJECTION_ENABLED": "1"}

    def file_first(path):
        return {**below_file, "CUDAFAULT_PLAN_FILE": str(path)}

    below_file = {**plan, **contract}
    below_run = file_first(file)
    for name, environment, code in (
        ("no source is set", {}, 0),
        ("a plan", plan, 700),
        ("a plan before the contract's variables", below_file, 700),
        ("an empty plan before the contract's variables", {**contract, "CUDAFAULT_PLAN": ""}, 0),
        ("a blank plan before the contract's variables", {**contract, "CUDAFAULT_PLAN": " ; \n"}, 0),
        ("an expired plan before the contract's variables", {**contract, "CUDAFAULT_PLAN": f"xid=79 until={PAST}"}, 0),
        ("a plan file before a plan", below_run, 702),
        ("a missing plan file before a plan", file_first(tmp_path / "none"), 0),
        ("a plan file in a missing folder before a plan", file_first(tmp_path / "no" / "ne"), 0),
        ("an empty plan file before a plan", file_first(empty), 0),
        ("an expired plan file before a plan", file_first(expired), 0),
        ("an empty CUDAFAULT_PLAN_FILE before a plan", file_first(""), 0),
        ("an invalid run before a plan file", {**below_run, "CUDAFAULT_RUN": "1:2:3:4"}, 0),
        ("an empty CUDAFAULT_RUN before a plan file", {**below_run, "CUDAFAULT_RUN": ""}, 0),
        ("CUDAFAULT_DISABLE=1 before a plan", {**plan, "CUDAFAULT_DISABLE": "1"}, 0),
        ("CUDAFAULT_DISABLE=1 before a plan file", {**below_run, "CUDAFAULT_DISABLE": "1"}, 0),
        ("CUDAFAULT_DISABLE=1 before the contract's variables", {**contract, "CUDAFAULT_DISABLE": "1"}, 0),
        ("CUDAFAULT_DISABLE=0", {**plan, "CUDAFAULT_DISABLE": "0"}, 700),
        ("CUDA_FAULT_INJECTION_ENABLED=1", contract, 100),
        ("CUDA_FAULT_INJECTION_ENABLED=true", {"CUDA_FAULT_INJECTION_ENABLED": "true"}, 100),
        ("CUDA_FAULT_INJECTION_ENABLED=0", {"CUDA_FAULT_INJECTION_ENABLED": "0"}, 0),
        ("CUDA_FAULT_INJECTION_ENABLED=2", {"CUDA_FAULT_INJECTION_ENABLED": "2"}, 0),
        ("CUDA_FAULT_INJECTION_ENABLED is empty", {"CUDA_FAULT_INJECTION_ENABLED": ""}, 0),
        ("CUDA_XID_TYPE alone", {"CUDA_XID_TYPE": "48"}, 0),
        *((f"CUDA_XID_TYPE={xid}", {**contract, "CUDA_XID_TYPE": str(xid)}, code)
          for xid, code in ((79, 100), (48, 214), (94, 214), (95, 999), (43, 702), (74, 217))),
    ):  # fmt: skip
        outcome = run_client("sync*3", environment=environment)
        expected = [code] * 3
        assert integers(outcome.output) == expected and outcome.code == CLIENT_CODE, (
            f"{name}: calls return {code}",
            outcome.behavior,
        )


# Values of CUDAFAULT_RUN


def test_invalid_run_injects_no_fault(tmp_path):
    with Workers(tmp_path, 1) as workers:
        run = workers.start_in_run()
        run.arm(f"error=719 {CALLS}")
        variable = run_variable(workers.pids()[0])
        joined = run_client("sync*3", environment={"CUDAFAULT_RUN": variable, "CUDAFAULT_PLAN": f"error=700 {CALLS}"})
        assert integers(joined.output) == [719] * 3, "CUDAFAULT_RUN: a process with a valid value joins the run"
        disabled = run_client("sync*3", environment={"CUDAFAULT_RUN": variable, "CUDAFAULT_DISABLE": "1"})
        assert_no_fault("CUDAFAULT_RUN: CUDAFAULT_DISABLE=1 takes precedence", disabled, lines=0)
        for name, invalid in invalid_runs(variable, tmp_path):
            assert_no_fault(
                f"CUDAFAULT_RUN: {name}: the library prints a line and injects no fault",
                run_client("sync*3", environment={"CUDAFAULT_RUN": invalid}),
            )
        run.disarm()
        workers.stop()
        run.end(30)
    ended = run_client("sync*3", environment={"CUDAFAULT_RUN": variable})
    assert_no_fault("CUDAFAULT_RUN: a run that has ended: the library prints a line and injects no fault", ended)


def invalid_runs(variable, folder):
    pid, descriptor, start, inode = variable.split(":")
    yield "another inode", f"{pid}:{descriptor}:{start}:{int(inode) + 1}"
    yield "another start time", f"{pid}:{descriptor}:{int(start) + 1}:{inode}"
    yield "another descriptor", f"{pid}:{int(descriptor) + 100}:{start}:{inode}"
    yield "standard input", f"{pid}:0:{start}:{inode}"
    yield "a process that does not exist", f"{2**22 + 5}:{descriptor}:{start}:{inode}"
    own_start = open("/proc/self/stat").read().rpartition(")")[2].split()[19]
    # The next two values name copies of a control block that do not belong to a run.
    copy = folder / "copy"
    with open(f"/proc/{pid}/fd/{descriptor}", "rb") as block:
        copy.write_bytes(block.read())
    with open(copy, "r+b") as file:
        yield "an ordinary file", f"{os.getpid()}:{file.fileno()}:{own_start}:{os.fstat(file.fileno()).st_ino}"
    unsealed = os.memfd_create("copy", 0)
    os.write(unsealed, copy.read_bytes())
    yield "a memfd without seals", f"{os.getpid()}:{unsealed}:{own_start}:{os.fstat(unsealed).st_ino}"
    os.close(unsealed)
    yield "garbage", "garbage"
    yield "too few parts", "1:2:3"
    yield "too many parts", f"{variable}:5"
    yield "numbers out of range", "99999999999999999999:1:1:1"
    yield "a negative number", f"-{variable}"
    yield "a path", f"../../etc/passwd:{descriptor}:{start}:{inode}"
    yield "a very long value", "9" * 100000


@pytest.fixture
def public_folder():
    """Returns a temporary folder that other users can access. The folders of tmp_path are private."""
    with tempfile.TemporaryDirectory(prefix="cudafault-control-") as name:
        yield Path(name)


AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def public_copy(folder):
    """Copies the tool, library and client to a folder that all users can read, with a subfolder owned by nobody."""
    public = folder / "public"
    shutil.copytree(SIMGPU, public / "lib" / SIMGPU.name)
    shutil.copy(LIBRARY, public / "lib")
    (public / "bin").mkdir()
    for program in (TOOL, CLIENT):
        shutil.copy(program, public / "bin")
    own = public / "own"
    own.mkdir()
    shutil.chown(own, "nobody", "nogroup")
    for path in (folder, public, *public.rglob("*")):
        path.chmod(0o755)
    return public


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_process_cannot_join_run_of_another_user(public_folder):
    """The user nobody cannot join a run that root started, and root cannot join a run that the user nobody started."""
    with Workers(public_folder, 1) as workers:
        run = workers.start_in_run()
        run.arm(f"error=719 {CALLS}")
        check_other_users(public_folder, run_variable(workers.pids()[0]))


def check_other_users(folder, variable):
    public = public_copy(folder)
    client = public / "bin" / CLIENT.name
    environment = {
        "CUDAFAULT_RUN": variable,
        "LD_LIBRARY_PATH": str(public / "lib" / SIMGPU.name),
        "LD_PRELOAD": str(public / "lib" / LIBRARY.name),
    }
    outcome = run_client("sync*3", command=[*AS_NOBODY, client], environment=environment, preload=[])
    assert_no_fault("run of root, process of nobody: the library prints a line and injects no fault", outcome)
    variables = {**clean_environment(), "XDG_RUNTIME_DIR": str(public / "own"), "TMPDIR": str(public / "own")}
    plan = ["--gpus", "sim:1", "--plan", f"error=719 {CALLS}"]
    script = "echo $CUDAFAULT_RUN; read line"
    command = [*AS_NOBODY, public / "bin" / "cudafault", "run", *plan, "--", "sh", "-c", script]
    with subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin and run.stdout
        other_run = run.stdout.readline().strip()
        outcome = run_client("sync*3", environment={"CUDAFAULT_RUN": other_run})
        assert_no_fault("run of nobody, process of root: the library prints a line and injects no fault", outcome)
        run.stdin.close()


# Plan files


class PlanFile:
    def __init__(self, folder):
        self.file = folder / "watched" / "plan"
        self.file.parent.mkdir()

    def write(self, text):
        self.file.write_text(text)

    def replace(self, text):
        write_atomically(self.file, text)

    def remove(self):
        self.file.unlink()


def in_seconds(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_changes_of_plan_file_apply(tmp_path):
    plan = PlanFile(tmp_path)
    calls = f"{CALLS},cuMemAlloc"

    with Workers(tmp_path, 2) as workers:

        def expect(state, code, within=SECOND):
            seconds = workers.seconds_until_outcomes({code}, within)
            assert seconds is not None, (f"plan file: {state}: calls return {code}", workers.outcomes())

        assert workers.start(CUDAFAULT_PLAN_FILE=plan.file), "plan file: two processes start before the file exists"
        expect("does not exist yet", 0)
        plan.write(f"error=719 {calls}")
        expect("written", 719)
        plan.replace(f"error=700 {calls}\n")
        expect("replaced", 700)
        plan.write("")
        expect("emptied", 0)
        plan.write(f"error=702 {calls}")
        expect("written again", 702)
        plan.remove()
        expect("removed", 0)
        plan.replace(f"error=214 {calls}")
        expect("created again", 214)
        plan.write("nonsense=1")
        expect("has an invalid plan", 0)
        plan.write(f"error=719 {calls} for=1s")
        expect("for=1s", 719)
        expect("for=1s has expired", 0, 2 * SECOND)
        plan.write(f"error=719 {calls} until={in_seconds(1.5)}")
        expect("before until=", 719)
        expect("after until=", 0, 2.5 * SECOND)
        shutil.rmtree(plan.file.parent)
        expect("folder removed", 0)
        plan.file.parent.mkdir()
        plan.write(f"error=719 {calls}")
        expect("folder created again", 719)
        workers.stop()
        messages = [process.communicate()[1] for process in workers.processes]
        for text in messages:
            assert len(lines_of(text)) == 1, text


def test_updates_of_config_map_volume_apply(tmp_path):
    """Updates a ConfigMap volume as the kubelet does: the plan file is a link through ..data, and each update
    replaces ..data."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "plan").symlink_to("..data/plan")

    def swap(number, text):
        generation = volume / f"..{number}"
        generation.mkdir()
        if text is not None:
            (generation / "plan").write_text(text)
        (volume / "..data_tmp").symlink_to(generation.name)
        os.replace(volume / "..data_tmp", volume / "..data")
        if number:
            shutil.rmtree(volume / f"..{number - 1}")

    with Workers(tmp_path, 1) as workers:
        swap(0, "")
        workers.start(CUDAFAULT_PLAN_FILE=volume / "plan")
        assert workers.outcomes() == {0}, "ConfigMap: an empty plan file injects no fault"
        for number, (text, code) in enumerate(
            ((f"error=719 {CALLS},cuMemAlloc", 719), ("", 0), (f"error=700 {CALLS},cuMemAlloc", 700), (None, 0)),
            start=1,
        ):
            swap(number, text)
            assert workers.seconds_until_outcomes({code}) is not None, (
                f"ConfigMap: after an update to {text!r}, calls return {code}",
                workers.outcomes(),
            )


def test_armed_plan_expires(tmp_path):
    """A plan with for= or until= stops failing calls at the end of that window."""
    with Workers(tmp_path, 2) as workers:
        run = workers.start_in_run()
        for window in ("for=1s", f"until={in_seconds(4)}"):
            run.arm(f"error=719 {CALLS},cuMemAlloc {window}")
            assert workers.seconds_until_outcomes({719}) is not None, (
                f"run: {window}: the plan fires",
                workers.outcomes(),
            )
            started = time.monotonic()
            assert workers.seconds_until_outcomes({0}, 5 * SECOND) is not None, (
                f"run: {window}: the plan expires",
                time.monotonic() - started,
            )
        workers.stop()
        run.end(30)
