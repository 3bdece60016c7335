# SPDX-License-Identifier: Apache-2.0
"""Tests programs under debuggers and tracers, programs of other users, symbol lookups, and programs with other C
libraries."""

import os
import re

import debian
import pytest
from harmless.support import (
    ALL_WAYS,
    ALLOCATION_FAULT,
    BASH,
    DISARMED_WAYS,
    LINKING,
    OUT,
    PERL,
    PROGRAMS,
    check_same,
    require_programs,
    shell,
)
from harness import LIBRARY, SIMGPU, Skip, build, compile_with

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@only_root
def test_su_behaves_the_same(work):
    check_same(work, "su", ["su", "nobody", "-s", "/bin/sh", "-c", "id -un; exit 3"])


@only_root
def test_setuid_program_behaves_the_same(work):
    program = build(work.library.parent / "identity", PROGRAMS / "identity.c")
    os.chown(program, 0, 0)
    program.chmod(0o4755)
    command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", program]
    alone = check_same(work, "setuid program", command)
    assert alone.output == "0 1 1\n", "the effective user is root"


@pytest.fixture(params=["a program without CUDA", "a CUDA program"])
def debuggee(request):
    if request.param == "a program without CUDA":
        return build(OUT / "processes-debug", PROGRAMS / "processes.c", "-g", "-pthread")
    return build(OUT / "linked", LINKING / "linked.c", "-g", f"-L{SIMGPU}", "-l:libcuda.so.1", f"-Wl,-rpath,{SIMGPU}")


def test_gdb_output_is_unchanged(work, debuggee):
    require_programs("gdb")
    commands = ("set debuginfod enabled off", "break main", "run", "backtrace", "info locals", "next", "continue")
    script = [word for command in commands for word in ("-ex", command)]
    check_debugged(work, ["gdb", "-nx", "-q", "-batch", *script, debuggee])


def test_valgrind_output_is_unchanged(work, debuggee):
    require_programs("valgrind")
    check_same(work, "valgrind", ["valgrind", "-q", "--error-exitcode=99", debuggee], DISARMED_WAYS)


SOURCE_LINE = re.compile(r"Breakpoint|#\d|\d+\t|No locals|\w+ = \d")


def check_debugged(work, command):
    """Compares the debugger's lines about the source code. Other lines contain addresses or PIDs that differ between
    runs."""

    def source_lines(outcome):
        return outcome.code, [line for line in outcome.output.splitlines() if SOURCE_LINE.match(line)]

    alone = source_lines(work.execute(command, preload=[]))
    assert source_lines(work.execute(command)) == alone
    assert source_lines(work.execute(command, run=[])) == alone
    assert any("main" in line for line in alone[1]), alone


def test_lookups_without_cuda_are_unchanged(work):
    look_ups = build(OUT / "look_ups", PROGRAMS / "look_ups.c", "-ldl")
    check_same(work, "lookups without CUDA", [look_ups])
    weak = work.execute([build(OUT / "weak", PROGRAMS / "look_ups.c", "-DWEAK")])
    assert weak.behavior == (0, "cuInit 100\n", ""), "without CUDA, a weak cuInit returns the code for an absent driver"
    data = build(OUT / "data_symbol.so", PROGRAMS / "data_symbol.c", "-shared", "-fPIC")
    program = build(OUT / "data_symbol", PROGRAMS / "data_symbol.c", "-DPROGRAM", "-ldl")
    check_same(work, "a library whose cuInit is data, by dlsym", [program, data])
    bound = build(OUT / "data_symbol_bound.so", PROGRAMS / "data_symbol.c", "-shared", "-fPIC", "-Wl,-Bsymbolic")
    linked = build(OUT / "linked_data_symbol", PROGRAMS / "linked_data_symbol.c", bound, f"-Wl,-rpath,{OUT}")
    check_same(work, "a library whose cuInit is data, linked with -Bsymbolic", [linked])
    hidden = build(OUT / "data_symbol_in_program", PROGRAMS / "linked_data_symbol.c", PROGRAMS / "data_symbol.c")
    check_same(work, "a program whose cuInit is data", [hidden])


def test_library_drops_deepbind_of_cuda_plugins(work, loader):
    """The library drops RTLD_DEEPBIND for a plugin that mentions libcuda, unless CUDAFAULT_DEEPBIND=keep is set."""
    folder = OUT / "mentions"
    build(folder / "plugin.so", PROGRAMS / "plugin.c", '-DMENTION="libcuda.so.1"', "-shared", "-fPIC")
    command = [loader, folder]
    ways = [("CUDAFAULT_DEEPBIND=keep", {"environment": {"CUDAFAULT_DEEPBIND": "keep"}})]
    check_same(work, "a DEEPBIND plugin that mentions libcuda", command, ways)
    dropped = work.execute(command)
    assert "a DEEPBIND plugin calls the program's function" in dropped.output, dropped.behavior


def traced_calls(work, **options):
    """Returns the names of the system calls of /bin/true, and the files that it opens except the library."""
    log = work.library.parent / "strace.log"
    work.execute(["strace", "-f", "-o", log, "/bin/true"], **options)
    lines = log.read_text().splitlines()
    calls = {line.split("(")[0].split()[-1] for line in lines if "(" in line}
    opened = [line.split('"')[1] for line in lines if "openat(" in line and '"' in line]
    # In a run, each process opens the control block once, to record that it has loaded the library.
    library_files = re.compile(rf"{re.escape(LIBRARY.name)}$|^/proc/\d+/fd/\d+$")
    return calls, [file for file in opened if not library_files.search(file)]


