# SPDX-License-Identifier: Apache-2.0
"""Runs nvidia-ml-py on simulated GPUs, without a fault and with a lost GPU."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]
from harness import Checks, select_tests
from reporting import ReportingRun, check_fault

LOST = "NVMLError_GpuIsLost GPU is lost"
MEMORY = ("memory:0", "memory:1")
# The outcomes while a spec is armed. The memory of another GPU is not affected.
FAULTS = {
    "error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGetMemoryInfo": dict.fromkeys(MEMORY, LOST),
    "error=NVML_ERROR_GPU_IS_LOST calls=nvmlDeviceGetMemoryInfo gpu=1": {"memory:1": LOST},
}


def check_start(checks: Checks, run: ReportingRun) -> None:
    for name, outcome in (("driver", "5"), ("count", "2"), ("memory:0", "total "), ("memory:1", "total ")):
        checks.expect(f"healthy: {name} {outcome}", run.reaches(name, outcome), run.tail())
    identities = {run.outcomes.get("gpu:0"), run.outcomes.get("gpu:1")}
    checks.expect("healthy: the two GPUs have different identities", len(identities - {None}) == 2, identities)


def check_spec(checks: Checks, run: ReportingRun, spec: str) -> None:
    before = {name: run.history(name) for name in MEMORY if name not in FAULTS[spec]}
    check_fault(checks, run, spec, FAULTS[spec], "total ")
    for name, history in before.items():
        checks.expect(f"{spec}: {name} is not affected", run.history(name) == history, run.tail())


def main() -> None:
    selected = select_tests(__doc__, ["healthy", *FAULTS])
    checks = Checks()
    if selected:
        run = ReportingRun(sys.executable, HERE / "watching.py")
        check_start(checks, run)
        for spec in [spec for spec in FAULTS if spec in selected]:
            check_spec(checks, run, spec)
        checks.expect("the program exits with 0", run.stop() == 0, run.tail())
    checks.finish()


main()
