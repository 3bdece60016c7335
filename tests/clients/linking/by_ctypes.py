# SPDX-License-Identifier: Apache-2.0
"""Performs the operations of work.h through ctypes: by_ctypes.py [deepbind]"""

import ctypes
import os
import sys

mode = os.RTLD_NOW | os.RTLD_DEEPBIND if "deepbind" in sys.argv else ctypes.DEFAULT_MODE
cuda = ctypes.CDLL("libcuda.so.1", mode=mode)
device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
sent = ctypes.create_string_buffer(b"the data is intact", 64)
received = ctypes.create_string_buffer(64)


def step(name, *arguments):
    if status := getattr(cuda, name)(*arguments):
        sys.exit(f"{name} {status}")


step("cuInit", 0)
step("cuDeviceGet", ctypes.byref(device), 0)
step("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
step("cuCtxSetCurrent", context)
status = cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(4096))
print("allocation", status)
if status:
    sys.exit(1)
step("cuMemcpyHtoD_v2", memory, sent, ctypes.c_size_t(64))
step("cuMemcpyDtoH_v2", received, memory, ctypes.c_size_t(64))
step("cuMemFree_v2", memory)
print(f'received "{received.value.decode()}"')
sys.exit(received.value != sent.value)
