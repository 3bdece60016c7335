# SPDX-License-Identifier: Apache-2.0
"""Reads lines `GPU COUNT` from standard input. For each line, makes COUNT allocations with CUDA on that GPU and prints
the code of the last allocation."""

import ctypes
import sys

cuda = ctypes.CDLL("libcuda.so.1")


def call(name, *arguments):
    if status := getattr(cuda, name)(*arguments):
        sys.exit(f"{name} {status}")


def context_of(ordinal):
    device, context = ctypes.c_int(), ctypes.c_void_p()
    call("cuDeviceGet", ctypes.byref(device), ordinal)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    return context


call("cuInit", 0)
count = ctypes.c_int()
call("cuDeviceGetCount", ctypes.byref(count))
contexts = [context_of(ordinal) for ordinal in range(count.value)]
print("ready", flush=True)
for line in sys.stdin:
    gpu, allocations = map(int, line.split())
    call("cuCtxSetCurrent", contexts[gpu])
    for _ in range(allocations):
        memory = ctypes.c_ulonglong()
        status = cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(512))
        if status == 0:
            cuda.cuMemFree_v2(memory)
    print(status, flush=True)
