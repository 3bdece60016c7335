# SPDX-License-Identifier: Apache-2.0
"""Runs PyTorch on two simulated GPUs, arms faults while it trains, and checks the exceptions."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from reporting import XID_CODES, Checks, ReportingRun, check_fault, check_healthy

GPUS = ("cuda:0", "cuda:1")


def check_code(checks: Checks, run: ReportingRun, spec: str, code: int) -> None:
    check_fault(checks, run, spec, {gpu: f"AcceleratorError {code} CUDA error: " for gpu in GPUS}, "trains")


def check_one_gpu(checks: Checks, run: ReportingRun) -> None:
    before = run.history("cuda:0")
    check_fault(checks, run, "xid=79 gpu=1", {"cuda:1": "AcceleratorError 100 "}, "trains")
    checks.expect("xid=79 gpu=1: cuda:0 is not affected", run.history("cuda:0") == before, run.tail())


def check_training(checks: Checks) -> None:
    run = ReportingRun(sys.executable, HERE / "training.py")
    for gpu in GPUS:
        checks.expect(f"{gpu} trains", run.reaches(gpu, "trains"), run.tail())
    for xid, code in XID_CODES.items():
        check_code(checks, run, f"xid={xid}", code)
    # PyTorch reads the failure of a launch only from cudaGetLastError.
    check_code(checks, run, "error=CUDA_ERROR_LAUNCH_FAILED calls=@launch", 719)
    check_code(checks, run, "xid=43 calls=@sync", 702)
    check_code(checks, run, "xid=48 calls=@copy", 214)
    check_one_gpu(checks, run)
    no_memory = "error=cudaErrorMemoryAllocation calls=cudaMalloc"
    check_fault(checks, run, no_memory, {gpu: "OutOfMemoryError CUDA out of memory" for gpu in GPUS}, "trains")
    checks.expect("the training program exits with 0", run.stop() == 0, run.tail())


def main() -> None:
    checks = Checks()
    check_healthy(checks, HERE / "healthy.py")
    check_training(checks)
    checks.finish()


main()
