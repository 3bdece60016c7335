# SPDX-License-Identifier: Apache-2.0
"""Runs numba-cuda on simulated GPUs, arms faults while it computes, and checks the exceptions."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from reporting import XID_CODES, Checks, ReportingRun, check_fault, check_healthy

# Launches use cuda-core, whose exceptions contain the name of the error instead of its code.
DRIVER_NAMES = {
    100: "CUDA_ERROR_NO_DEVICE",
    214: "CUDA_ERROR_ECC_UNCORRECTABLE",
    217: "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
    702: "CUDA_ERROR_LAUNCH_TIMEOUT",
    719: "CUDA_ERROR_LAUNCH_FAILED",
    999: "CUDA_ERROR_UNKNOWN",
}


def check_computing(checks: Checks) -> None:
    run = ReportingRun(sys.executable, HERE / "computing.py")
    for operation in ("allocation", "copy", "launch", "synchronization"):
        checks.expect(f"{operation} works", run.reaches(operation, "works"), run.tail())
    for xid, code in XID_CODES.items():
        broken = dict.fromkeys(("allocation", "copy", "synchronization"), f"CudaAPIError {code}")
        broken["launch"] = f"CUDAError {DRIVER_NAMES[code]}"
        check_fault(checks, run, f"xid={xid}", broken, "works")
    check_fault(checks, run, "error=719 calls=cuLaunchKernel*", {"launch": f"CUDAError {DRIVER_NAMES[719]}"}, "works")
    check_fault(checks, run, "error=719 calls=cuMemAlloc*", {"allocation": "CudaAPIError 719"}, "works")
    checks.expect("the program exits with 0", run.stop() == 0, run.tail())


def main() -> None:
    checks = Checks()
    check_healthy(checks, HERE / "healthy.py")
    check_computing(checks)
    checks.finish()


main()
