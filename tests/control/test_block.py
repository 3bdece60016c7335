# SPDX-License-Identifier: Apache-2.0
"""Damages the control block of eight running processes. No process may die, and only an armed fault may fire."""

import os
import random
import subprocess
from collections.abc import Callable

from control.support import BUILD, HERE, OUT, SECOND, TOOL, Workers, run_variable, seconds_until
from harness import ROOT, compile_with

ARMED = "error=719 calls=cuCtxSynchronize,cuMemAlloc"
PROCESSES = 8
SEEDS = 60


def layout():
    """Returns the offset and size of each part of the block."""
    program = OUT / "layout"
    include = [f"-I{folder}" for folder in (ROOT / "src", ROOT / "include", BUILD / "generated")]
    compile_with("g++", "-std=c++20", *include, "-o", program, HERE / "layout.cpp")
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: (int(offset), int(size)) for name, offset, size in (line.split() for line in lines)}


class Block:
    def __init__(self, variable):
        pid, descriptor, *_ = variable.split(":")
        self.path = f"/proc/{pid}/fd/{descriptor}"
        self.file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self.layout = layout()

    def read(self):
        return os.pread(self.file, self.layout["all"][1], 0)

    def write(self, data, offset=0):
        os.pwrite(self.file, data, offset)

    def fill(self, part, byte):
        offset, size = self.layout[part]
        self.write(bytes([byte]) * size, offset)

    def set(self, part, value):
        offset, size = self.layout[part]
        self.write(value.to_bytes(size, "little"), offset)

    def get(self, part):
        offset, size = self.layout[part]
        return int.from_bytes(os.pread(self.file, size, offset), "little")

    def garble(self, part, seed):
        offset, size = self.layout[part]
        self.write(random.Random(f"{part} {seed}").randbytes(size), offset)

    def flip_bits(self, seed):
        """Flips a few bits of the header and spec, so that most of the block stays consistent."""
        generator = random.Random(seed)
        for _ in range(generator.randint(1, 8)):
            offset = generator.randrange(self.layout["header"][1] + 200)
            byte = os.pread(self.file, 1, offset)[0]
            self.write(bytes([byte ^ 1 << generator.randrange(8)]), offset)


def check_sealed_operations(block, workers):
    """Asserts that operations that the memfd's seals forbid fail, and that the workers continue."""
    size = block.layout["all"][1]
    for name, operation in (
        ("truncate to zero bytes", lambda: os.truncate(block.path, 0)),
        ("truncate to one byte", lambda: os.ftruncate(block.file, 1)),
        ("grow the file", lambda: os.truncate(block.path, 16 * size)),
        ("write past the end", lambda: os.pwrite(block.file, b"x", 1 << 30)),
        ("open the file with O_TRUNC", lambda: os.open(block.path, os.O_RDWR | os.O_TRUNC)),
        ("delete the file", lambda: os.unlink(block.path)),
    ):
        try:
            operation()
            refused = False
        except OSError:
            refused = True
        before = os.stat(block.path).st_size
        assert refused and before >= size, (f"block: the kernel refuses to {name}", before)
        assert workers.outcomes() == {0}, f"block: {name}: all processes continue"


def content_damages(block):
    """Returns a description and a function for each kind of damage to the content of the block."""
    fixed: list[tuple[str, Callable[..., object]]] = [
        (f"{part} all {byte:#04x}", lambda p=part, b=byte: block.fill(p, b))
        for part in ("all", "header", "function_flags", "spec", "plan")
        for byte in (0x00, 0xFF)
    ]
    fixed += [(f"flag {value}", lambda v=value: block.set("flag", v)) for value in (0, 1, 2, 3, 0x80, 0xFF)]
    fixed += [
        ("magic off by one", lambda: block.set("magic", block.get("magic") + 1)),
        ("another version", lambda: block.set("version", block.get("version") + 1)),
        ("another owner", lambda: block.set("owner_uid", block.get("owner_uid") + 1)),
        ("another function table", lambda: block.set("function_count", block.get("function_count") + 1)),
        ("an odd revision", lambda: block.set("revision", block.get("revision") | 1)),
        ("the next revision", lambda: block.set("revision", block.get("revision") + 2)),
        ("another checksum", lambda: block.set("checksum", block.get("checksum") ^ 1)),
        ("another arming time", lambda: block.set("armed_at_ns", block.get("armed_at_ns") ^ 1)),
        ("the largest spec size", lambda: block.set("spec_size", 0xFFFFFFFF)),
        ("a spec without a valid checksum", lambda: write_plan_without_checksum(block)),
    ]  # fmt: skip
    parts = (
        "flag", "header", "function_flags", "spec", "plan", "run_state", "event_head", "events", "processes", "matched",
        "fired", "all",
    )  # fmt: skip
    garbled = [
        (f"garbled {part}, {seed}", lambda p=part, s=seed: block.garble(p, s)) for part in parts for seed in range(4)
    ]
    flipped = [(f"flipped bits, {seed}", lambda s=seed: block.flip_bits(s)) for seed in range(SEEDS)]
    return fixed + garbled + flipped


