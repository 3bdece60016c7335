# SPDX-License-Identifier: Apache-2.0
"""Compares the XIDs that the readers of NVML act on with the NVML events and recovery actions of the catalog. No detector is
run, and no event is delivered."""

import pytest
from detector_table import Detector
from detectors.kernel_log import TABLE, Entry

READERS = [detector for detector in TABLE.detectors if detector.reads == "nvml_event"]
CONTROLS = TABLE.controls
APPLICATION_ERRORS = {13, 31, 43, 45, 68, 109}

# XIDs that detectors list although the catalog has no NVML event for them, or no entry because they are unused.
WITHOUT_EVENT = {"eks": {142}, "dcgm": {56, 57, 58, 73}}

# The XIDs with an NVML event that take a GPU out of service, and for detectors that react to all others, those that do not.
UNHEALTHY = {
    "dcgm": {48, 64, 74, 79, 95, 119, 120, 140},
    "gke": {48},
    "eks": {46, 48, 54, 62, 63, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 143, 151, 155, 156, 158},
    "sichek": {31, 48, 63, 64, 74, 79, 92, 94, 95},
}
HEALTHY = {"k8s-device-plugin": APPLICATION_ERRORS, "dra-driver": APPLICATION_ERRORS}


def named(detectors: list[Detector]) -> list:
    return [pytest.param(detector, id=detector.name) for detector in detectors]


def is_unhealthy(detector: Detector, xid: int) -> bool:
    verdict = detector.verdict(xid)
    return verdict is not None and verdict.out_of_service


def test_each_event_reader_has_an_expectation() -> None:
    assert {detector.name for detector in READERS} == UNHEALTHY.keys() | HEALTHY.keys()


@pytest.mark.parametrize("detector", named(READERS))
def test_unhealthy_xids(detector: Detector, catalog: dict[int, Entry]) -> None:
    events = {xid for xid, entry in catalog.items() if entry.has_event}
    expected = UNHEALTHY.get(detector.name) or events - HEALTHY[detector.name]
    assert {xid for xid in events if is_unhealthy(detector, xid)} == expected


@pytest.mark.parametrize("detector", named(READERS))
def test_listed_xids_have_an_event(detector: Detector, catalog: dict[int, Entry]) -> None:
    events = {xid for xid, entry in catalog.items() if entry.has_event}
    assert detector.listed_xids() - events == WITHOUT_EVENT.get(detector.name, set())


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("detector", named(READERS))
def test_control_keeps_the_gpu_in_service(detector: Detector, control: int, catalog: dict[int, Entry]) -> None:
    assert catalog[control].has_event
    assert is_unhealthy(detector, control) == (control in detector.false_alarms)


def test_xids_with_a_recovery_action(catalog: dict[int, Entry]) -> None:
    """A reader of the recovery action, such as sichek, notices an XID that leaves an action other than none behind."""
    noticed = {xid for xid, entry in catalog.items() if entry.action not in ("", "none")}
    assert {79, 95, 119} <= noticed
    assert not noticed & {*CONTROLS, 63, 94}
