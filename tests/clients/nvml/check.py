# SPDX-License-Identifier: Apache-2.0
"""Runs nvidia-ml-py on simulated GPUs, without a fault and with a lost GPU."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from reporting import Checks, ReportingRun, check_fault

LOST = "NVMLError_GpuIsLost GPU is lost"


def check_start(checks: Checks, run: ReportingRun) -> None:
    for name, outcome in (("driver", "5"), ("count", "2"), ("memory:0", "total "), ("memory:1", "total ")):
        checks.expect(f"healthy: {name} {outcome}", run.reaches(name, outcome), run.tail())
    identities = {run.outcomes.get("gpu:0"), run.outcomes.get("gpu:1")}
    checks.expect("healthy: the two GPUs have different identities", len(identities - {None}) == 2, identities)


def check_one_lost(checks: Checks, run: ReportingRun) -> None:
    before = run.history("memory:0")
    spec = "error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGetMemoryInfo gpu=1"
    check_fault(checks, run, spec, {"memory:1": LOST}, "total ")
    checks.expect("gpu=1: the first GPU is not affected", run.history("memory:0") == before, run.tail())


def main() -> None:
    checks = Checks()
    run = ReportingRun(sys.executable, HERE / "watching.py")
    check_start(checks, run)
    spec = "error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGetMemoryInfo"
    check_fault(checks, run, spec, {"memory:0": LOST, "memory:1": LOST}, "total ")
    check_one_lost(checks, run)
    checks.expect("the program exits with 0", run.stop() == 0, run.tail())
    checks.finish()


main()
