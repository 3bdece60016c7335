# SPDX-License-Identifier: Apache-2.0
"""Starts processes and threads in every way that Python offers, and uses ctypes."""

import ctypes
import multiprocessing
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def double(number):
    return 2 * number


def pools():
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(double, range(5)))
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            print(method, list(executor.map(double, range(5))))


def pipes():
    sender, receiver = multiprocessing.Pipe()
    process = multiprocessing.Process(target=sender.send, args=({"from": "child"},))
    process.start()
    print(receiver.recv())
    process.join()
    print(process.exitcode)


def children():
    print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True, text=True))
    first = subprocess.Popen(["printf", "b\\na\\n"], stdout=subprocess.PIPE)
    print(subprocess.check_output(["sort"], stdin=first.stdout))
    first.wait()
    print(subprocess.run([sys.executable, "-c", "import os; os.abort()"]).returncode)


def threads():
    with ThreadPoolExecutor(8) as executor:
        print(sum(executor.map(double, range(1000))))
    local = threading.local()
    local.value = "kept"
    thread = threading.Thread(target=lambda: print(hasattr(local, "value")))
    thread.start()
    thread.join()
    print(local.value)


def use_ctypes():
    libc = ctypes.CDLL(None)
    print(libc.abs(-5))
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 5)(5, 1, 4, 2, 3)
    libc.qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    print(list(numbers))
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        print(error)


if __name__ == "__main__":
    pools()
    pipes()
    children()
    threads()
    use_ctypes()
