# SPDX-License-Identifier: Apache-2.0
"""Performs the operations of work.h through cffi in ABI mode."""

import sys

from cffi import FFI

ffi = FFI()
ffi.cdef("""
int cuInit(unsigned);
int cuDeviceGet(int *, int);
int cuDevicePrimaryCtxRetain(void **, int);
int cuCtxSetCurrent(void *);
int cuMemAlloc_v2(unsigned long long *, size_t);
int cuMemcpyHtoD_v2(unsigned long long, const void *, size_t);
int cuMemcpyDtoH_v2(void *, unsigned long long, size_t);
int cuMemFree_v2(unsigned long long);
""")
cuda = ffi.dlopen("libcuda.so.1")
device, context, memory = ffi.new("int *"), ffi.new("void **"), ffi.new("unsigned long long *")
sent, received = ffi.new("char[64]", b"the data is intact"), ffi.new("char[64]")


def step(name, *arguments):
    if status := getattr(cuda, name)(*arguments):
        sys.exit(f"{name} {status}")


step("cuInit", 0)
step("cuDeviceGet", device, 0)
step("cuDevicePrimaryCtxRetain", context, device[0])
step("cuCtxSetCurrent", context[0])
status = cuda.cuMemAlloc_v2(memory, 4096)
print("allocation", status)
if status:
    sys.exit(1)
step("cuMemcpyHtoD_v2", memory[0], sent, 64)
step("cuMemcpyDtoH_v2", received, memory[0], 64)
step("cuMemFree_v2", memory[0])
print(f'received "{ffi.string(received).decode()}"')
sys.exit(ffi.string(received) != ffi.string(sent))
