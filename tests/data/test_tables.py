# SPDX-License-Identifier: Apache-2.0
"""Tests that the API tables of data/ are consistent, and that they contain every function of NVIDIA's headers and
libraries. CUDAFAULT_HEADERS is the folder of wheels, by default build/headers. Missing wheels are fetched from PyPI."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from harness import BUILD, ROOT, Skip, compile_with

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "data" / "headers"))

import rules
import tables
import wheels

HERE = Path(__file__).resolve().parent
COLUMNS = "export symbol version mode since sonames class device returns simple source".split()
CACHE = Path(os.environ.get("CUDAFAULT_HEADERS", BUILD / "headers"))
RELEASES = ["11.8", *(f"12.{n}" for n in (0, 1, 2, 3, 4, 5, 6, 8, 9)), *(f"13.{n}" for n in range(6))]
# The allowed number of rows. A new release adds a few functions; a broken parser loses or adds hundreds.
ROWS = {
    "cuda_driver": (700, 900),
    "cuda_runtime": (500, 650),
    "nvml": (430, 600),
    "nccl": (70, 200),
    "errors": (270, 400),
}
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
        "cudaLaunchKernel": {"stream:7"},
        "__cudaLaunchKernel": {"stream:7"},
        "cudaGetDeviceCount": {"none"},
        "cudaMalloc": {"-"},
        "cudaFree": {"pointer:0"},
        "cudaGetDeviceProperties": {"device:1"},
        "cudaMemcpyAsync": {"stream:4"},
        "cudaMemPrefetchAsync": {"stream:3", "stream:4"},
        # A 32-byte structure before the stream takes an argument slot on aarch64 but not on x86-64.
        "cudaMemset3DAsync": {"unread"},
        "cudaMemcpy": {"copy:0,1"},
        "cudaMemcpy2D_ptds": {"copy:0,2"},
        "cudaMemcpyPeer": {"device:1"},
        "cudaMemcpyToSymbol": {"-"},
        "cudaMemcpyToArray": {"unread"},
        "cudaMemPoolCreate": {"properties:1"},
        "cudaMemAdvise": {"device:3", "location_value:3"},
    },
    "cuda_driver": {
        "cuLaunchKernel": {"stream:8"},
        "cuInit": {"none"},
        "cuDeviceGetCount": {"none"},
        "cuDeviceGet": {"device:1"},
        "cuMemAlloc_v2": {"-"},
        "cuMemFree_v2": {"pointer:0"},
        "cuMemcpyDtoH_v2": {"pointer:1"},
        "cuCtxSetCurrent": {"context:0"},
        "cuEventSynchronize": {"event:0"},
        "cuCtxCreate_v2": {"device:2"},
        "cuMemCreate": {"properties:2"},
        "cuMemGetAllocationGranularity": {"properties:1"},
        "cuMemGetAllocationPropertiesFromHandle": {"unread"},
        "cuMemGetDefaultMemPool": {"location:1"},
        "cuMemGetLocationInfo": {"pointer:0"},
        "cuMemPoolCreate": {"properties:1"},
        "cuMemPoolGetAccess": {"location:2"},
        "cuMemPoolSetAccess": {"unread"},
        "cuMemcpy": {"copy:0,1"},
        "cuMemcpy2D_v2": {"unread"},
        "cuGraphAddMemAllocNode": {"properties:4"},
        "cuGraphMemAllocNodeGetParams": {"-"},
    },
    "nccl": {"ncclCommInitAll": {"unread"}, "ncclCommInitRank": {"-"}, "ncclAllReduce": {"stream:6"}},
}
ERRORS = {
    ("driver", "CUDA_ERROR_NO_DEVICE", "100"),
    ("driver", "CUDA_ERROR_ECC_UNCORRECTABLE", "214"),
    ("driver", "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", "217"),
    ("driver", "CUDA_ERROR_LAUNCH_TIMEOUT", "702"),
    ("driver", "CUDA_ERROR_UNKNOWN", "999"),
    ("runtime", "cudaErrorNoDevice", "100"),
    ("runtime", "cudaErrorECCUncorrectable", "214"),
    ("runtime", "cudaErrorUnknown", "999"),
    ("runtime", "cudaErrorInsufficientDriver", "35"),
    ("nvml", "NVML_ERROR_LIBRARY_NOT_FOUND", "12"),
    ("nvml", "NVML_ERROR_GPU_IS_LOST", "15"),
    ("nccl", "ncclUnhandledCudaError", "1"),
    ("nccl", "ncclInternalError", "3"),
}
# Names that libcudart looks up although no header declares them: the empty name, and an export name in 12.0 to 12.2.
UNDECLARED_QUERIES = {"", "cuGraphInstantiateWithParams_ptsz"}


TABLES = ("cuda_driver", "cuda_runtime", "nvml", "nccl")
DRIVER_QUERIES = {
    ("cuMemAlloc", "3020"): "cuMemAlloc_v2",
    ("cuGetProcAddress", "11030"): "cuGetProcAddress",
    ("cuGetProcAddress", "12000"): "cuGetProcAddress_v2",
    ("cuCtxSynchronize", "2000"): "cuCtxSynchronize",
}


def read(name):
    """Returns the columns and the rows of a table."""
    lines = [line for line in (ROOT / "data" / f"{name}.tsv").read_text().splitlines() if not line.startswith("#")]
    header = lines[0].split("\t")
    return header, [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]


def rows_of(name):
    return read(name)[1]


CUDA_KINDS = "device|context|stream|event|pointer|pci|location|location_value|properties"
NVML_KINDS = (
    "handle|index|uuid|serial|pci|pci_info|gpu_instance|compute_instance|vgpu_instance|vgpu_type|unit"
)


def row_error(row, name):
    """Returns a message about the first invalid column of a row, or None."""
    kinds = NVML_KINDS if name == "nvml" else CUDA_KINDS
    without_argument = "none" if name == "nvml" else r"none|-|unread|copy:\d,\d"
    device = re.fullmatch(rf"({kinds}):(\d|1[0-5])|{without_argument}", row["device"])
    valid = {
        "export": re.fullmatch(r"(__)?(cuda|cu|nvml|nccl)[A-Z]\w*", row["export"]),
        "symbol": row["symbol"] and row["export"].startswith(row["symbol"]),
        "version": row["version"].isdigit() if name == "cuda_driver" else row["version"] == "-",
        "mode": row["mode"] == ("per_thread" if re.search("_pt[sd][zs]$", row["export"]) else "any"),
        "since": row["since"] in (list(wheels.NCCL) if name == "nccl" else RELEASES),
        "sonames": row["sonames"] in ("11.0", "12", "13", "11.0,12", "12,13", "11.0,12,13")
        if name == "cuda_runtime"
        else row["sonames"] == "-",
        "class": row["class"] in rules.CLASSES,
        "device": device,
        "simple": row["simple"] == "pass" or (row["simple"] == "fail" and row["returns"] == "status"),
        "source": row["source"],
    }
    return next((f"{row['export']}: {column} is {row[column]!r}" for column, ok in valid.items() if not ok), None)


@pytest.fixture(params=TABLES)
def table(request):
    return request.param


def test_tables_have_expected_columns(table):
    assert read(table)[0] == COLUMNS


def test_number_of_rows_is_plausible(table):
    low, high = ROWS[table]
    assert low <= len(rows_of(table)) <= high


def test_rows_are_well_formed(table):
    assert [error for error in (row_error(row, table) for row in rows_of(table)) if error] == []


def test_rows_are_sorted(table):
    exports = [row["export"] for row in rows_of(table)]
    assert exports == sorted(exports)


def test_exports_are_unique(table):
    named = [(row["export"], soname) for row in rows_of(table) for soname in row["sonames"].split(",")]
    assert sorted({pair for pair in named if named.count(pair) > 1}) == []


def test_variants_of_a_symbol_have_equal_properties(table):
    kinds = defaultdict(set)
    for row in rows_of(table):
        kinds[row["symbol"]].add((row["class"], row["simple"], row["returns"]))
    assert [symbol for symbol, found in kinds.items() if len(found) > 1] == []


@pytest.mark.parametrize("name", ["cuda_driver", "cuda_runtime"])
@pytest.mark.parametrize(("simple", "expected"), [("fail", MUST_FAIL), ("pass", MUST_PASS)], ids=["fail", "pass"])
def test_simple_column_of_well_known_functions(name, simple, expected):
    found = defaultdict(set)
    for row in rows_of(name):
        found[row["export"]].add(row["simple"])
    assert [export for export in expected[name].split() if found[export] != {simple}] == []


@pytest.mark.parametrize("name", DEVICE)
def test_device_column_names_expected_arguments(name):
    found = defaultdict(set)
    for row in rows_of(name):
        found[row["export"]].add(row["device"])
    assert {export: found[export] for export in DEVICE[name]} == DEVICE[name]


def test_driver_functions_return_a_status():
    assert {row["returns"] for row in rows_of("cuda_driver")} == {"status"}


def test_symbol_version_and_mode_identify_one_export():
    keys = [(row["symbol"], row["version"], row["mode"]) for row in rows_of("cuda_driver")]
    assert len(keys) == len(set(keys))
    exports = {(row["symbol"], row["version"]): row["export"] for row in rows_of("cuda_driver") if row["mode"] == "any"}
    assert {query: exports.get(query) for query in DRIVER_QUERIES} == DRIVER_QUERIES


@pytest.mark.parametrize("name", ["nvml", "nccl"])
def test_simple_model_passes_all_functions(name):
    assert {row["simple"] for row in rows_of(name)} == {"pass"}


def test_error_table_contains_known_codes():
    header, errors = read("errors")
    assert header == ["api", "name", "code", "source"]
    assert ROWS["errors"][0] <= len(errors) <= ROWS["errors"][1]
    assert ERRORS - {(row["api"], row["name"], row["code"]) for row in errors} == set()


@pytest.fixture(scope="session")
def headers():
    """Compares the tables with NVIDIA's headers and libraries, and returns the wheels that contain them."""
    command: list[str | Path] = [sys.executable, ROOT / "data" / "regenerate", "--check", "--cache", CACHE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        raise Skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    return wheels.fetch([*wheels.RUNTIME.values(), *wheels.NVML.values()], CACHE)


def test_tables_match_headers(headers):
    assert headers


def test_tables_contain_all_functions_declared_in_headers(headers):
    """The tables contain every function that a text search finds in the headers, except Windows functions (WGL)."""
    in_tables = {row[column] for name in TABLES for row in rows_of(name) for column in ("symbol", "export")}
    declared = re.compile(
        r"^\s*(?:extern\s+)?[\w\s]*?\b(?:CUresult|cudaError_t|nvmlReturn_t)\s+\w+\s+"
        r"((?:cu|cuda|nvml)[A-Z]\w*)\s*\(",
        re.M,
    )
    found = set()
    for pins in (wheels.RUNTIME, wheels.NVML):
        for pin in pins.values():
            for header in (*tables.DRIVER_HEADERS, *tables.RUNTIME_HEADERS, "nvml.h"):
                code = re.sub(r"/\*.*?\*/|//[^\n]*", "", headers[pin].header(header) or "", flags=re.S)
                found |= set(declared.findall(code))
    assert len(found) > 1000
    assert {name for name in found - in_tables if "WGL" not in name} == set()


@pytest.mark.parametrize("release", wheels.RUNTIME)
def test_driver_table_contains_every_symbol_that_a_runtime_requests(headers, tmp_path, release):
    """Runs the runtime with a driver that records the queries."""
    driver = tmp_path / "libcuda.so.1"
    compile_with("cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", driver, HERE / "recording_driver.c")
    name, image = headers[wheels.RUNTIME[release]].library(r"libcudart\.so\.[\d.]+")
    (tmp_path / name).write_bytes(image)
    loader = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).cudaGetDeviceCount(ctypes.byref(ctypes.c_int()))"
    done = subprocess.run(
        [sys.executable, "-c", loader, tmp_path / name],
        capture_output=True,
        text=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        check=False,
    )
    queries = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(queries) > 350, done.returncode
    entries = {(row["symbol"], row["version"], row["mode"]) for row in rows_of("cuda_driver")}
    assert [query for query in queries if query[0] not in UNDECLARED_QUERIES and not is_in_table(query, entries)] == []


def is_in_table(query, entries):
    symbol, version, flags = query
    modes = ("per_thread", "any") if int(flags) & 2 else ("any",)
    return any((symbol, version, mode) in entries for mode in modes)
