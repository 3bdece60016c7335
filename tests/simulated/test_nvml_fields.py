# SPDX-License-Identifier: Apache-2.0
"""Tests that the fields of nvmlDeviceGetFieldValues have the values that the getters for the same properties return."""

import json
from pathlib import Path

import pytest
from harness import BUILD, create_python, cudafault, pinned_requirement

# Prints, for each field, its status, type and value; and the values that the getters for the same properties return.
CLIENT = """
import json, pynvml
pynvml.nvmlInit()
gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
names = [name for name in dir(pynvml) if name.startswith("NVML_FI_DEV_")]
def value_of(field):
    kind = {0: "dVal", 1: "uiVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}[field.valueType]
    return getattr(field.value, kind)
values = pynvml.nvmlDeviceGetFieldValues(gpu, [getattr(pynvml, name) for name in names])
fields = {name: [each.nvmlReturn, value_of(each)] for name, each in zip(names, values)}
def result_of(getter, *arguments):
    try:
        return getattr(pynvml, getter)(gpu, *arguments)
    except pynvml.NVMLError as error:
        return error.value
ecc, least_most = result_of("nvmlDeviceGetEccMode"), result_of("nvmlDeviceGetPowerManagementLimitConstraints")
rows = result_of("nvmlDeviceGetRemappedRows")
links = [result_of("nvmlDeviceGetNvLinkState", link) for link in range(18)]
getters = {
    "ECC_CURRENT": ecc[0], "ECC_PENDING": ecc[1],
    "ECC_DBE_VOL_TOTAL": result_of("nvmlDeviceGetTotalEccErrors", 1, 0),
    "ECC_SBE_AGG_TOTAL": result_of("nvmlDeviceGetTotalEccErrors", 0, 1),
    "RETIRED_PENDING": result_of("nvmlDeviceGetRetiredPagesPendingStatus"),
    "PCIE_REPLAY_COUNTER": result_of("nvmlDeviceGetPcieReplayCounter"),
    "POWER_INSTANT": result_of("nvmlDeviceGetPowerUsage"),
    "POWER_MIN_LIMIT": least_most[0], "POWER_MAX_LIMIT": least_most[1],
    "POWER_DEFAULT_LIMIT": result_of("nvmlDeviceGetPowerManagementDefaultLimit"),
    "POWER_CURRENT_LIMIT": result_of("nvmlDeviceGetEnforcedPowerLimit"),
    "REMAPPED_COR": rows[0], "REMAPPED_UNC": rows[1], "REMAPPED_PENDING": rows[2], "REMAPPED_FAILURE": rows[3],
    "NVLINK_LINK_COUNT": sum(state == 1 for state in links),
    "PERF_POLICY_POWER": result_of("nvmlDeviceGetViolationStatus", 0).violationTime,
    "NVLINK_GET_VERSION": result_of("nvmlDeviceGetNvLinkVersion", 0),
    "NVLINK_GET_STATE": links[0],
    "TOTAL_ENERGY_CONSUMPTION": result_of("nvmlDeviceGetTotalEnergyConsumption"),
}
unknown = [field.nvmlReturn for field in pynvml.nvmlDeviceGetFieldValues(gpu, [9999, 65])]
by_link = [field.nvmlReturn for field in pynvml.nvmlDeviceGetFieldValues(gpu, [(165, 0), (165, 17), (165, 99)])]
print(json.dumps({"fields": fields, "getters": getters, "unknown": unknown, "by_link": by_link}))
"""

NOT_SUPPORTED, INVALID_ARGUMENT = 3, 2
# The status of the field NVLINK_GET_STATE for links 0, 17 and 99. All other models have 18 links.
LINK_STATUS = {"A100": [0, INVALID_ARGUMENT, INVALID_ARGUMENT], "L4": [NOT_SUPPORTED] * 3}


@pytest.fixture(scope="module")
def python() -> Path:
    return create_python(BUILD / "clients" / "nvml-getters", pinned_requirement("nvidia-ml-py"))


@pytest.mark.parametrize("model", ["A100", "B200", "H100", "H200", "L4"])
def test_fields_agree_with_getters(model, python):
    outcome = cudafault("run", "--gpus", f"sim:{model}", "--", python, "-c", CLIENT)
    assert outcome.code == 0, outcome
    report = json.loads(outcome.output)
    has_links = model != "L4"
    for name, expected in report["getters"].items():
        status, value = report["fields"][f"NVML_FI_DEV_{name}"]
        if name.startswith("NVLINK_GET") and not has_links:
            assert status == NOT_SUPPORTED, name
        elif name == "TOTAL_ENERGY_CONSUMPTION":
            assert status == 0
            assert 0 <= expected - value < 100_000, "the getter is called after the field is read"
        else:
            assert (status, value) == (0, expected), name
    assert report["unknown"] == [NOT_SUPPORTED, NOT_SUPPORTED]
    assert report["by_link"] == LINK_STATUS.get(model, [0, 0, INVALID_ARGUMENT])
    successful_fields = sum(status == 0 for status, _ in report["fields"].values())
    assert successful_fields > (150 if has_links else 60)
