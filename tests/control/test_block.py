# SPDX-License-Identifier: Apache-2.0
"""Attacks on the control block under eight running processes: none dies, and none gets a fault that nobody armed."""

import os
import random
import subprocess

from control.support import BUILD, HERE, OUT, SECOND, TOOL, Workers, run_variable, seconds_until
from harness import ROOT, compile_with

ARMED = "error=719 calls=cuCtxSynchronize,cuMemAlloc"
PROCESSES = 8
SEEDS = 60


def layout():
    """Offset and size of each part of the block."""
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
        """A few bits of header and spec, so that most of it still fits together."""
        chance = random.Random(seed)
        for _ in range(chance.randint(1, 8)):
            offset = chance.randrange(self.layout["header"][1] + 200)
            byte = os.pread(self.file, 1, offset)[0]
            self.write(bytes([byte ^ 1 << chance.randrange(8)]), offset)


def size_attacks(block, workers):
    """What a seal forbids is refused, and nobody notices the attempt."""
    size = block.layout["all"][1]
    for name, attempt in (
        ("truncate it to nothing", lambda: os.truncate(block.path, 0)),
        ("truncate it to one byte", lambda: os.ftruncate(block.file, 1)),
        ("grow it", lambda: os.truncate(block.path, 16 * size)),
        ("write behind its end", lambda: os.pwrite(block.file, b"x", 1 << 30)),
        ("open it with O_TRUNC", lambda: os.open(block.path, os.O_RDWR | os.O_TRUNC)),
        ("delete it", lambda: os.unlink(block.path)),
    ):
        try:
            attempt()
            refused = False
        except OSError:
            refused = True
        before = os.stat(block.path).st_size
        assert refused and before >= size, (f"block: {name}: refused", before)
        assert workers.outcomes() == {0}, f"block: {name}: all processes go on"


def content_attacks(block):
    """(what, how) of each way to damage what the block says."""
    fixed = [
        (f"{part} all {byte:#04x}", lambda p=part, b=byte: block.fill(p, b))
        for part in ("all", "header", "spec")
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
        ("another time of arming", lambda: block.set("armed_at_ns", block.get("armed_at_ns") ^ 1)),
        ("a spec as long as can be told", lambda: block.set("spec_size", 0xFFFFFFFF)),
        ("a spec that nobody signed", lambda: forge(block)),
    ]  # fmt: skip
    parts = ("flag", "header", "spec", "run_state", "event_head", "events", "processes", "matched", "fired", "all")
    garbled = [
        (f"garbled {part}, {seed}", lambda p=part, s=seed: block.garble(p, s)) for part in parts for seed in range(4)
    ]
    flipped = [(f"flipped bits, {seed}", lambda s=seed: block.flip_bits(s)) for seed in range(SEEDS)]
    return fixed + garbled + flipped


def forge(block):
    """A plan without its checksum."""
    spec = b"xid=79"
    block.write(spec, block.layout["spec"][0])
    block.set("spec_size", len(spec))
    block.set("revision", block.get("revision") + 2)
    block.set("flag", 2)


def ask_status(name):
    """Its exit code; it must answer whatever the block says."""
    try:
        return subprocess.run([TOOL, "status", name, "--json"], capture_output=True, timeout=5).returncode
    except subprocess.TimeoutExpired:
        return "no answer in 5 seconds"


def attack_content(run, block, workers, state, armed_code):
    """Damage may end a fault, never make one; the healthy block counts again as soon as it is back."""
    pids = workers.pids()
    attacks = content_attacks(block)
    wrong = {}
    for what, damage in attacks:
        healthy = block.read()
        damage()
        during = workers.outcomes()
        answer = ask_status(run.name)
        block.write(healthy)
        if not during <= {0, armed_code}:
            wrong[what] = f"calls came out as {during}"
        elif answer not in range(5):
            wrong[what] = f"`status` ended with {answer}"
        elif workers.reach({armed_code}, 3 * SECOND) is None:
            wrong[what] = f"with the block restored calls come out as {workers.outcomes()}"
    assert not wrong, state
    alive = all(os.path.exists(f"/proc/{pid}") for pid in pids) and workers.pids() == pids
    assert alive, (f"block, {state}: {len(attacks)} kinds of damage, none kills one of {len(pids)} processes", pids)


def test_block(tmp_path):
    with Workers(tmp_path, PROCESSES) as workers:
        run = workers.start_in_run()
        assert workers.wait_for_calls() and len(set(workers.pids())) == PROCESSES, run.errors()
        block = Block(run_variable(workers.pids()[0]))
        assert workers.outcomes() == {0}, "block: nothing is armed"
        size_attacks(block, workers)
        attack_content(run, block, workers, "disarmed", 0)
        run.arm(ARMED)
        assert workers.reach({719}) is not None, workers.outcomes()
        attack_content(run, block, workers, "armed", 719)
        run.disarm()
        assert workers.reach({0}) is not None, workers.outcomes()
        block.fill("all", 0xFF)
        os.close(block.file)
        workers.stop()
        assert run.end(30).code == 0, "block: all processes end well, and `run` with them"


def test_dead_tool(tmp_path):
    """Five seconds after the last heartbeat of a killed `cudafault run` its processes are disarmed."""
    with Workers(tmp_path, 2) as workers:
        run = workers.start_in_run()
        run.arm(ARMED)
        assert workers.reach({719}) is not None, workers.outcomes()
        run.process.kill()
        run.process.wait()
        assert workers.outcomes() == {719}, "SIGKILL of run: still armed at once"
        seconds = seconds_until(lambda: workers.outcomes() == {0}, 10 * SECOND)
        assert seconds is not None and 3 < seconds < 6.5, seconds
        assert workers.outcomes() == {0}, "SIGKILL of run: the processes go on"
        check_report_of_the_dead(run.name)


def check_report_of_the_dead(name):
    done = subprocess.run([TOOL, "status", name], capture_output=True, text=True)
    assert done.returncode >= 0 and " running" not in done.stdout, done.stdout
