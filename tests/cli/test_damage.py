# SPDX-License-Identifier: Apache-2.0
"""Tests commands on killed runs, and with records, runtime folders and control blocks that are damaged or belong to
another user."""

import json
import mmap
import os
import random
import re
import signal
from pathlib import Path

import pytest
from cli.support import ClientRun, assert_refused, child_of, record_file, status
from harness import TIMEOUT, TOOL, cudafault, wait_until


@pytest.mark.parametrize("name", ["a/b", ".x", "a b", "x" * 65])
def test_run_refuses_invalid_name(name: str) -> None:
    assert_refused(cudafault("run", "--name", name, "--", "echo"), 2, "invalid run name")


def test_status_finds_ended_run_by_generated_name() -> None:
    generated = re.search(r"run-\d+", cudafault("run", "--", "sh", "-c", f"'{TOOL}' status").output)
    assert generated
    assert status(generated[0])["state"] == "ended"


def test_name_of_ended_run_can_be_reused() -> None:
    for _ in range(2):
        assert cudafault("run", "--name", "again", "--", "true").code == 0


def test_killed_run_is_lost() -> None:
    with ClientRun("killed") as run:
        run.arm("xid=79")
        run.allocate()
        child = child_of(run.pid)
        run.process.kill()
        run.process.wait()
        lost = status("killed")
        assert (lost["state"], lost["plan"]["state"], lost["processes"]) == ("lost", "unknown", None)
        text = cudafault("status", "killed").output
        assert "unknown" in text
        assert "never hit" not in text
        events = cudafault("events", "killed")
        assert (events.code, events.output) == (0, "")
        assert "unknown" in events.errors
        assert cudafault("events", "killed", "--json").json["total"] is None
        assert_refused(cudafault("arm", "killed", "xid=79"), 3, "was killed")
        assert cudafault("disarm", "killed").code == 0
        os.kill(child, signal.SIGKILL)
    assert cudafault("run", "--name", "killed", "--", "true").code == 0, "the name can be reused"


def damaged_records(good: str) -> list[str]:
    record = json.loads(good)
    invalid_fields = [
        ("pid", "one"),
        ("fd", None),
        ("state", 7),
        ("inode", record["inode"] + 1),
        ("fd", 0),
        ("gpus", 3),
        ("plan", 3),
        ("history", 3),
        ("history_dropped", 3),
        ("command", 3),
        ("command", [3]),
        ("started_at", None),
    ]
    invalid_files = ["", "{", "[]", "null", "\0" * 100, good[:-20]]
    return invalid_files + [json.dumps({**record, key: value}) for key, value in invalid_fields]


def assert_handles_damage(*verb: str) -> None:
    """Asserts that the command succeeds or fails with an error message of cudafault."""
    outcome = cudafault(*verb)
    assert outcome.code == 0 or (outcome.code == 3 and outcome.errors.startswith("cudafault: ")), outcome
    assert "json.exception" not in outcome.errors


def test_commands_report_damaged_record() -> None:
    with ClientRun("damaged") as run:
        file = record_file("damaged")
        for content in damaged_records(file.read_text()):
            file.write_text(content)
            assert_handles_damage("status")
            assert_handles_damage("status", "damaged")
            assert_handles_damage("status", "damaged", "--json")
            assert_handles_damage("events", "damaged")
            assert_handles_damage("arm", "damaged", "xid=79")
            assert_handles_damage("disarm", "damaged")
        file.write_text("{")
        assert_refused(cudafault("status", "damaged"), 3, str(file), "remove")
        assert "damaged" in cudafault("status").output, "`status` still lists the run"
        ended = run.end()
        assert (ended.code, ended.errors) == (0, "")
    assert status("damaged")["state"] == "ended"
    report = file.read_text()
    file.write_text(report.replace('"evidence"', '"evidense"'))
    assert_refused(cudafault("status", "damaged"), 3, str(file))
    damaged_evidence = report.replace('"processes_dropped":0', '"processes_dropped":"none"').replace(
        '"total":', '"toll":'
    )
    file.write_text(damaged_evidence)
    assert_refused(cudafault("status", "damaged"), 3, "damaged")


def test_commands_refuse_runtime_folder_that_other_users_can_write(runtime_folder: Path) -> None:
    folder = runtime_folder / "cudafault"
    folder.mkdir()
    folder.chmod(0o777)
    outcome = cudafault("run", "--", "echo", "started")
    assert_refused(outcome, 125, str(folder), "open to other users")
    assert outcome.output == ""
    assert_refused(cudafault("status"), 3, "open to other users")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a folder")
def test_status_refuses_runtime_folder_of_another_user(runtime_folder: Path) -> None:
    folder = runtime_folder / "cudafault"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    assert_refused(cudafault("status"), 3, "another user")


def test_records_are_stored_in_tmpdir_without_xdg_runtime_dir(tmp_path: Path) -> None:
    """If XDG_RUNTIME_DIR does not exist, cudafault stores records in a private folder below TMPDIR."""
    cudafault("run", "--name", "elsewhere", "--", "true", XDG_RUNTIME_DIR="/nowhere", TMPDIR=str(tmp_path))
    found = tmp_path / f"cudafault-{os.geteuid()}" / "elsewhere.json"
    assert found.exists()
    assert found.parent.stat().st_mode & 0o777 == 0o700


class Block:
    """The control block of a live run, opened by another process."""

    def __init__(self, run: ClientRun) -> None:
        record = json.loads(record_file(run.name).read_text())
        self.path = f"/proc/{record['pid']}/fd/{record['fd']}"
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def heartbeat(self) -> int:
        return int.from_bytes(self.memory[32:40], "little")


@pytest.mark.parametrize("seed", range(3))
def test_commands_report_damaged_control_block(seed: int) -> None:
    with ClientRun("garbled") as run:
        run.arm("xid=79")
        block = Block(run)
        size = len(block.memory)
        block.memory[:] = random.Random(seed).randbytes(size) if seed else bytes(size)
        text = cudafault("status", run.name)
        assert text.code == 0
        assert "damaged" in text.output
        assert run.status()["plan"]["state"] == "unknown"
        for verb in (["events", run.name], ["events", run.name, "--json"], ["status"]):
            assert cudafault(*verb).code == 0
        assert_refused(cudafault("arm", run.name, "xid=79"), 3, "damaged")
        assert run.allocate() == "0"
        assert run.end().code == 0
    assert status("garbled")["plan"]["state"] == "unknown"


def test_control_block_cannot_be_resized() -> None:
    with ClientRun("block") as run:
        for size in (0, 1, 1 << 30):
            with pytest.raises(OSError, match="Operation not permitted"):
                os.truncate(Block(run).path, size)


def test_heartbeat_advances_every_second() -> None:
    with ClientRun("block") as run:
        block = Block(run)
        before = block.heartbeat()
        assert wait_until(lambda: block.heartbeat() - before > 1e9)
        assert block.heartbeat() - before < 2.5e9


def test_sigterm_ends_run_and_its_command() -> None:
    with ClientRun("block") as run:
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(timeout=TIMEOUT) == -signal.SIGTERM
