# SPDX-License-Identifier: Apache-2.0
"""Builds the rows of the five tables from the wheels."""

import re
from collections import defaultdict

import elf
import prototypes
import rules
import wheels

COLUMNS = "export symbol version mode since sonames class device returns simple source".split()
ERROR_COLUMNS = "api name code source".split()
STATUS_TYPES = ("CUresult", "cudaError_t", "nvmlReturn_t", "ncclResult_t")

# Sets of macros that together declare every export of a header: the defaults, per-thread default streams, and the old
# ABIs.
CUDA_DEFINES = [[], ["CUDA_API_PER_THREAD_DEFAULT_STREAM"], ["__CUDA_API_VERSION_INTERNAL"]]
# nccl.h declares two functions of libnccl.so.2 only for Windows.
NCCL_DEFINES = [["NCCL_OS_LINUX"], ["NCCL_OS_LINUX", "NCCL_OS_WINDOWS"]]
NVML_DEFINES = [[], ["NVML_NO_UNVERSIONED_FUNC_DEFS"]]

DRIVER_HEADERS = ["cuda.h", "cudaProfiler.h", "cudaGL.h", "cudaEGL.h", "cudaVDPAU.h"]
TYPEDEF_HEADERS = ["cudaTypedefs.h", "cudaProfilerTypedefs.h", "cudaGLTypedefs.h", "cudaEGLTypedefs.h",
                   "cudaVDPAUTypedefs.h"]
RUNTIME_HEADERS = ["cuda_runtime_api.h", "cuda_profiler_api.h", "cuda_gl_interop.h", "cuda_egl_interop.h",
                   "cuda_vdpau_interop.h"]


class Api:
    """The declarations of one API in several releases. A newer declaration replaces an older declaration."""

    def __init__(self):
        self.prototypes, self.since, self.header, self.group = {}, {}, {}, {}

    def add(self, release, header, texts, defines):
        """Adds the declarations of the last of `texts`, a header named `header`. The other texts provide its macros."""
        for name, prototype in prototypes.declared(texts, defines, len(texts) - 1).items():
            self.prototypes[name] = prototype
            self.header[name] = header
            self.since.setdefault(name, release)
        self.group.update(prototypes.groups(texts[-1]))

    def source(self, name, symbol):
        return " ".join(filter(None, (self.header[name], self.group.get(symbol))))


def split_export(name):
    """Splits an exported name into (symbol, ABI, per-thread): cuMemcpyHtoD_v2_ptds -> (cuMemcpyHtoD, 2, True)."""
    match = re.fullmatch(r"(\w+?)(?:_v(\d+))?(_pt[sd][zs])?", name)
    return match[1], int(match[2] or 1), bool(match[3])


def returns_column(type_name):
    return "status" if type_name in STATUS_TYPES else type_name


def row(name, **columns):
    symbol, _, per_thread = split_export(name)
    return {"export": name, "symbol": symbol, "version": "-", "mode": "per_thread" if per_thread else "any",
            "sonames": "-", **columns}


def read_cuda_headers(all_wheels, headers, releases):
    """Reads the given headers of the given releases. The first header provides the macros of the others."""
    api = Api()
    for release in releases:
        cuda = all_wheels[wheels.RUNTIME[release]]
        # The profiler headers are in separate wheels, which do not exist for every release.
        profiler = all_wheels[wheels.PROFILER[release]] if release in wheels.PROFILER else cuda
        for header in headers:
            text = cuda.header(header) or profiler.header(header)
            if text:
                context = [cuda.header(headers[0])] if header != headers[0] else []
                api.add(release, header, [*context, text], CUDA_DEFINES)
    return api


def driver_versions(all_wheels, names):
    """Returns export -> version for cuGetProcAddress. For each symbol and stream mode, the sorted versions in the
    headers correspond to the sorted ABI suffixes."""
    exports, versions = defaultdict(list), defaultdict(set)
    for name in names:
        symbol, abi, per_thread = split_export(name)
        exports[symbol, per_thread].append((abi, name))
    for pin in wheels.RUNTIME.values():
        for header in TYPEDEF_HEADERS:
            for symbol, version, per_thread in prototypes.typedefs(all_wheels[pin].header(header) or ""):
                versions[symbol, per_thread].add(version)
    found = {}
    for key, named in exports.items():
        if len(named) != len(versions[key]):
            raise ValueError(f"{key[0]} has {len(named)} exports but {len(versions[key])} versions in cudaTypedefs.h")
        found.update(zip((name for _, name in sorted(named)), sorted(versions[key])))
    return found


def driver_rows(all_wheels):
    api = read_cuda_headers(all_wheels, DRIVER_HEADERS, wheels.RUNTIME)
    versions = driver_versions(all_wheels, api.prototypes)
    rows = []
    for name, prototype in api.prototypes.items():
        symbol = split_export(name)[0]
        of_class = rules.call_class(symbol, api.group.get(symbol))
        returns = returns_column(prototype.returns)
        rows.append(row(
            name, version=str(versions[name]), since=api.since[name], returns=returns, source=api.source(name, symbol),
            device=rules.device(symbol, of_class, prototype.parameters), simple=rules.simple(symbol, of_class, returns),
            **{"class": of_class}))
    for name, (version, since, of_class) in rules.UNDOCUMENTED_DRIVER.items():
        rows.append(row(name, version=version, since=since, returns="status", source="asked for by libcudart.so.13",
                        device="-", simple=rules.simple(name, of_class, "status"), **{"class": of_class}))
    return rows


