# SPDX-License-Identifier: Apache-2.0
"""Applies the matchers of the detectors that read the kernel log to the lines of `cudafault kernel-log`. No detector is run."""

import re

import pytest
from detector_table import KERNEL, LOG_READERS, PROGRAM, Detector, Sighting
from detectors.kernel_log import BRANCHES, NVSWITCH, TABLE, Entry, Printed, kernel_log, lines_of
from harness import cudafault

READERS = [detector for detector in TABLE.detectors if detector.matchers]
XID_READERS = [detector for detector in READERS if detector.numbers == "xid"]
SXID_READERS = [detector for detector in READERS if detector.numbers == "sxid"]
SXIDS = (12028, 19084, 20034, 24007)
RECORD = re.compile(r"4,\d+,\d+,c;(NVRM: .*)")

# NVSentinel's action for each advice of the catalog. Any other advice gives CONTACT_SUPPORT.
NVSENTINEL_ACTIONS = {
    "RESTART_APP": "NONE",
    "IGNORE": "NONE",
    "RESET_GPU": "COMPONENT_RESET",
    "WORKFLOW_XID_48": "COMPONENT_RESET",
    "RESTART_BM": "RESTART_BM",
    "RESTART_VM": "RESTART_VM",
}

# XIDs whose action does not follow from the advice: NVSentinel decodes the line of an NVLink error, and XID 154 names the action.
NVSENTINEL_EXCEPTIONS = {
    144: "COMPONENT_RESET",
    146: "COMPONENT_RESET",
    147: "NONE",
    148: "NONE",
    149: "COMPONENT_RESET",
    150: "COMPONENT_RESET",
    154: "COMPONENT_RESET",
}


def named(detectors: list[Detector]) -> list:
    return [pytest.param(detector, id=detector.name) for detector in detectors]


def sightings(detector: Detector, lines: list[str] | tuple[str, ...], writer: str = KERNEL) -> list[Sighting]:
    return [seen for line in lines if (seen := detector.sight(line, writer))]


def errors_of(detector: Detector, item: Printed, entry: Entry) -> list[str]:
    """Returns what is wrong with the XIDs that the detector finds in the lines of one XID."""
    seen = sightings(detector, item.lines)
    noticed = {sighting.xid for sighting in seen if verdict_of(detector, sighting)}
    companions = {matcher.xid for matcher in detector.matchers if matcher.xid} if entry.has_companion else set()
    expected = {item.xid} if detector.possible_verdicts(item.xid) else set()
    where = f"XID {item.xid}, driver {item.branch}"
    errors = (
        [] if expected <= noticed <= expected | companions else [f"{where}: found {sorted(noticed)} in {item.lines}"]
    )
    silent = [sighting for sighting in seen if sighting.xid in expected and not verdict_of(detector, sighting)]
    return errors + [f"{where}: no verdict for {sighting}" for sighting in silent]


def switch_lines(sxid: int) -> list[str]:
    outcome = cudafault("kernel-log", f"sxid:{sxid}", "--gpu", NVSWITCH, "--link", "30")
    assert outcome.code == 0, outcome.errors
    return outcome.output.splitlines()


def verdict_of(detector: Detector, sighting: Sighting) -> str:
    verdict = detector.verdict(sighting.xid, sighting.severity)
    return verdict.verdict if verdict else ""


def test_each_log_reader_of_the_table_is_known() -> None:
    assert len(XID_READERS) >= 6
    assert len(SXID_READERS) >= 2
    assert all(detector.reads in LOG_READERS for detector in READERS)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("detector", named(XID_READERS))
def test_detector_finds_each_xid_that_it_handles(
    detector: Detector, branch: int, printed: list[Printed], catalog: dict[int, Entry]
) -> None:
    items = [item for item in printed if item.branch == branch]
    assert len(items) > 70
    assert [error for item in items for error in errors_of(detector, item, catalog[item.xid])] == []


@pytest.mark.parametrize("detector", named(XID_READERS))
def test_listed_xids_are_in_the_catalog_or_reserved(detector: Detector, catalog: dict[int, Entry]) -> None:
    for xid in detector.listed_xids() - catalog.keys():
        assert f"XID {xid} is reserved" in kernel_log(xid, 570).errors


@pytest.mark.parametrize(
    ("name", "xid", "branch", "verdict"),
    [
        ("gpud", 79, 535, "fatal"),
        ("gpud", 154, 570, "warning"),
        ("gpud", 149, 580, "fatal"),
        ("gpud", 145, 580, "warning"),
        ("gpud", 146, 570, "fatal"),
        ("gpud", 146, 580, "warning"),
        ("nvsentinel", 48, 550, "COMPONENT_RESET"),
        ("nvsentinel", 79, 615, "RESTART_BM"),
        ("nvsentinel", 147, 570, "NONE"),
        ("nvsentinel", 171, 570, "CONTACT_SUPPORT"),
        ("dcgm-kmsg", 119, 595, "FAIL, NVML stops"),
        ("azure-nhc", 74, 570, "failed"),
        ("gcm", 92, 570, "WARN"),
        ("gcm", 95, 570, "CRITICAL"),
        ("datadog", 94, 570, "event with details"),
    ],
)
def test_verdict_for_a_line(name: str, xid: int, branch: int, verdict: str) -> None:
    detector = TABLE.find(name)
    seen = sightings(detector, lines_of(xid, branch))
    assert verdict in {verdict_of(detector, sighting) for sighting in seen if sighting.xid == xid}


