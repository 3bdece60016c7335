# SPDX-License-Identifier: Apache-2.0
"""Where a process takes its plan from: which source decides, what a bad one does, and plan files that change."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

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
    lines_of,
    numbers,
    operate,
    run_variable,
    write_atomically,
)
from harness import read_events

CALLS = "calls=cuCtxSynchronize"
PASSED = "2020-01-01T00:00:00Z"
UNKNOWN_XID = {"CUDA_FAULT_INJECTION_ENABLED": "1", "CUDA_XID_TYPE": "1234"}


def goes_on(name, outcome, lines=1, saying=""):
    """No fault, its own exit code and output, and so many lines of ours on standard error."""
    errors = lines_of(outcome.errors)
    said = len(errors) == lines and all(line.startswith("cudafault: ") and saying in line for line in errors)
    went_on = outcome.code == CLIENT_CODE and numbers(outcome.output) == [0, 0, 0] and "goodbye" in outcome.output
    assert said and went_on, (name, outcome.behaviour)


# What is wrong with the plan, the character that the line must name, and a word of what was expected.
BAD_PLANS = [
    ("an unknown key", f"error=719 cals=cuInit {CALLS}", 11, "calls"),
    ("an unknown XID", f"xid=80 {CALLS}", 5, "79"),
    ("a GPU that is none", f"xid=79 {CALLS} gpu=zero", 35, "GPU-<uuid>"),
    ("a function that is none", "xid=79 calls=cuMemAlok", 14, "cudafault functions"),
    ("a glob that matches nothing", "xid=79 calls=cuInit,cuNothing*", 21, "cudafault functions"),
    ("a class that is none", "xid=79 calls=@nothing", 14, "@launch"),
    ("a number out of range", f"xid=79 {CALLS} probability=1.5", 43, "above 0 and up to 1"),
    ("a number that is too large", f"xid=79 {CALLS} times=99999999999999999999", 37, "at least 1"),
    ("an exit code out of range", f"effect=exit:256 {CALLS}", 8, "0 to 255"),
    ("an error that no function returns", "error=NVML_ERROR_GPU_IS_LOST", 7, "calls="),
    ("an impossible combination", "xid=79 error=719", 14, "one of them"),
    ("a second fault that is wrong", f"error=719 {CALLS}; every=10", 35, "xid= or error="),
    ("a date that is none", f"xid=79 until=tomorrow {CALLS}", 14, "2026-11-23T12:00:00Z"),
    ("control characters", "xid=79\x01", 5, "79"),
    ("17 faults", ";".join(["xid=79"] * 17), 113, "16 faults"),
    ("more than 16 KiB", "xid=79 process=" + "x" * 17000, None, ""),
]


@pytest.mark.parametrize(("name", "plan", "character", "expected"), BAD_PLANS, ids=[row[0] for row in BAD_PLANS])
@pytest.mark.parametrize("source", ["CUDAFAULT_PLAN", "CUDAFAULT_PLAN_FILE"])
def test_invalid_plan(name, plan, character, expected, source):
    """One line that names the place, and no fault."""
    outcome = with_source(source, plan)
    goes_on(name, outcome, saying=expected)
    if character:
        assert f"character {character}," in outcome.errors


def test_unknown_xid_of_the_contract():
    goes_on("CUDA_XID_TYPE=1234", operate("sync*3", environment=UNKNOWN_XID), saying="'1234'")


def with_source(source, plan):
    if source == "CUDAFAULT_PLAN":
        return operate("sync*3", environment={source: plan})
    file = CLIENT.parent / "plan"
    file.write_text(plan)
    # Long enough for the watcher to read the same file again.
    return operate("sync sleep:300 sync", environment={source: str(file)})


def test_numbered_file(tmp_path):
    """A plan file may say by which number the log is to call its plan, and in which pod."""
    file, log, uid = tmp_path / "numbered", tmp_path / "numbered.log", "0a1b2c3d-0000-4000-8000-0123456789ab"
    file.write_text(f"#7\nerror=702 {CALLS}")
    surroundings = {"CUDAFAULT_PLAN_FILE": str(file), "CUDAFAULT_LOG": str(log), "CUDAFAULT_POD_UID": uid}
    assert codes("sync sync", environment=surroundings) == [702, 702], "a numbered plan file counts"
    lines = read_events(log)
    acknowledged = [line for line in lines if line["cudafault"] == "acknowledged"]
    fired = [line for line in lines if line["cudafault"] == "fired"]
    assert [(line["plan_revision"], line["fired"]) for line in acknowledged] == [(7, 0)], "its number is acknowledged"
    assert [(line["plan_revision"], line["fired"]) for line in fired] == [(7, 1), (7, 2)], (
        "and stands beside what fired"
    )
    assert all(line["pod_uid"] == uid for line in acknowledged + fired), lines
    for first in ("#", "#x", "#7 8", "#-1", "#99999999999999999999"):
        file.write_text(f"{first}\nerror=702 {CALLS}")
        goes_on(f"a plan file beginning with {first}", operate("sync*3", environment=surroundings), saying="refused")
    file.write_text("#8\n")
    assert codes("sync", environment=surroundings) == [0], "a numbered plan file without a plan"
    assert read_events(log)[-1].get("plan_revision") == 8, "is acknowledged too"


def test_inherited_log():
    """Where the log may not be opened, as another user's than the container's, standard error is the same pipe."""
    other = {"user": 65534} if os.geteuid() == 0 else {}
    surroundings = {
        "CUDAFAULT_SIM_GPUS": "1",
        "CUDAFAULT_PLAN": f"error=702 {CALLS}",
        "CUDAFAULT_LOG": "/proc/1/fd/2",
        "LD_LIBRARY_PATH": "simgpu",
        "LD_PRELOAD": f"./{LIBRARY.name}",
    }
    with tempfile.TemporaryDirectory(prefix="inherited-") as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(SIMGPU, Path(folder) / "simgpu")
        for file in (CLIENT, LIBRARY):
            shutil.copy(file, folder)

        def errors(where):
            done = subprocess.run(
                [f"./{CLIENT.name}", "sync"],
                cwd=folder,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=where,
                timeout=60,
                **other,
            )
            return done.stderr or b""

        lines = [json.loads(line) for line in errors(subprocess.PIPE).splitlines()]
        assert [line["cudafault"] for line in lines] == ["acknowledged", "fired"], (
            "a log of others' is written to standard error"
        )
        with tempfile.TemporaryFile() as file:
            errors(file)
            file.seek(0)
            assert file.read() == b"", "but not into a file that somebody put there"


def test_order(tmp_path):
    """The first source that is set decides alone, also when it says nothing."""
    file, empty, expired = tmp_path / "plan", tmp_path / "empty", tmp_path / "expired"
    file.write_text(f"error=702 {CALLS}\n")
    empty.write_text("")
    expired.write_text(f"error=702 {CALLS} until={PASSED}")
    plan, contract = {"CUDAFAULT_PLAN": f"error=700 {CALLS}"}, {"CUDA_FAULT_INJECTION_ENABLED": "1"}

    def file_first(path):
        return {**below_file, "CUDAFAULT_PLAN_FILE": str(path)}

    below_file = {**plan, **contract}
    below_run = file_first(file)
    for name, environment, code in (
        ("nothing is set", {}, 0),
        ("a plan", plan, 700),
        ("a plan before the contract's variables", below_file, 700),
        ("an empty plan before the contract's variables", {**contract, "CUDAFAULT_PLAN": ""}, 0),
        ("a blank plan before the contract's variables", {**contract, "CUDAFAULT_PLAN": " ; \n"}, 0),
        ("an expired plan before the contract's", {**contract, "CUDAFAULT_PLAN": f"xid=79 until={PASSED}"}, 0),
        ("a plan file before a plan", below_run, 702),
        ("a missing plan file before a plan", file_first(tmp_path / "none"), 0),
        ("a plan file in a missing folder before a plan", file_first(tmp_path / "no" / "ne"), 0),
        ("an empty plan file before a plan", file_first(empty), 0),
        ("an expired plan file before a plan", file_first(expired), 0),
        ("no name of a plan file before a plan", file_first(""), 0),
        ("a run that is none before a plan file", {**below_run, "CUDAFAULT_RUN": "1:2:3:4"}, 0),
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
        outcome = operate("sync*3", environment=environment)
        expected = [code] * 3
        assert numbers(outcome.output) == expected and outcome.code == CLIENT_CODE, (
            f"sources: {name}: {code}",
            outcome.behaviour,
        )


# A run that is not, or not ours.


def test_runs(tmp_path):
    with Workers(tmp_path, 1) as workers:
        run = workers.start_in_run()
        run.arm(f"error=719 {CALLS}")
        variable = run_variable(workers.pids()[0])
        joined = operate("sync*3", environment={"CUDAFAULT_RUN": variable, "CUDAFAULT_PLAN": f"error=700 {CALLS}"})
        assert numbers(joined.output) == [719] * 3, "CUDAFAULT_RUN: a process that names the run rightly joins it"
        disabled = operate("sync*3", environment={"CUDAFAULT_RUN": variable, "CUDAFAULT_DISABLE": "1"})
        goes_on("CUDAFAULT_RUN: CUDAFAULT_DISABLE=1 beats it", disabled, lines=0)
        for name, wrong in wrong_runs(variable, tmp_path):
            goes_on(
                f"CUDAFAULT_RUN: {name}: one line, and no fault",
                operate("sync*3", environment={"CUDAFAULT_RUN": wrong}),
            )
        run.disarm()
        workers.stop()
        run.end(30)
    dead = operate("sync*3", environment={"CUDAFAULT_RUN": variable})
    goes_on("CUDAFAULT_RUN: a run that has ended: one line, and no fault", dead)


def wrong_runs(variable, folder):
    pid, descriptor, start, inode = variable.split(":")
    yield "another inode", f"{pid}:{descriptor}:{start}:{int(inode) + 1}"
    yield "another start time", f"{pid}:{descriptor}:{int(start) + 1}:{inode}"
    yield "another descriptor", f"{pid}:{int(descriptor) + 100}:{start}:{inode}"
    yield "standard input", f"{pid}:0:{start}:{inode}"
    yield "a process that is none", f"{2**22 + 5}:{descriptor}:{start}:{inode}"
    own_start = open("/proc/self/stat").read().rpartition(")")[2].split()[19]
    # The content is right, the file is not.
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
    yield "a very long one", "9" * 100000


@pytest.fixture
def public_folder():
    """A temporary folder that other users can enter; pytest's own ones are private."""
    with tempfile.TemporaryDirectory(prefix="cudafault-control-") as name:
        yield Path(name)


AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def public_copy(folder):
    """Tool, library and client where another user may read them, and a folder of his own."""
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
def test_run_of_another_user(public_folder):
    """The run is root's and the process nobody's; then the other way round."""
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
    outcome = operate("sync*3", command=[*AS_NOBODY, client], environment=environment, preload=[])
    goes_on("CUDAFAULT_RUN: root's run and nobody's process: one line, and no fault", outcome)
    surroundings = {**clean_environment(), "XDG_RUNTIME_DIR": str(public / "own"), "TMPDIR": str(public / "own")}
    plan = ["--gpus", "sim:1", "--plan", f"error=719 {CALLS}"]
    whole = [*AS_NOBODY, public / "bin" / "cudafault", "run", *plan, "--", "sh", "-c", "echo $CUDAFAULT_RUN; read line"]
    with subprocess.Popen(whole, env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        theirs = run.stdout.readline().strip()
        outcome = operate("sync*3", environment={"CUDAFAULT_RUN": theirs})
        goes_on("CUDAFAULT_RUN: nobody's run and root's process: one line, and no fault", outcome)
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


def test_plan_file(tmp_path):
    plan = PlanFile(tmp_path)
    calls = f"{CALLS},cuMemAlloc"

    with Workers(tmp_path, 2) as workers:

        def expect(what, code, within=SECOND):
            seconds = workers.reach({code}, within)
            assert seconds is not None, (f"plan file: {what}: {code}", workers.outcomes())

        assert workers.start(CUDAFAULT_PLAN_FILE=plan.file), "plan file: two processes start without one"
        expect("none yet", 0)
        plan.write(f"error=719 {calls}")
        expect("written", 719)
        plan.replace(f"error=700 {calls}\n")
        expect("replaced by another", 700)
        plan.write("")
        expect("emptied", 0)
        plan.write(f"error=702 {calls}")
        expect("written again", 702)
        plan.remove()
        expect("removed", 0)
        plan.replace(f"error=214 {calls}")
        expect("there again", 214)
        plan.write("nonsense=1")
        expect("refused", 0)
        plan.write(f"error=719 {calls} for=1s")
        expect("for=1s", 719)
        expect("for=1s is over", 0, 2 * SECOND)
        plan.write(f"error=719 {calls} until={in_seconds(1.5)}")
        expect("until= is to come", 719)
        expect("until= is over", 0, 2.5 * SECOND)
        shutil.rmtree(plan.file.parent)
        expect("its folder removed", 0)
        plan.file.parent.mkdir()
        plan.write(f"error=719 {calls}")
        expect("its folder made again", 719)
        workers.stop()
        said = [process.communicate()[1] for process in workers.processes]
        for text in said:
            assert len(lines_of(text)) == 1, text


def test_config_map(tmp_path):
    """As the kubelet swaps a ConfigMap volume: the file is a link through ..data, which is replaced."""
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
        assert workers.outcomes() == {0}, "ConfigMap: empty at first"
        for number, (text, code) in enumerate(
            ((f"error=719 {CALLS},cuMemAlloc", 719), ("", 0), (f"error=700 {CALLS},cuMemAlloc", 700), (None, 0)),
            start=1,
        ):
            swap(number, text)
            assert workers.reach({code}) is not None, (f"ConfigMap: swapped to {text!r}: {code}", workers.outcomes())


def test_expiry_in_run(tmp_path):
    """for= and until= of an armed run end by themselves."""
    with Workers(tmp_path, 2) as workers:
        run = workers.start_in_run()
        for window in ("for=1s", f"until={in_seconds(4)}"):
            run.arm(f"error=719 {CALLS},cuMemAlloc {window}")
            assert workers.reach({719}) is not None, (f"run: {window}: fires", workers.outcomes())
            started = time.monotonic()
            assert workers.reach({0}, 5 * SECOND) is not None, (
                f"run: {window}: is over by itself",
                time.monotonic() - started,
            )
        workers.stop()
        run.end(30)
