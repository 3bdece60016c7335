# SPDX-License-Identifier: Apache-2.0
"""Reads the memory of each GPU until standard input ends, as a monitoring agent does, and reports when the result
changes."""

import sys
from functools import partial
from pathlib import Path

import pynvml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reporting import report_changes


def memory(handle) -> str:
    try:
        return f"total {pynvml.nvmlDeviceGetMemoryInfo(handle).total}"
    except pynvml.NVMLError as error:
        return f"{type(error).__name__} {error}"


pynvml.nvmlInit()
print("driver", pynvml.nvmlSystemGetDriverVersion())
count = pynvml.nvmlDeviceGetCount()
print("count", count)
handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
for index, handle in enumerate(handles):
    print(f"gpu:{index}", pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetUUID(handle), flush=True)
report_changes({f"memory:{index}": partial(memory, handle) for index, handle in enumerate(handles)})
pynvml.nvmlShutdown()
