# SPDX-License-Identifier: Apache-2.0
"""Runs numba-cuda on simulated GPUs, arms faults while it computes, and checks the exceptions."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]
from harness import Checks, select_tests
from reporting import XID_CODES, ReportingRun, check_fault, check_healthy

# Launches use cuda-core, whose exceptions contain the name of the error instead of its code.
DRIVER_NAMES = {
    100: "CUDA_ERROR_NO_DEVICE",
    214: "CUDA_ERROR_ECC_UNCORRECTABLE",
    217: "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
    702: "CUDA_ERROR_LAUNCH_TIMEOUT",
    719: "CUDA_ERROR_LAUNCH_FAILED",
    999: "CUDA_ERROR_UNKNOWN",
}


def outcomes_of_xid(code: int) -> dict[str, str]:
    failed = dict.fromkeys(("allocation", "copy", "synchronization"), f"CudaAPIError {code}")
    return failed | {"launch": f"CUDAError {DRIVER_NAMES[code]}"}


# The outcomes of the operations while a spec is armed.
FAULTS = {
    **{f"xid={xid}": outcomes_of_xid(code) for xid, code in XID_CODES.items()},
    "error=719 calls=cuLaunchKernel*": {"launch": f"CUDAError {DRIVER_NAMES[719]}"},
    "error=719 calls=cuMemAlloc*": {"allocation": "CudaAPIError 719"},
}


def check_computing(checks: Checks, specs: list[str]) -> None:
    run = ReportingRun(sys.executable, HERE / "computing.py")
    for operation in ("allocation", "copy", "launch", "synchronization"):
        checks.expect(f"{operation} works", run.reaches(operation, "works"), run.tail())
    for spec in specs:
        check_fault(checks, run, spec, FAULTS[spec], "works")
    checks.expect("the program exits with 0", run.stop() == 0, run.tail())


def main() -> None:
    selected = select_tests(__doc__, ["healthy", *FAULTS])
    checks = Checks()
    if "healthy" in selected:
        check_healthy(checks, HERE / "healthy.py")
    if specs := [spec for spec in FAULTS if spec in selected]:
        check_computing(checks, specs)
    checks.finish()


main()
