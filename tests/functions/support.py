# SPDX-License-Identifier: Apache-2.0
"""Builds stand-in libraries that record the calls of their functions, and a program that calls them."""

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import BUILD, LIBRARY, ROOT, Skip, clean_environment, compile_with, execute

HERE = Path(__file__).resolve().parent
OUT = BUILD / "functions"
UNKNOWN_COUNT = 1101  # the number of unknown functions that `caller unknown` looks up
HOOKS = {
    r"cuGetProcAddress": ("hook_resolver", 4),
    r"cuGetProcAddress_v2": ("hook_resolver", 5),
    r"cudaGetDriverEntryPoint(_ptsz)?": ("hook_resolver", 4),
    r"cudaGetDriverEntryPointByVersion(_ptsz)?": ("hook_resolver", 5),
    r"cudaGetLastError|cudaPeekAtLastError": ("hook_last_error", 0),
    r"cuInit|cuDeviceGetCount|cudaGetDeviceCount": ("hook_enumerate", 1),
}


@dataclass
class Library:
    soname: str
    table: str
    runtime: str = ""  # as in the column `sonames` of the table

    def rows(self):
        lines = (ROOT / "data" / self.table).read_text().splitlines()
        rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
        return [row for row in rows if not self.runtime or self.runtime in row["sonames"].split(",")]


LIBRARIES = [
    Library("libcuda.so.1", "cuda_driver.tsv"),
    Library("libcudart.so.11.0", "cuda_runtime.tsv", "11.0"),
    Library("libcudart.so.12", "cuda_runtime.tsv", "12"),
    Library("libcudart.so.13", "cuda_runtime.tsv", "13"),
    Library("libnvidia-ml.so.1", "nvml.tsv"),
    Library("libnccl.so.2", "nccl.tsv"),
]


@dataclass
class Architecture:
    name: str
    library: Path
    prefix: str = ""  # prefix of the names of the binutils and the compiler
    emulator: tuple = ()

    def run_tool(self, *arguments):
        program = [self.prefix + str(arguments[0]), *map(str, arguments[1:])]
        done = subprocess.run(program, capture_output=True, text=True, env=clean_environment())
        if done.returncode != 0:
            sys.exit(f"`{' '.join(program)}` failed: {done.stderr}")
        return done.stdout

    @property
    def folder(self):
        return OUT / self.name


def hook_of(name):
    return next((hook for pattern, hook in HOOKS.items() if re.fullmatch(pattern, name)), ("hook_none", 0))


def arguments_of(library, row):
    hook, arguments = hook_of(row["export"])
    # Runtime 11.0 has no argument driverStatus.
    return hook, 3 if row["export"].startswith("cudaGetDriverEntryPoint") and library.runtime == "11.0" else arguments


def write_tables():
    """Writes the function lists that the stand-ins and their caller include. Returns the number of functions."""
    OUT.mkdir(parents=True, exist_ok=True)
    all_entries, index = [], 0
    for number, library in enumerate(LIBRARIES):
        entries = []
        for row in library.rows():
            hook, arguments = arguments_of(library, row)
            status, simple, per_thread = (
                int(row[column] == value)
                for column, value in (("returns", "status"), ("simple", "fail"), ("mode", "per_thread"))
            )
            entries.append(f"FUNCTION({index}, {row['export']})")
            all_entries.append(
                f"FUNCTION({row['export']}, {number}, {status}, {simple}, {hook}, {arguments}, "
                f'"{row["symbol"]}", {row["version"].replace("-", "0")}, {per_thread})'
            )
            index += 1
        (OUT / f"library_{number}.inc").write_text("\n".join(entries) + "\n")
    (OUT / "functions.inc").write_text("\n".join(all_entries) + "\n")
    (OUT / "nothing.inc").write_text("")
    return index


def build_stand_in(machine, target, table, soname, *flags):
    target.parent.mkdir(parents=True, exist_ok=True)
    common = ["-shared", "-nostdlib", f"-Wl,-soname,{soname}", f'-DFUNCTIONS="{OUT / table}"']
    compile_with(f"{machine.prefix}gcc", "-o", target, HERE / "stand_in.S", *common, *flags)
    return target