def test_nvsentinel_follows_the_advice_of_the_catalog(catalog: dict[int, Entry]) -> None:
    detector = TABLE.find("nvsentinel")
    expected = {xid: NVSENTINEL_ACTIONS.get(entry.advice, "CONTACT_SUPPORT") for xid, entry in catalog.items()}
    found = {xid: verdict_of(detector, Sighting(xid, None)) for xid in catalog}
    assert {xid: verdict for xid, verdict in found.items() if verdict != expected[xid]} == NVSENTINEL_EXCEPTIONS


@pytest.mark.parametrize("control", TABLE.controls)
@pytest.mark.parametrize("detector", named(XID_READERS))
def test_control_keeps_the_gpu_in_service(detector: Detector, control: int, printed: list[Printed]) -> None:
    seen = {sighting for item in printed if item.xid == control for sighting in sightings(detector, item.lines)}
    verdicts = [detector.verdict(sighting.xid, sighting.severity) for sighting in seen]
    alarms = {verdict.out_of_service for verdict in verdicts if verdict}
    assert (True in alarms) == (control in detector.false_alarms)


@pytest.mark.parametrize(
    ("detector", "form"),
    [
        pytest.param(detector, form, id=f"{detector.name}-{form}")
        for detector in XID_READERS
        for form in detector.accepts + detector.rejects
    ],
)
def test_form_of_a_line(detector: Detector, form: str) -> None:
    line = TABLE.forms[form]
    seen = detector.sight(line.text, line.writer)
    assert (seen is not None) == (form in detector.accepts)
    assert seen is None or seen.xid == 79


@pytest.mark.parametrize("branch", BRANCHES)
def test_form_of_the_driver_is_the_line_of_cudafault(branch: int) -> None:
    line = lines_of(79, branch)[0]
    assert line.replace("pid='<unknown>', name=<unknown>, ", "") == TABLE.forms["driver"].text


def test_mig_form_is_the_line_of_cudafault() -> None:
    assert lines_of(79, 570, "--mig", "5")[0] == TABLE.forms["mig"].text


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("xid", [13, 79, 119, 120])
def test_record_is_the_line_with_a_prefix(xid: int, branch: int) -> None:
    found = [RECORD.fullmatch(record) for record in lines_of(xid, branch, "--format", "record")]
    assert [match and match[1] for match in found] == lines_of(xid, branch)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("xid", [79, 119, 120])
def test_dcgm_matches_the_record_of_cudafault(xid: int, branch: int) -> None:
    """The matcher is applied to the whole record, with the line break at its end."""
    matcher = TABLE.find("dcgm-kmsg").matchers[0].regex
    records = lines_of(xid, branch, "--format", "record")
    found = [match for record in records if (match := matcher.fullmatch(record + "\n"))]
    assert {(int(match["xid"]), match["pci"]) for match in found} == {(xid, "0000:65:00")}


def test_branch_that_does_not_print_an_xid_is_refused() -> None:
    outcome = kernel_log(149, 550)
    assert outcome.code == 2
    assert "driver 550 does not print XID 149" in outcome.errors


@pytest.mark.parametrize("xid", [79, 119, 145])
def test_journald_option_adds_a_line_that_survives_journald(xid: int) -> None:
    detector = TABLE.find("nvsentinel")
    plain, both = lines_of(xid, 580), lines_of(xid, 580, "--journald")
    assert both == [line for text in plain for line in (text, f"kernel: {text}")]
    assert sightings(detector, plain, PROGRAM) == []
    assert sightings(detector, both, PROGRAM) == sightings(detector, plain, KERNEL)


@pytest.mark.parametrize("sxid", SXIDS)
@pytest.mark.parametrize("detector", named(SXID_READERS))
def test_detector_finds_sxid(detector: Detector, sxid: int) -> None:
    seen = sightings(detector, switch_lines(sxid))
    assert {sighting.xid for sighting in seen} == {sxid}
    assert all(verdict_of(detector, sighting) for sighting in seen)


@pytest.mark.parametrize(
    ("sxid", "verdict"), [(20034, "CONTACT_SUPPORT"), (24007, "CONTACT_SUPPORT"), (12028, "NONE"), (19084, "NONE")]
)
def test_nvsentinel_follows_the_severity_of_an_sxid(sxid: int, verdict: str) -> None:
    detector = TABLE.find("nvsentinel-sxid")
    assert [verdict_of(detector, seen) for seen in sightings(detector, switch_lines(sxid))] == [verdict]


@pytest.mark.parametrize("detector", named(XID_READERS))
def test_sxid_is_not_an_xid(detector: Detector) -> None:
    assert sightings(detector, switch_lines(20034)) == []