# System calls that have lasting effects or start a process or thread.
LASTING_SYSTEM_CALLS = set(
    "clone clone3 fork vfork socket write writev memfd_create rt_sigaction prctl inotify_init1 timer_create unlink mkdir".split()
)
PROCESS_STATE_SCRIPT = (
    "ls /proc/self/task | wc -l; ls /proc/self/fd; "
    "env | grep -v -e ^LD_ -e ^CUDAFAULT_ -e ^ASAN_OPTIONS= | sort; ulimit -a; pwd"
)


@pytest.mark.parametrize(("way", "options"), ALL_WAYS, ids=[way for way, _ in ALL_WAYS])
def test_process_without_cuda_behaves_the_same(work, way, options):
    """The library adds no thread, open file, output or environment variable to the process."""
    alone = work.execute(shell(PROCESS_STATE_SCRIPT), preload=[])
    found = work.execute(shell(PROCESS_STATE_SCRIPT), **options)
    assert found.behavior == alone.behavior
    assert (list(work.folder.iterdir()), found.events) == ([], [])


@pytest.mark.parametrize(("way", "options"), ALL_WAYS, ids=[way for way, _ in ALL_WAYS])
def test_library_makes_no_system_call_with_lasting_effects(work, way, options):
    require_programs("strace")
    calls, opened = traced_calls(work, preload=[])
    more_calls, more_opened = traced_calls(work, **options)
    print("system calls that only the preloaded program makes:", *sorted(more_calls - calls))
    assert not (more_calls - calls) & LASTING_SYSTEM_CALLS
    assert more_opened == opened


OLD_PACKAGES = [
    "libc6",
    "libc6-dev",
    "coreutils",
    "dash",
    "bash",
    "perl-base",
    "libselinux1",
    "libpcre2-8-0",
    "libacl1",
    "libattr1",
    "libgmp10",
    "libtinfo6",
    "libcrypt1",
]


class OldGlibc:
    """glibc 2.31 and programs of the same Debian release, unpacked into a folder."""

    def __init__(self):
        tree = debian.unpack(OUT / "bullseye", "bullseye", "main", OLD_PACKAGES)
        folders = [tree / "lib/x86_64-linux-gnu", tree / "usr/lib/x86_64-linux-gnu"]
        if not (folders[0] / "libc-2.31.so").exists():
            raise Skip("Debian bullseye does not contain glibc 2.31")
        self.tree, self.libraries, self.development = tree, folders[0], folders[1]
        self.start = [self.libraries / "ld-2.31.so", "--library-path", ":".join(map(str, [OUT / "tiny", *folders]))]

    def program(self, name, *arguments):
        return [*self.start, self.tree / name, *arguments]

    def build(self, name, source, *flags):
        """Builds a program that is linked only to glibc 2.31, and returns the command that starts it."""
        start = [self.development / part for part in ("crt1.o", "crti.o")]
        end = [
            self.libraries / "libc.so.6",
            self.libraries / "libdl.so.2",
            self.development / "libc_nonshared.a",
            self.development / "crtn.o",
        ]
        return [*self.start, build(OUT / name, "-nostdlib", "-no-pie", *start, source, *flags, *end)]


def test_library_works_with_glibc_2_31(work):
    name, old = "glibc 2.31", OldGlibc()
    tiny = build(
        OUT / "tiny" / "libcuda.so.1",
        PROGRAMS / "tiny_driver.c",
        "-O1",
        "-nostdlib",
        "-shared",
        "-fPIC",
        "-Wl,-soname,libcuda.so.1",
    )
    check_same(work, f"{name}, ls", old.program("bin/ls", "-l", "/usr"))
    check_same(work, f"{name}, dash", old.program("bin/dash", "-c", "echo $((6 * 7)); exit 3"))
    check_same(work, f"{name}, bash", old.program("bin/bash", "-c", BASH))
    check_same(work, f"{name}, perl", old.program("usr/bin/perl", "-e", PERL))
    for kind, command in (
        ("dlsym", [*old.build("old_by_dlsym", LINKING / "by_dlsym.c"), "local"]),
        ("linked", old.build("old_linked", LINKING / "linked.c", tiny)),
    ):
        alone = check_same(work, f"{name}, {kind}", command, DISARMED_WAYS)
        assert "allocation 0\n" in alone.output, (f"{name}, {kind}: works", alone.behavior)
        for bound in ({}, {"LD_BIND_NOW": "1"}):
            armed = work.execute(command, plan=ALLOCATION_FAULT, environment=bound)
            assert "allocation 719\n" in armed.output and armed.fired("cuMemAlloc_v2", 719), (
                f"{name}, {kind}: the fault fires {bound or ''}",
                armed.behavior,
            )


def test_calls_pass_through_under_musl(work, monkeypatch):
    """The library passes all calls through even if a fault is armed."""
    require_programs("musl-gcc")
    monkeypatch.setenv("REALGCC", "gcc")
    tiny = OUT / "tiny-musl" / "libcuda.so.1"
    build(tiny, PROGRAMS / "tiny_driver.c", "-O1", "-nostdlib", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1")

    def build_musl_program(name, source, *flags):
        compile_with("musl-gcc", "-O1", "-o", OUT / name, source, *flags)
        return OUT / name

    check_same(work, "musl, processes and threads", [build_musl_program("musl_processes", PROGRAMS / "processes.c")])
    command = [build_musl_program("musl_linked", LINKING / "linked.c", tiny)]
    check_same(work, "musl, linked", command, library_path=[tiny.parent])
    command = [build_musl_program("musl_dlopen", LINKING / "by_dlsym.c"), "local"]
    check_same(work, "musl, dlsym", command, library_path=[tiny.parent])