def build_stand_ins(machine, number, library, count):
    """Builds the stand-in, a stand-in without functions, and two libraries that call the stand-in: one that is linked
    to it and one that is not. Returns the linked library."""
    table = f"library_{number}.inc"
    real = [f"-DREAL=real_{number}"]
    if library.runtime:
        script = OUT / f"{library.soname}.map"
        script.write_text(f"{library.soname} {{ global: *; }};\n")
        real.append(f"-Wl,--version-script={script}")
    unknown = ["-DUNKNOWN=unknown_functions", f"-DUNKNOWN_COUNT={UNKNOWN_COUNT}", f"-DUNKNOWN_INDEX={count}"]
    build_stand_in(machine, machine.folder / "absent" / library.soname, "nothing.inc", library.soname, *real)
    stand_in = machine.folder / "real" / library.soname
    build_stand_in(machine, stand_in, table, library.soname, *real, *([] if number else unknown))
    name, linked = f"liblinked_{number}.so", f"-DLINKED=linked_{number}"
    build_stand_in(machine, unversioned(machine, number), table, "libunversioned.so", linked)
    return build_stand_in(machine, machine.folder / name, table, name, linked, stand_in)


def unversioned(machine, number):
    """Returns the path of a library that calls the stand-in without being linked to it, as some plugins do."""
    return machine.folder / f"unversioned_{number}.so"


def build_caller(machine, name, *libraries):
    target = machine.folder / name
    sources = [HERE / "caller.c", HERE / f"registers_{machine.name}.S"]
    options = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-rdynamic", f"-I{OUT}"]
    search = [f"-Wl,-rpath,{machine.folder}", f"-Wl,-rpath-link,{machine.folder / 'real'}", "-Wl,--no-as-needed"]
    compile_with(f"{machine.prefix}gcc", "-o", target, *options, *sources, *search, *libraries, "-ldl")
    return target


def build_all(machine, count):
    libraries = [build_stand_ins(machine, number, library, count) for number, library in enumerate(LIBRARIES)]
    return build_caller(machine, "linked", *libraries), build_caller(machine, "by_dlsym")


def call(machine, program, arguments, plan=None, kind="real", preload=True):
    environment = {}
    command = [program, *arguments]
    if machine.emulator:
        preloaded = []
        variables = {"LD_LIBRARY_PATH": machine.folder / kind}
        if preload:
            variables["LD_PRELOAD"] = machine.library
        # These are variables of the emulated program, not of the emulator.
        pairs = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
        command = [*machine.emulator, *pairs, *command]
    else:
        preloaded = [machine.library] if preload else []
        environment["LD_LIBRARY_PATH"] = str(machine.folder / kind)
    return execute(command, plan=plan, preload=preloaded, environment=environment)


def check_caller(machine, program, arguments, **options):
    """Runs `caller`, and asserts that it checked at least one function and that no check failed."""
    outcome = call(machine, program, arguments, **options)
    lines = outcome.output.splitlines()
    failures: dict[str, str] = {}  # the first failure of each function
    for line in lines:
        if line.startswith("FAIL "):
            function, reason = line.removeprefix("FAIL ").split(": ", 1)
            failures.setdefault(function, reason)
    assert not failures
    counted = re.fullmatch(r"(\d+) functions", lines[-1]) if lines else None
    assert counted and int(counted[1]) > 0 and outcome.code == 0, outcome.behavior


def host() -> tuple[Architecture, Path]:
    return Architecture("x86_64", LIBRARY), Path("/lib/x86_64-linux-gnu/libc.so.6")


def emulated() -> tuple[Architecture, Path]:
    for program in ("qemu-aarch64", "aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")
    library = ROOT / "build-aarch64" / "lib" / LIBRARY.name
    subprocess.run([ROOT / "scripts" / "build", "aarch64-cross", "cudafault-preload"], check=True, stdout=subprocess.DEVNULL)
    system = Path("/usr/aarch64-linux-gnu")
    architecture = Architecture("aarch64", library, "aarch64-linux-gnu-", ("qemu-aarch64", "-L", system))
    return architecture, system / "lib" / "libc.so.6"
