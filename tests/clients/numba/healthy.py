# SPDX-License-Identifier: Apache-2.0
"""Checks the functions of numba-cuda on simulated GPUs, and prints PASS or FAIL for each."""

import sys
from pathlib import Path

import numpy as np
from numba import cuda

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reporting import run_checks

CHECKS: list = []


def check(function):
    CHECKS.append(function)
    return function


@cuda.jit
def add_one(array):
    i = cuda.grid(1)
    if i < array.size:
        array[i] += 1


@check
def gpus_are_found():
    assert cuda.is_available() and len(cuda.gpus) == 2


@check
def device_has_name_and_memory():
    device = cuda.get_current_device()
    free, total = cuda.current_context().get_memory_info()
    assert device.name and 0 < free <= total


@check
def copy_to_gpu_and_back_keeps_data():
    data = np.arange(1000, dtype=np.float32)
    assert (cuda.to_device(data).copy_to_host() == data).all()


@check
def kernel_is_compiled_and_launched():
    data = cuda.to_device(np.zeros(1000, dtype=np.float32))
    add_one[4, 256](data)
    cuda.synchronize()
    assert data.copy_to_host().shape == (1000,)


@check
def streams_and_events_succeed():
    stream = cuda.stream()
    start, end = cuda.event(), cuda.event()
    data = cuda.to_device(np.zeros(1000, dtype=np.float32), stream=stream)
    start.record(stream)
    add_one[4, 256, stream](data)
    end.record(stream)
    end.synchronize()
    assert cuda.event_elapsed_time(start, end) >= 0


@check
def copy_from_pinned_memory_keeps_data():
    data = cuda.pinned_array(1000, dtype=np.int32)
    data[:] = np.arange(1000)
    assert (cuda.to_device(data).copy_to_host() == np.arange(1000)).all()


@check
def copy_to_second_gpu_and_back_keeps_data():
    with cuda.gpus[1]:
        data = np.arange(10, dtype=np.int64)
        assert (cuda.to_device(data).copy_to_host() == data).all()


run_checks(CHECKS)
