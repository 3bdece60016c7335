# SPDX-License-Identifier: Apache-2.0
"""Tests that every accepted plan of docs/plans.md fires on simulated GPUs."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from harness import Run, cudafault

HERE = Path(__file__).parent
PAGE = (HERE.parent.parent / "docs" / "plans.md").read_text()
PLANS = [line for block in re.findall(r"^```spec\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines() if line]
SECONDS = 30
# The rank, node and pod that the plans name.
ENVIRONMENT = {"RANK": "3", "CUDAFAULT_NODE": "gpu-node-7", "CUDAFAULT_POD": "vllm-decode-0"}


def first_gpu() -> tuple[str, str]:
    """Returns the UUID and PCI ID of the first simulated GPU, from the error message for an absent GPU."""
    refused = cudafault("check", "--gpus", "sim:1", "xid=79 gpu=9").errors
    found = re.search(r"such as (GPU-\S+) or (\S+)", refused)
    assert found, refused
    return found[1], found[2]


def adapt_plan(plan: str) -> str:
    """Returns the plan for simulated GPUs, with short durations and high probabilities, so that tests are short."""
    uuid, pci = first_gpu()
    plan = re.sub(r"\b(after|mtbf)=([\d.]+)(s|m|h)\b", r"\1=\2ms", plan)
    plan = re.sub(r"probability=(1e-6|0\.001)\b", "probability=0.01", plan)
    plan = re.sub(r"gpu=GPU-[0-9a-f-]{36}", f"gpu={uuid}", plan)
    plan = re.sub(r"gpu=GPU-[0-9a-f]{1,8}(?!\S)", f"gpu={uuid[:8]}", plan)
    return plan.replace("gpu=0000:65:00.0", f"gpu={pci}")


def fired(name: str) -> list[int]:
    outcome = cudafault("status", name, "--json")
    plan = json.loads(outcome.output)["plan"] if outcome.code == 0 else None
    return [fault["fired"] for fault in (plan or {}).get("faults", [])]


@pytest.fixture(scope="module")
def nccl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds a library with the only NCCL function that the page uses."""
    library = tmp_path_factory.mktemp("nccl") / "libnccl.so.2"
    source = "int ncclAllReduce(void) { return 0; }"
    command: list[str | Path] = ["cc", "-xc", "-", "-shared", "-fPIC", "-Wl,-soname,libnccl.so.2", "-o", library]
    subprocess.run(command, input=source, text=True, check=True)
    return library


@pytest.mark.parametrize("plan", PLANS)
def test_plan_fires(plan: str, nccl: Path, tmp_path: Path) -> None:
    program = tmp_path / "train_model.py"
    shutil.copy(HERE / "firing_client.py", program)
    options = ["--plan", adapt_plan(plan)]
    with Run("python3", program, nccl, SECONDS, gpus="sim:4", options=options, environment=ENVIRONMENT) as run:
        try:
            deadline = time.monotonic() + SECONDS
            while not (counts := fired(run.name)) or not all(counts):
                assert time.monotonic() < deadline, f"{adapt_plan(plan)}: fired {counts} {run.errors()}"
                time.sleep(0.05)
        finally:
            os.killpg(run.pid, signal.SIGKILL)  # also kills the client, which would occupy a core
