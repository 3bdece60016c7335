# SPDX-License-Identifier: Apache-2.0
"""Run an elementwise training loop in PyTorch. Read a number of steps from standard input, run these steps, print their
duration in seconds, and repeat. bench/run alternates between one copy with libcudafault.so and one without."""
import sys
import time

import torch

torch.manual_seed(0)
weight = torch.rand(1 << 12, device="cuda", requires_grad=True)
inputs = torch.rand(1 << 12, device="cuda")
optimizer = torch.optim.SGD([weight], lr=1e-3, momentum=0.9)


def step():
    optimizer.zero_grad()
    loss = ((torch.sigmoid(weight * inputs) - inputs) ** 2).mean()
    loss.backward()
    optimizer.step()


def main():
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            step()
        torch.cuda.synchronize()
        print(time.perf_counter() - started, flush=True)


main()
