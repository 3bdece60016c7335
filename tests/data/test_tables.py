#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the API tables of data/: sound in themselves, complete against NVIDIA's headers and libraries.

Says `PASS`, `FAIL` or `SKIP` for each check; the last line counts them. CUDAFAULT_HEADERS names the folder of wheels
(build/headers); what is missing there comes from PyPI.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent), str(ROOT / "data" / "headers")]

import rules
import tables
import wheels
from harness import BUILD, Checks

COLUMNS = "export symbol version mode since sonames class device returns simple source".split()
CACHE = Path(os.environ.get("CUDAFAULT_HEADERS", BUILD / "headers"))
RELEASES = ["11.8", *(f"12.{n}" for n in (0, 1, 2, 3, 4, 5, 6, 8, 9)), *(f"13.{n}" for n in range(6))]
# A new release adds a few functions; a parser that has lost its way loses or invents hundreds.
ROWS = {"cuda_driver": (700, 900), "cuda_runtime": (500, 650), "nvml": (430, 600), "nccl": (70, 200),
        "errors": (270, 400)}
MUST_FAIL = {
    "cuda_runtime": """cudaGetDeviceCount cudaMalloc cudaMemcpy cudaMemcpyAsync cudaDeviceSynchronize
        cudaStreamSynchronize cudaGetDeviceProperties cudaGetDeviceProperties_v2 cudaLaunchKernel cudaLaunchKernel_ptsz
        cudaLaunchKernelExC
        cudaLaunchCooperativeKernel __cudaLaunchKernel __cudaLaunchKernel_ptsz cudaStreamQuery cudaEventQuery
        cudaGraphLaunch cudaDeviceGetAttribute cudaMallocAsync cudaEventRecord cudaStreamCreateWithFlags""",
    "cuda_driver": """cuInit cuDeviceGetCount cuDeviceGet cuMemAlloc cuMemAlloc_v2 cuMemcpyHtoD_v2 cuMemcpyHtoD_v2_ptds
        cuMemcpyDtoH_v2 cuMemcpyAsync cuMemcpyAsync_ptsz cuCtxSynchronize cuStreamSynchronize cuStreamSynchronize_ptsz
        cuDeviceGetAttribute cuDeviceGetProperties cuLaunchKernel cuLaunchKernel_ptsz cuLaunchKernelEx
        cuLaunchCooperativeKernel cuCtxCreate_v2 cuDevicePrimaryCtxRetain cuEventQuery cuStreamQuery cuGraphLaunch""",
}
MUST_PASS = {
    "cuda_runtime": """cudaGetErrorName cudaGetErrorString cudaGetLastError cudaPeekAtLastError cudaGetDevice
        cudaSetDevice
        cudaRuntimeGetVersion cudaDriverGetVersion cudaGetDriverEntryPoint cudaGetDriverEntryPointByVersion cudaFree
        cudaGetExportTable __cudaGetKernel __cudaGetProcAddress __cudaRegisterFatBinary __cudaRegisterFunction
        __cudaUnregisterFatBinary __cudaInitModule __cudaPushCallConfiguration __cudaPopCallConfiguration
        cudaStreamIsCapturing cudaStreamGetCaptureInfo cudaThreadExchangeStreamCaptureMode cudaEventDestroy""",
    "cuda_driver": """cuGetErrorName cuGetErrorString cuDriverGetVersion cuGetProcAddress cuGetProcAddress_v2
        cuGetExportTable cuCtxGetCurrent cuCtxSetCurrent cuCtxPushCurrent_v2 cuCtxPopCurrent_v2 cuCtxGetDevice
        cuMemFree_v2
        cuStreamDestroy_v2 cuModuleUnload cuMemRelease cuMemUnmap cuDevicePrimaryCtxRelease_v2""",
}
DEVICE = {
    "cuda_runtime": {
        "cudaLaunchKernel": {"stream:7"}, "__cudaLaunchKernel": {"stream:7"}, "cudaGetDeviceCount": {"none"},
        "cudaMalloc": {"-"}, "cudaFree": {"pointer:0"}, "cudaGetDeviceProperties": {"device:1"},
        "cudaMemcpyAsync": {"stream:4"}, "cudaMemPrefetchAsync": {"stream:3", "stream:4"},
        # A 32-byte structure before the stream takes a slot on aarch64 and none on x86-64.
        "cudaMemset3DAsync": {"-"}},
    "cuda_driver": {
        "cuLaunchKernel": {"stream:8"}, "cuInit": {"none"}, "cuDeviceGetCount": {"none"}, "cuDeviceGet": {"device:1"},
        "cuMemAlloc_v2": {"-"}, "cuMemFree_v2": {"pointer:0"}, "cuMemcpyDtoH_v2": {"pointer:1"},
        "cuCtxSetCurrent": {"context:0"}, "cuEventSynchronize": {"event:0"}, "cuCtxCreate_v2": {"device:2"}},
}
ERRORS = {
    ("driver", "CUDA_ERROR_NO_DEVICE", "100"), ("driver", "CUDA_ERROR_ECC_UNCORRECTABLE", "214"),
    ("driver", "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", "217"), ("driver", "CUDA_ERROR_LAUNCH_TIMEOUT", "702"),
    ("driver", "CUDA_ERROR_UNKNOWN", "999"), ("runtime", "cudaErrorNoDevice", "100"),
    ("runtime", "cudaErrorECCUncorrectable", "214"), ("runtime", "cudaErrorUnknown", "999"),
    ("runtime", "cudaErrorInsufficientDriver", "35"), ("nvml", "NVML_ERROR_LIBRARY_NOT_FOUND", "12"),
    ("nvml", "NVML_ERROR_GPU_IS_LOST", "15"), ("nccl", "ncclUnhandledCudaError", "1"),
    ("nccl", "ncclInternalError", "3"),
}
# What libcudart asks for that is no symbol of a header: the probe, and in 12.0 to 12.2 an export name.
ASKED_OUTSIDE = {"", "cuGraphInstantiateWithParams_ptsz"}


