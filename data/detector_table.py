# SPDX-License-Identifier: Apache-2.0
"""Reads data/detectors.yaml, which describes the file, and applies its matchers and verdicts."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).resolve().parent / "detectors.yaml"
CONFIDENCES = ("documented", "observed", "inferred")
LOG_READERS = ("record", "message", "log", "journal")
NVML_READERS = ("nvml_event", "nvml_field")
KERNEL, PROGRAM = "kernel", "program"  # the writers of a record
NO_SEVERITY = "none"

# The kernel gives every record that a program writes to /dev/kmsg the facility "user" (1).
PRIORITIES = {KERNEL: 4, PROGRAM: 12}


@dataclass(frozen=True)
class Form:
    """A form of the line for XID 79."""

    name: str
    title: str
    writer: str
    text: str


@dataclass(frozen=True)
class Matcher:
    regex: re.Pattern[str]
    whole: bool
    xid: int | None  # the number of lines that contain none
    sources: list[str]
    confidence: str


@dataclass(frozen=True)
class Verdict:
    verdict: str
    out_of_service: bool
    xids: frozenset[int] | None  # None: every XID that no other verdict lists
    severity: str | None  # applies to lines with this severity, or without one (NO_SEVERITY); None: to all lines
    text: str
    sources: list[str]
    confidence: str


@dataclass(frozen=True)
class Sighting:
    """An XID that a detector found in a text."""

    xid: int
    severity: str | None


@dataclass
class Detector:
    name: str
    title: str
    project: str
    version: str
    reads: str
    input: str
    numbers: str
    matchers: list[Matcher]
    address: re.Pattern[str] | None
    verdicts: list[Verdict]
    accepts: list[str]
    rejects: list[str]
    false_alarms: dict[int, str]
    notes: list[str]
    checked: str
    sources: list[str] = field(default_factory=list)  # of a detector without matchers and verdicts
    confidence: str = ""

    def sight(self, text: str, writer: str = KERNEL) -> Sighting | None:
        """Returns the XID that the detector finds in a text that `writer` wrote to the kernel log, or None."""
        seen = presented(text, self.reads, writer)
        for matcher in self.matchers:
            found = matcher.regex.fullmatch(seen) if matcher.whole else matcher.regex.search(seen)
            if found:
                return self.sighting_of(matcher, found)
        return None

    def sighting_of(self, matcher: Matcher, found: re.Match[str]) -> Sighting | None:
        groups = found.groupdict()
        if self.address and not self.address.fullmatch(groups["pci"]):
            return None
        return Sighting(matcher.xid or int(groups["xid"]), groups.get("severity"))

    def verdict(self, xid: int, severity: str | None = None) -> Verdict | None:
        """Returns the verdict for an XID, or None if the detector does not notice it. `severity` is that of the line."""
        applicable = [entry for entry in self.verdicts if entry.severity in (None, severity or NO_SEVERITY)]
        listed = [entry for entry in applicable if entry.xids is not None and xid in entry.xids]
        others = [entry for entry in applicable if entry.xids is None]
        return next(iter(listed + others), None)

    def possible_verdicts(self, xid: int) -> list[Verdict]:
        """Returns the verdicts for an XID with any severity."""
        severities = {entry.severity for entry in self.verdicts} | {None}
        found = [self.verdict(xid, severity) for severity in sorted(severities, key=str)]
        return [entry for number, entry in enumerate(found) if entry and entry not in found[:number]]

    def listed_xids(self) -> set[int]:
        return set().union(*(entry.xids or frozenset() for entry in self.verdicts))

    def notices_others(self) -> bool:
        return any(entry.xids is None for entry in self.verdicts)


@dataclass
class Table:
    sources: dict[str, str]
    forms: dict[str, Form]
    controls: list[int]
    detectors: list[Detector]

    def find(self, name: str) -> Detector:
        return next(detector for detector in self.detectors if detector.name == name)


def presented(text: str, reads: str, writer: str) -> str:
    """Returns a text of the kernel log in the form in which a detector with this `reads` sees it."""
    if reads == "record":
        return f"{PRIORITIES[writer]},1227,437812449932,-;{text}\n"
    if reads == "journal" and writer == PROGRAM:
        return without_identifier(text)
    return text


def without_identifier(text: str) -> str:
    """Removes the first word if it ends in a colon, as journald does with records that the kernel did not write."""
    return re.sub(r"^\s*\S+:\s", "", text)


def numbers(entries: list[int | str]) -> frozenset[int]:
    """Returns the numbers of a list of numbers and ranges such as "144-150"."""
    found: set[int] = set()
    for entry in entries:
        first, _, last = str(entry).partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def ranges(found: set[int] | frozenset[int]) -> str:
    """Returns numbers as a list with ranges: "13, 31, 39-41"."""
    runs: list[list[int]] = []
    for number in sorted(found):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts)


def load() -> Table:
    content = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    forms = {name: Form(name=name, **form) for name, form in content["forms"].items()}
    names = content["sources"]
    return Table(names, forms, content["controls"], [read_detector(entry, names) for entry in content["detectors"]])


def read_detector(entry: dict[str, Any], names: dict[str, str]) -> Detector:
    known = {
        "matchers": [read_matcher(matcher, names) for matcher in entry.get("matchers", [])],
        "verdicts": [read_verdict(verdict, names) for verdict in entry.get("verdicts", [])],
        "address": re.compile(entry["address"]) if "address" in entry else None,
        "numbers": entry.get("numbers", "xid"),
        "accepts": entry.get("accepts", []),
        "rejects": entry.get("rejects", []),
        "false_alarms": entry.get("false_alarms", {}),
        "notes": entry.get("notes", []),
        "sources": read_sources(entry, names) if "source" in entry else [],
    }
    rest = {key: value for key, value in entry.items() if key not in known and key != "source"}
    for note in known["notes"]:
        if not isinstance(note, str):
            raise ValueError(
                f"invalid note {note!r} of {entry['name']}: expected a text; quote a text that contains a colon"
            )
    return Detector(**rest, **known)


def read_matcher(entry: dict[str, Any], names: dict[str, str]) -> Matcher:
    return Matcher(
        regex=re.compile(entry["regex"]),
        whole=entry.get("whole", False),
        xid=entry.get("xid"),
        sources=read_sources(entry, names),
        confidence=entry["confidence"],
    )


def read_verdict(entry: dict[str, Any], names: dict[str, str]) -> Verdict:
    return Verdict(
        verdict=entry["verdict"],
        out_of_service=entry["out_of_service"],
        xids=None if entry["xids"] == "others" else numbers(entry["xids"]),
        severity=entry.get("severity"),
        text=entry["text"],
        sources=read_sources(entry, names),
        confidence=entry["confidence"],
    )


def read_sources(entry: dict[str, Any], names: dict[str, str]) -> list[str]:
    """Returns the URLs and the names of `sources` that an entry gives as its source."""
    source = entry["source"]
    listed: list[str] = source if isinstance(source, list) else [source]
    unknown = [name for name in listed if name not in names and "://" not in name]
    if unknown:
        raise ValueError(f'unknown source "{unknown[0]}": expected a URL or a name of `sources`')
    return listed
