# SPDX-License-Identifier: Apache-2.0
"""Checks data/detectors.yaml and the page that is generated from it."""

import subprocess
import sys

import pytest
from detector_table import CONFIDENCES, LOG_READERS, NVML_READERS, Detector, numbers, ranges, without_identifier
from detectors.kernel_log import TABLE
from harness import ROOT


def named(detectors: list[Detector]) -> list:
    return [pytest.param(detector, id=detector.name) for detector in detectors]


def test_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "data" / "write_detectors_doc", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run data/write_detectors_doc\n{done.stdout}{done.stderr}"


def test_names_are_unique() -> None:
    assert len({detector.name for detector in TABLE.detectors}) == len(TABLE.detectors)


@pytest.mark.parametrize("detector", named(TABLE.detectors))
def test_detector_is_complete(detector: Detector) -> None:
    assert detector.reads in (*LOG_READERS, *NVML_READERS, "nothing")
    assert bool(detector.matchers) == (detector.reads in LOG_READERS)
    assert bool(detector.verdicts) == (detector.reads != "nothing")
    assert detector.checked == ("nothing" if detector.reads == "nothing" else "matcher")
    facts = [*detector.matchers, *detector.verdicts, *([] if detector.verdicts else [detector])]
    assert all(fact.sources and fact.confidence in CONFIDENCES for fact in facts)


@pytest.mark.parametrize("detector", named(TABLE.detectors))
def test_xid_has_one_verdict(detector: Detector) -> None:
    for severity in {entry.severity for entry in detector.verdicts}:
        entries = [entry for entry in detector.verdicts if entry.severity in (None, severity)]
        listed = [xid for entry in entries for xid in sorted(entry.xids or ())]
        assert len(listed) == len(set(listed))
        assert len([entry for entry in entries if entry.xids is None]) <= 1


@pytest.mark.parametrize("detector", named(TABLE.detectors))
def test_forms_and_controls_exist(detector: Detector) -> None:
    assert set(detector.accepts + detector.rejects) <= TABLE.forms.keys()
    assert not set(detector.accepts) & set(detector.rejects)
    assert set(detector.false_alarms) <= set(TABLE.controls)


def test_numbers_and_ranges() -> None:
    assert numbers([8, "13-15", 31]) == {8, 13, 14, 15, 31}
    assert ranges(numbers([8, "13-15", 31, 32])) == "8, 13-15, 31, 32"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("NVRM: Xid (PCI:0000:65:00): 79", "Xid (PCI:0000:65:00): 79"),
        ("kernel: NVRM: Xid", "NVRM: Xid"),
        ("nvidia[12]: text", "text"),
        ("[ 1.5] NVRM: Xid", "[ 1.5] NVRM: Xid"),
        ("no identifier: text", "no identifier: text"),
    ],
)
def test_identifier_that_journald_removes(text: str, kept: str) -> None:
    assert without_identifier(text) == kept