def read(name):
    lines = [line for line in (ROOT / "data" / f"{name}.tsv").read_text().splitlines() if not line.startswith("#")]
    header = lines[0].split("\t")
    return header, [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]


def wrong_row(row, name):
    """Why a row is not well formed, or None."""
    device = re.fullmatch(r"-|none|(device|context|stream|event|pointer):(\d|1[0-5])", row["device"])
    known = {
        "export": re.fullmatch(r"(__)?(cuda|cu|nvml|nccl)[A-Z]\w*", row["export"]),
        "symbol": row["symbol"] and row["export"].startswith(row["symbol"]),
        "version": row["version"].isdigit() if name == "cuda_driver" else row["version"] == "-",
        "mode": row["mode"] == ("per_thread" if re.search("_pt[sd][zs]$", row["export"]) else "any"),
        "since": row["since"] in (list(wheels.NCCL) if name == "nccl" else RELEASES),
        "sonames": row["sonames"] in ("11.0", "12", "13", "11.0,12", "12,13", "11.0,12,13")
        if name == "cuda_runtime" else row["sonames"] == "-",
        "class": row["class"] in rules.CLASSES,
        "device": device,
        "simple": row["simple"] == "pass" or (row["simple"] == "fail" and row["returns"] == "status"),
        "source": row["source"],
    }
    return next((f"{row['export']}: {column} is {row[column]!r}" for column, ok in known.items() if not ok), None)


def check_shape(checks, name, header, rows):
    low, high = ROWS[name]
    checks.equal(f"{name}: columns", header, COLUMNS)
    checks.expect(f"{name}: {low} to {high} rows", low <= len(rows) <= high, len(rows))
    checks.equal(f"{name}: rows well formed", [why for why in (wrong_row(row, name) for row in rows) if why], [])
    exports = [row["export"] for row in rows]
    checks.expect(f"{name}: sorted by export", exports == sorted(exports))
    named = [(row["export"], soname) for row in rows for soname in row["sonames"].split(",")]
    checks.equal(f"{name}: exports unique", sorted({pair for pair in named if named.count(pair) > 1}), [])


def check_rows(checks, name, rows):
    """What holds between the rows of one table, and the rows that design §4 names."""
    by_symbol, by_export = defaultdict(set), defaultdict(list)
    for row in rows:
        by_symbol[row["symbol"]].add((row["class"], row["simple"], row["returns"]))
        by_export[row["export"]].append(row)
    checks.equal(f"{name}: variants of a symbol agree", [s for s, kinds in by_symbol.items() if len(kinds) > 1], [])
    for simple, table in (("fail", MUST_FAIL), ("pass", MUST_PASS)):
        if name in table:
            wrong = [export for export in table[name].split() if {r["simple"] for r in by_export[export]} != {simple}]
            checks.equal(f"{name}: model=simple says {simple} where it must", wrong, [])
    for export, expected in DEVICE.get(name, {}).items():
        checks.equal(f"{name}: GPU of {export}", {row["device"] for row in by_export[export]}, expected)


