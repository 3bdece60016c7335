# SPDX-License-Identifier: Apache-2.0
"""A CUDA program that does what its standard input says: each line is `GPU COUNT`, so many allocations on that GPU; it
answers with the code of the last one."""

import ctypes
import sys

cuda = ctypes.CDLL("libcuda.so.1")


def must(name, *arguments):
    if status := getattr(cuda, name)(*arguments):
        sys.exit(f"{name} {status}")


def context_of(ordinal):
    device, context = ctypes.c_int(), ctypes.c_void_p()
    must("cuDeviceGet", ctypes.byref(device), ordinal)
    must("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    return context


must("cuInit", 0)
count = ctypes.c_int()
must("cuDeviceGetCount", ctypes.byref(count))
contexts = [context_of(ordinal) for ordinal in range(count.value)]
print("ready", flush=True)
for line in sys.stdin:
    gpu, allocations = map(int, line.split())
    must("cuCtxSetCurrent", contexts[gpu])
    for _ in range(allocations):
        memory = ctypes.c_ulonglong()
        status = cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(512))
        if status == 0:
            cuda.cuMemFree_v2(memory)
    print(status, flush=True)
