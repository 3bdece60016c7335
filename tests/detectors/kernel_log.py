# SPDX-License-Identifier: Apache-2.0
"""The lines of `cudafault kernel-log`, and the catalog of `cudafault xids --json`."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from harness import ROOT, Outcome, cudafault

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "data"))

import detector_table

GPU = "0000:65:00.0"
NVSWITCH = "0000:c1:00.0"
BRANCHES = (535, 550, 570, 580, 590, 595, 615)
OWNER = ("--pid", "4242", "--process", "python3")
TABLE = detector_table.load()


@dataclass(frozen=True)
class Entry:
    """An XID of the catalog."""

    xid: int
    has_event: bool
    advice: str  # NVIDIA's immediate action; "-": none is known
    action: str  # the recovery action that the XID leaves behind; empty: none is known
    first_branch: int  # the first driver branch that prints the XID
    has_owner: bool  # a line names the process that owns the channel
    has_companion: bool  # the driver also prints that the GPU has fallen off the bus

    def branches(self) -> list[int]:
        return [branch for branch in BRANCHES if branch >= self.first_branch]


@dataclass(frozen=True)
class Printed:
    """The lines of one XID on one driver branch."""

    xid: int
    branch: int
    lines: tuple[str, ...]


def read_catalog() -> dict[int, Entry]:
    """Returns the XIDs that are not reserved."""
    outcome = cudafault("xids", "--json")
    assert outcome.code == 0, outcome.errors
    entries = (item["entry"] for item in outcome.json["xids"])
    return {entry["number"]: entry_of(entry) for entry in entries if entry["depth"] != "reserved"}


def entry_of(entry: dict[str, Any]) -> Entry:
    main = [line for line in entry["log"] if line["form"] == "xid"]
    others = [text["text"] for line in entry["log"] if line["form"] == "driver" for text in line["texts"]]
    return Entry(
        xid=entry["number"],
        has_event=entry["has_event"],
        advice=entry["recovery"]["value"],
        action=entry["action"]["value"],
        first_branch=min(text["branch"] for line in main for text in line["texts"]),
        has_owner=any(line["owner"] == "process" for line in main),
        has_companion=any("GPU has fallen off the bus" in text for text in others),
    )


def kernel_log(xid: int | str, branch: int, *options: str, gpu: str = GPU) -> Outcome:
    return cudafault("kernel-log", xid, "--gpu", gpu, "--driver", branch, *options)


def lines_of(xid: int | str, branch: int, *options: str, gpu: str = GPU) -> list[str]:
    outcome = kernel_log(xid, branch, *options, gpu=gpu)
    assert outcome.code == 0, outcome.errors
    return outcome.output.splitlines()


def print_xid(entry: Entry, branch: int) -> Printed:
    """Returns the lines with and, on the oldest and the newest branch, without a known owner."""
    lines = lines_of(entry.xid, branch, *(OWNER if entry.has_owner else ()))
    if entry.has_owner and branch in (entry.branches()[0], BRANCHES[-1]):
        lines += lines_of(entry.xid, branch)
    return Printed(entry.xid, branch, tuple(lines))


def print_all(catalog: dict[int, Entry]) -> list[Printed]:
    """Returns the lines of each XID on each driver branch that prints it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(print_xid, entry, branch) for entry in catalog.values() for branch in entry.branches()]
        return [job.result() for job in jobs]