def check_driver(checks, rows):
    checks.equal("every cu* function returns a status", {row["returns"] for row in rows}, {"status"})
    asked = [(row["symbol"], row["version"], row["mode"]) for row in rows]
    checks.expect("symbol, version and mode name one export", len(asked) == len(set(asked)))
    exports = {(row["symbol"], row["version"]): row["export"] for row in rows if row["mode"] == "any"}
    for query, export in {("cuMemAlloc", "3020"): "cuMemAlloc_v2", ("cuGetProcAddress", "11030"): "cuGetProcAddress",
                          ("cuGetProcAddress", "12000"): "cuGetProcAddress_v2",
                          ("cuCtxSynchronize", "2000"): "cuCtxSynchronize"}.items():
        checks.equal(f"{query[0]} of version {query[1]}", exports.get(query), export)


def check_against_headers(checks):
    command = [sys.executable, ROOT / "data" / "regenerate", "--check", "--cache", CACHE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        checks.skip("tables against NVIDIA's headers", done.stderr.strip().splitlines()[-1])
        return None
    checks.expect("tables equal what the headers give", done.returncode == 0, done.stdout + done.stderr)
    return wheels.fetch([*wheels.RUNTIME.values(), *wheels.NVML.values()], CACHE)


def check_plain_search(checks, all_wheels, known):
    """A second, much simpler reading of the headers finds no function that the tables lack but Windows' own (WGL)."""
    declared = re.compile(r"^\s*(?:extern\s+)?[\w\s]*?\b(?:CUresult|cudaError_t|nvmlReturn_t)\s+\w+\s+"
                          r"((?:cu|cuda|nvml)[A-Z]\w*)\s*\(", re.M)
    found = set()
    for pins in (wheels.RUNTIME, wheels.NVML):
        for pin in pins.values():
            for header in (*tables.DRIVER_HEADERS, *tables.RUNTIME_HEADERS, "nvml.h"):
                code = re.sub(r"/\*.*?\*/|//[^\n]*", "", all_wheels[pin].header(header) or "", flags=re.S)
                found |= set(declared.findall(code))
    checks.expect("a plain search finds over 1,000 declarations", len(found) > 1000, len(found))
    checks.equal("no declaration of a header is missing", {name for name in found - known if "WGL" not in name}, set())


def check_queries(checks, all_wheels, driver_rows):
    """Everything that the real runtimes ask of the driver is in the driver table."""
    answers = {(row["symbol"], row["version"], row["mode"]) for row in driver_rows}
    with tempfile.TemporaryDirectory(prefix="cudafault-test-") as folder:
        subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", f"{folder}/libcuda.so.1",
                        HERE / "recording_driver.c"], check=True)
        for release, pin in wheels.RUNTIME.items():
            name, image = all_wheels[pin].library(r"libcudart\.so\.[\d.]+")
            Path(folder, name).write_bytes(image)
            loader = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).cudaGetDeviceCount(ctypes.byref(ctypes.c_int()))"
            done = subprocess.run([sys.executable, "-c", loader, f"{folder}/{name}"], capture_output=True, text=True,
                                  env={**os.environ, "LD_LIBRARY_PATH": folder}, check=False)
            queries = [line.split("\t") for line in done.stdout.splitlines()]
            unknown = [query for query in queries if query[0] not in ASKED_OUTSIDE and not answered(query, answers)]
            checks.expect(f"libcudart {release} asks for over 350 functions, all known",
                          len(queries) > 350 and not unknown, (done.returncode, len(queries), unknown))


def answered(query, answers):
    symbol, version, flags = query
    modes = ("per_thread", "any") if int(flags) & 2 else ("any",)
    return any((symbol, version, mode) in answers for mode in modes)


def main():
    checks = Checks()
    kept = {name: read(name) for name in ("cuda_driver", "cuda_runtime", "nvml", "nccl")}
    for name, (header, rows) in kept.items():
        check_shape(checks, name, header, rows)
        check_rows(checks, name, rows)
    check_driver(checks, kept["cuda_driver"][1])
    passes = {row["simple"] for name in ("nvml", "nccl") for row in kept[name][1]}
    checks.equal("model=simple leaves NVML and NCCL alone", passes, {"pass"})
    header, errors = read("errors")
    checks.equal("errors: columns", header, ["api", "name", "code", "source"])
    checks.expect("errors: number of rows", ROWS["errors"][0] <= len(errors) <= ROWS["errors"][1], len(errors))
    checks.equal("errors: known codes", ERRORS - {(row["api"], row["name"], row["code"]) for row in errors}, set())
    all_wheels = check_against_headers(checks)
    if all_wheels:
        known = {row[column] for _, rows in kept.values() for row in rows for column in ("symbol", "export")}
        check_plain_search(checks, all_wheels, known)
        check_queries(checks, all_wheels, kept["cuda_driver"][1])
    checks.finish()


if __name__ == "__main__":
    main()
