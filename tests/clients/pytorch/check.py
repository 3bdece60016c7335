# SPDX-License-Identifier: Apache-2.0
"""Runs PyTorch on two simulated GPUs, arms faults while it trains, and checks the exceptions."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]
from harness import Checks, select_tests
from reporting import XID_CODES, ReportingRun, check_fault, check_healthy

GPUS = ("cuda:0", "cuda:1")


def errors_with_code(code: int) -> dict[str, str]:
    return {gpu: f"AcceleratorError {code} CUDA error: " for gpu in GPUS}


# The outcomes of the GPUs while a spec is armed. A GPU without an outcome is not affected.
FAULTS = {
    **{f"xid={xid}": errors_with_code(code) for xid, code in XID_CODES.items()},
    # PyTorch reads the failure of a launch only from cudaGetLastError.
    "error=CUDA_ERROR_LAUNCH_FAILED calls=@launch": errors_with_code(719),
    "error=719 calls=cuLaunchKernel*,cudaLaunchKernel*": errors_with_code(719),  # of docs/plans.md
    "xid=43 calls=@sync": errors_with_code(702),
    "xid=48 calls=@copy": errors_with_code(214),
    "xid=79 gpu=1": {"cuda:1": "AcceleratorError 100 "},
    "error=cudaErrorMemoryAllocation calls=cudaMalloc": {gpu: "OutOfMemoryError CUDA out of memory" for gpu in GPUS},
}


def check_spec(checks: Checks, run: ReportingRun, spec: str) -> None:
    before = {gpu: run.history(gpu) for gpu in GPUS if gpu not in FAULTS[spec]}
    check_fault(checks, run, spec, FAULTS[spec], "trains")
    for gpu, history in before.items():
        checks.expect(f"{spec}: {gpu} is not affected", run.history(gpu) == history, run.tail())


def check_training(checks: Checks, specs: list[str]) -> None:
    run = ReportingRun(sys.executable, HERE / "training.py")
    for gpu in GPUS:
        checks.expect(f"{gpu} trains", run.reaches(gpu, "trains"), run.tail())
    for spec in specs:
        check_spec(checks, run, spec)
    checks.expect("the training program exits with 0", run.stop() == 0, run.tail())


def main() -> None:
    selected = select_tests(__doc__, ["healthy", *FAULTS])
    checks = Checks()
    if "healthy" in selected:
        check_healthy(checks, HERE / "healthy.py")
    if specs := [spec for spec in FAULTS if spec in selected]:
        check_training(checks, specs)
    checks.finish()


main()
