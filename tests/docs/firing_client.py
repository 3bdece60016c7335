# SPDX-License-Identifier: Apache-2.0
"""Calls the functions that the plans of docs/plans.md name. Usage: firing_client.py NCCL_LIBRARY SECONDS"""

import ctypes
import sys
import time
from ctypes import byref, c_int, c_uint64, c_void_p

cuda, cudart, nvml = map(ctypes.CDLL, ("libcuda.so.1", "libcudart.so.13", "libnvidia-ml.so.1"))
nccl = ctypes.CDLL(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
number, pointer, handle = c_int(), c_uint64(), c_void_p()
buffer = ctypes.create_string_buffer(1024)


def use_device(device: int) -> None:
    cuda.cuDeviceGetAttribute(byref(number), 1, device)
    cuda.cuCtxSetCurrent(contexts[device])
    cuda.cuMemAlloc_v2(byref(pointer), c_uint64(1024))
    cuda.cuMemcpyHtoD_v2(pointer, buffer, c_uint64(16))
    cuda.cuLaunchKernel(None, 1, 1, 1, 1, 1, 1, 0, None, None, None)
    cuda.cuStreamSynchronize(None)
    cuda.cuCtxSynchronize()
    cuda.cuMemFree_v2(pointer)
    nvml.nvmlDeviceGetHandleByIndex_v2(device, byref(handle))
    nvml.nvmlDeviceGetTemperature(handle, 0, byref(number))
    cudart.cudaMalloc(byref(handle), c_uint64(1024))
    cudart.cudaFree(handle)
    nccl.ncclAllReduce()


nvml.nvmlInit_v2()
cuda.cuInit(0)
cuda.cuDeviceGetCount(byref(number))
contexts = [c_void_p() for _ in range(4)]
for index, context in enumerate(contexts):
    cuda.cuDevicePrimaryCtxRetain(byref(context), index)
while time.monotonic() < end:
    for index in range(len(contexts)):
        use_device(index)