def write_plan_without_checksum(block):
    spec = b"xid=79"
    block.write(spec, block.layout["spec"][0])
    block.set("spec_size", len(spec))
    block.set("revision", block.get("revision") + 2)
    block.set("flag", 2)


def status_exit_code(name):
    """Returns the exit code of `status`, which must not hang or crash for any content of the block."""
    try:
        return subprocess.run([TOOL, "status", name, "--json"], capture_output=True, timeout=5).returncode
    except subprocess.TimeoutExpired:
        return "timed out after 5 seconds"


def check_content_damage(run, block, workers, state, armed_code):
    """Asserts that damage may stop a fault but never causes a fault, and that the plan applies again after the block is
    restored."""
    pids = workers.pids()
    damages = content_damages(block)
    failures = {}
    for description, damage in damages:
        intact = block.read()
        damage()
        during = workers.outcomes()
        code = status_exit_code(run.name)
        block.write(intact)
        if not during <= {0, armed_code}:
            failures[description] = f"calls returned {during}"
        elif code not in range(5):
            failures[description] = f"`status` exited with {code}"
        elif workers.seconds_until_outcomes({armed_code}, 3 * SECOND) is None:
            failures[description] = f"after the block is restored, calls return {workers.outcomes()}"
    assert not failures, state
    all_alive = all(os.path.exists(f"/proc/{pid}") for pid in pids) and workers.pids() == pids
    assert all_alive, (f"block, {state}: all processes survive {len(damages)} kinds of damage", pids)


def test_damaged_block_kills_no_process_and_causes_no_fault(tmp_path):
    with Workers(tmp_path, PROCESSES) as workers:
        run = workers.start_in_run()
        assert workers.wait_for_calls() and len(set(workers.pids())) == PROCESSES, run.errors()
        block = Block(run_variable(workers.pids()[0]))
        assert workers.outcomes() == {0}, "block: all calls succeed before a plan is armed"
        check_sealed_operations(block, workers)
        check_content_damage(run, block, workers, "disarmed", 0)
        run.arm(ARMED)
        assert workers.seconds_until_outcomes({719}) is not None, workers.outcomes()
        check_content_damage(run, block, workers, "armed", 719)
        run.disarm()
        assert workers.seconds_until_outcomes({0}) is not None, workers.outcomes()
        block.fill("all", 0xFF)
        os.close(block.file)
        workers.stop()
        assert run.end(30).code == 0, "block: `run` and all its processes exit with 0"


def test_processes_disarm_after_their_run_is_killed(tmp_path):
    """The processes of a killed `cudafault run` are disarmed five seconds after its last heartbeat."""
    with Workers(tmp_path, 2) as workers:
        run = workers.start_in_run()
        run.arm(ARMED)
        assert workers.seconds_until_outcomes({719}) is not None, workers.outcomes()
        run.process.kill()
        run.process.wait()
        assert workers.outcomes() == {719}, "SIGKILL of run: calls still fail before the heartbeat times out"
        seconds = seconds_until(lambda: workers.outcomes() == {0}, 10 * SECOND)
        assert seconds is not None and 3 < seconds < 6.5, seconds
        assert workers.outcomes() == {0}, "SIGKILL of run: the processes continue, and their calls succeed"
        check_status_after_kill(run.name)


def check_status_after_kill(name):
    done = subprocess.run([TOOL, "status", name], capture_output=True, text=True)
    assert done.returncode >= 0 and " running" not in done.stdout, done.stdout
