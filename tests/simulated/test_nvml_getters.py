# SPDX-License-Identifier: Apache-2.0
"""Tests that the getters of nvidia-ml-py that succeed on a data center GPU also succeed on simulated GPUs."""

import json
from pathlib import Path

import pytest
from harness import BUILD, create_python, cudafault, pinned_requirement

# Calls each getter with a device argument or without arguments, and prints the results as JSON.
CALL_ALL = """
import inspect, json, pynvml
pynvml.nvmlInit()
gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
results = {}
for name, function in inspect.getmembers(pynvml, inspect.isfunction):
    if not name.startswith(("nvmlDeviceGet", "nvmlSystemGet", "nvmlGpmQuery")):
        continue
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    if len(required) > 1 or (required and required[0].name not in ("handle", "device")):
        continue
    try:
        function(*([gpu] if required else []))
        results[name] = "success"
    except pynvml.NVMLError as error:
        results[name] = type(error).__name__
    except Exception as error:
        results[name] = f"{type(error).__name__}: {error}"
print(json.dumps(results))
"""

# Getters that fail in the simulation: those for features that these GPUs do not have (Windows driver models, fans, clock
# offsets, encryption), for vGPUs, and for a MIG device. On an A100, newer getters fail too.
FAILING = """
nvmlDeviceGetActiveVgpus nvmlDeviceGetAutoBoostedClocksEnabled nvmlDeviceGetBridgeChipInfo nvmlDeviceGetClkMonStatus
nvmlDeviceGetComputeInstanceId nvmlDeviceGetConfComputeGpuCertificate nvmlDeviceGetCoolerInfo
nvmlDeviceGetCreatableVgpus nvmlDeviceGetCurrentClockFreqs nvmlDeviceGetCurrentDramEncryptionMode
nvmlDeviceGetCurrentDriverModel nvmlDeviceGetCurrentGpuOperationMode nvmlDeviceGetDramEncryptionMode
nvmlDeviceGetDriverModel nvmlDeviceGetDriverModel_v1 nvmlDeviceGetDriverModel_v2 nvmlDeviceGetFanSpeed
nvmlDeviceGetFanSpeedRPM nvmlDeviceGetGpcClkMinMaxVfOffset nvmlDeviceGetGpcClkVfOffset nvmlDeviceGetGpuInstanceId
nvmlDeviceGetGpuOperationMode nvmlDeviceGetGridLicensableFeatures nvmlDeviceGetGridLicensableFeatures_v4
nvmlDeviceGetHostVgpuMode nvmlDeviceGetHostname_v1 nvmlDeviceGetMemClkMinMaxVfOffset nvmlDeviceGetMemClkVfOffset
nvmlDeviceGetMinMaxFanSpeed nvmlDeviceGetPendingDramEncryptionMode nvmlDeviceGetPendingDriverModel
nvmlDeviceGetPendingGpuOperationMode nvmlDeviceGetPerformanceModes nvmlDeviceGetPgpuMetadataString
nvmlDeviceGetSupportedVgpus nvmlDeviceGetVgpuHeterogeneousMode nvmlDeviceGetVgpuMetadata
nvmlDeviceGetVgpuSchedulerCapabilities nvmlDeviceGetVgpuSchedulerLog nvmlDeviceGetVgpuSchedulerState
""".split()
FAILING_ON_A100 = """
nvmlDeviceGetBBXTimeData_v1 nvmlDeviceGetC2cModeInfoV nvmlDeviceGetC2cModeInfoV1 nvmlDeviceGetConfComputeMemSizeInfo
nvmlDeviceGetConfComputeProtectedMemoryUsage nvmlDeviceGetMarginTemperature nvmlDeviceGetPdi nvmlDeviceGetRepairStatus
nvmlGpmQueryIfStreamingEnabled
""".split()


@pytest.fixture(scope="module")
def python() -> Path:
    return create_python(BUILD / "clients" / "nvml-getters", pinned_requirement("nvidia-ml-py"))


@pytest.mark.parametrize("model", ["A100", "B200", "H100", "H200"])
def test_getters_of_data_center_gpu_succeed(model, python):
    outcome = cudafault("run", "--gpus", f"sim:{model}", "--", python, "-c", CALL_ALL)
    assert outcome.code == 0, outcome
    results = json.loads(outcome.output)
    failing = {name for name, result in results.items() if result != "success"}
    assert failing == {*FAILING, *(FAILING_ON_A100 if model == "A100" else ())}
    crashed = {name: result for name, result in results.items() if ": " in result}
    assert not crashed
