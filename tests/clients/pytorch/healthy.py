# SPDX-License-Identifier: Apache-2.0
"""Checks the functions of PyTorch on simulated GPUs, and prints PASS or FAIL for each. Simulated GPUs do not
execute kernels, so the results of kernels are not checked."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reporting import run_checks

CHECKS: list = []


def check(function):
    CHECKS.append(function)
    return function


@check
def cuda_is_available():
    assert torch.cuda.is_available()


@check
def both_gpus_are_counted():
    assert torch.cuda.device_count() == 2


@check
def device_properties_agree():
    properties = torch.cuda.get_device_properties(1)
    assert properties.name == torch.cuda.get_device_name(1) and properties.name
    assert properties.total_memory > 1 << 30 and properties.multi_processor_count > 0
    assert (properties.major, properties.minor) == torch.cuda.get_device_capability(1)


@check
def copy_to_gpu_and_back_keeps_data():
    data = torch.arange(1000, dtype=torch.float32)
    assert torch.equal(data.cuda().cpu(), data)


@check
def copy_between_gpus_keeps_data():
    data = torch.arange(1000, dtype=torch.int64)
    assert torch.equal(data.to("cuda:0").to("cuda:1").cpu(), data)


@check
def copy_from_pinned_memory_keeps_data():
    data = torch.arange(1000, dtype=torch.int32).pin_memory()
    copied = data.to("cuda", non_blocking=True)
    torch.cuda.synchronize()
    assert data.is_pinned() and torch.equal(copied.cpu(), data)


@check
def zeros_are_zero():
    assert torch.zeros(100, device="cuda").cpu().abs().sum().item() == 0


@check
def allocated_memory_is_counted():
    before = torch.cuda.memory_allocated(0)
    block = torch.empty(1 << 20, dtype=torch.uint8, device="cuda:0")
    assert torch.cuda.memory_allocated(0) == before + block.numel()
    free, total = torch.cuda.mem_get_info(0)
    assert 0 < free < total


@check
def allocation_beyond_memory_fails():
    try:
        torch.empty(1 << 45, dtype=torch.uint8, device="cuda:0")
    except torch.OutOfMemoryError as error:
        assert "CUDA out of memory" in str(error)
    else:
        raise AssertionError("32 TiB were allocated")


@check
def streams_and_events_succeed():
    stream = torch.cuda.Stream()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with torch.cuda.stream(stream):
        start.record()
        torch.ones(1000, device="cuda").add_(1)
        end.record()
    torch.cuda.current_stream().wait_stream(stream)
    end.synchronize()
    assert end.query() and start.elapsed_time(end) >= 0


@check
def graph_capture_and_replay_succeed():
    data = torch.ones(1000, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        data.mul_(2).add_(1)
    for _ in range(3):
        graph.replay()
    torch.cuda.synchronize()


@check
def elementwise_and_random_operations_succeed():
    x = torch.rand(1000, device="cuda")
    torch.softmax(torch.sin(x) * x + x.sqrt(), dim=0).sum().item()
    assert repr(x[:3]).startswith("tensor(")


@check
def autograd_and_sgd_succeed():
    weight = torch.ones(1000, device="cuda", requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        ((weight * 2 - 1) ** 2).mean().backward()
        optimizer.step()
    assert weight.grad is not None and weight.grad.device.type == "cuda"


@check
def peer_access_can_be_queried():
    torch.cuda.can_device_access_peer(0, 1)


@check
def invalid_device_fails():
    try:
        torch.zeros(1, device="cuda:7")
    except torch.AcceleratorError as error:
        assert error.error_code == 101
    else:
        raise AssertionError("cuda:7 was accepted")


run_checks(CHECKS)
