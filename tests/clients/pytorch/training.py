# SPDX-License-Identifier: Apache-2.0
"""Trains on two GPUs until standard input ends, and reports each change between success and failure. A failed step is
repeated, as in a program that retries its steps."""

import sys
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reporting import report_changes


def train_step(device: str) -> None:
    target = torch.arange(4096, dtype=torch.float32).to(device)
    weight = torch.ones(4096, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    loss = ((weight * target - 1) ** 2).mean()
    loss.backward()
    optimizer.step()
    loss.item()
    torch.cuda.synchronize(device)


def attempt(device: str) -> str:
    try:
        torch.cuda.empty_cache()  # otherwise the cache hides a fault in cudaMalloc
        train_step(device)
        return "trains"
    except torch.OutOfMemoryError as error:
        return f"OutOfMemoryError {str(error).splitlines()[0]}"
    except torch.AcceleratorError as error:
        return f"AcceleratorError {error.error_code} {str(error).splitlines()[0]}"


report_changes({device: partial(attempt, device) for device in ("cuda:0", "cuda:1")})