def runtime_libraries(all_wheels):
    """Returns soname -> (release -> exported names of libcudart.so.<soname>)."""
    found = defaultdict(dict)
    for release, pin in wheels.RUNTIME.items():
        library, image = all_wheels[pin].library(r"libcudart\.so\.[\d.]+")
        found[library.removeprefix("libcudart.so.")][release] = elf.exported_functions(image)
    return found


def runtime_rows(all_wheels):
    """Returns one row per export, or several if its arguments differ between libcudarts."""
    rows = {}
    for soname, releases in runtime_libraries(all_wheels).items():
        api = read_cuda_headers(all_wheels, RUNTIME_HEADERS, releases)
        for name in set().union(*releases.values()):
            columns = runtime_columns(api, name)
            since = next(release for release, names in releases.items() if name in names)
            known = rows.setdefault((name, columns["device"]), row(name, since=since, **columns))
            known.update(columns)
            known["sonames"] = soname if known["sonames"] == "-" else f"{known['sonames']},{soname}"
    return list(rows.values())


def runtime_columns(api, name):
    symbol = split_export(name)[0]
    if name not in api.prototypes:
        return undocumented_columns(symbol)
    returns, parameters = returns_column(api.prototypes[name].returns), api.prototypes[name].parameters
    of_class = rules.call_class(symbol, api.group.get(symbol))
    return {"class": of_class, "device": rules.device(symbol, of_class, parameters), "returns": returns,
            "simple": rules.simple(symbol, of_class, returns), "source": api.source(name, symbol)}


def undocumented_columns(symbol):
    returns, parameters, of_class, simple, source = rules.UNDOCUMENTED[symbol]
    return {"class": of_class, "device": rules.device(symbol, of_class, parameters), "returns": returns_column(returns),
            "simple": simple, "source": source}


def nvml_rows(all_wheels):
    api = Api()
    for release, pin in wheels.NVML.items():
        api.add(release, "nvml.h", [all_wheels[pin].header("nvml.h")], NVML_DEFINES)
    rows = []
    for name, prototype in api.prototypes.items():
        symbol = split_export(name)[0]
        of_class = rules.nvml_class(symbol, api.group.get(symbol, ""))
        rows.append(row(name, since=api.since[name], device=rules.nvml_device(symbol, prototype.parameters),
                        returns=returns_column(prototype.returns), simple="pass", source=api.source(name, symbol),
                        **{"class": of_class}))
    return rows


def nccl_rows(all_wheels):
    """Returns the rows of NCCL without pnccl*. A profiler's nccl* calls pnccl*, so each call would be counted twice."""
    api, exports = Api(), {}
    for release, pin in wheels.NCCL.items():
        wheel = all_wheels[pin]
        api.add(release, "nccl.h", [wheel.header("nccl.h")], NCCL_DEFINES)
        if wheel.header("host.h"):
            api.add(release, "nccl_device/host.h", [wheel.header("nccl.h"), wheel.header("host.h")], NCCL_DEFINES)
        for name in elf.exported_functions(wheel.library(r"libnccl\.so\.2")[1]):
            exports.setdefault(name, release)
    names = {name for name in api.prototypes.keys() | exports.keys() if not name.startswith("pnccl")}
    return [row(name, since=api.since.get(name) or exports[name], **nccl_columns(api, name)) for name in names]


def nccl_columns(api, name):
    if name not in api.prototypes:
        return undocumented_columns(name)
    prototype = api.prototypes[name]
    of_class = rules.match(rules.NCCL_CLASS_OF_NAME, name)
    device = "none" if of_class == "pure" else rules.named_by_argument(rules.slots(prototype.parameters))
    return {"class": of_class, "device": device, "returns": returns_column(prototype.returns), "simple": "pass",
            "source": api.header[name]}


def error_rows(all_wheels):
    """Returns every enumerator of the four status types in any release, with its newest value."""
    enums = [
        ("driver", "cuda.h", "cudaError_enum", wheels.RUNTIME),
        ("runtime", "driver_types.h", "cudaError", wheels.RUNTIME),
        ("nvml", "nvml.h", "nvmlReturn_enum", wheels.NVML),
        ("nccl", "nccl.h", "ncclResult_t", wheels.NCCL),
    ]
    rows = []
    for api, header, enum_type, pins in enums:
        values = {}
        for pin in pins.values():
            values.update(prototypes.enumerators(all_wheels[pin].header(header), enum_type))
        values.pop("ncclNumResults", None)
        rows += [{"api": api, "name": name, "code": str(code), "source": f"{header} {enum_type}"}
                 for name, code in values.items()]
    return rows


def build(all_wheels):
    """Returns file name -> (columns, rows, sort key) for every table."""

    def by_export(line):
        return line["export"], line["sonames"]

    def by_code(line):
        return line["api"], int(line["code"]), line["name"]

    return {
        "cuda_driver.tsv": (COLUMNS, driver_rows(all_wheels), by_export),
        "cuda_runtime.tsv": (COLUMNS, runtime_rows(all_wheels), by_export),
        "nvml.tsv": (COLUMNS, nvml_rows(all_wheels), by_export),
        "nccl.tsv": (COLUMNS, nccl_rows(all_wheels), by_export),
        "errors.tsv": (ERROR_COLUMNS, error_rows(all_wheels), by_code),
    }
