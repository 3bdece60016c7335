# SPDX-License-Identifier: Apache-2.0
"""Programs that look closely: debuggers, tracers, other users' programs, look-ups, and other C libraries."""

import os
import re

import debian
import pytest
from harmless.support import (
    ALLOCATION_FAULT,
    BASH,
    DISARMED_WAYS,
    IN_WAYS,
    LINKING,
    OUT,
    PERL,
    PROGRAMS,
    check_same,
    need,
    shell,
)
from harness import LIBRARY, SIMGPU, Skip, build, compile_with

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@only_root
def test_su(place):
    check_same(place, "su", ["su", "nobody", "-s", "/bin/sh", "-c", "id -un; exit 3"])


@only_root
def test_setuid_program(place):
    program = build(place.library.parent / "identity", PROGRAMS / "identity.c")
    os.chown(program, 0, 0)
    program.chmod(0o4755)
    command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", program]
    alone = check_same(place, "setuid program", command)
    assert alone.output == "0 1 1\n", "the program runs as root"


@pytest.fixture(params=["a program without CUDA", "a CUDA program"])
def debuggee(request):
    if request.param == "a program without CUDA":
        return build(OUT / "processes-debug", PROGRAMS / "processes.c", "-g", "-pthread")
    return build(OUT / "linked", LINKING / "linked.c", "-g", f"-L{SIMGPU}", "-l:libcuda.so.1", f"-Wl,-rpath,{SIMGPU}")


def test_gdb(place, debuggee):
    need("gdb")
    commands = ("set debuginfod enabled off", "break main", "run", "backtrace", "info locals", "next", "continue")
    script = [word for command in commands for word in ("-ex", command)]
    check_debugged(place, ["gdb", "-nx", "-q", "-batch", *script, debuggee])


def test_valgrind(place, debuggee):
    need("valgrind")
    check_same(place, "valgrind", ["valgrind", "-q", "--error-exitcode=99", debuggee], DISARMED_WAYS)


FROM_DEBUGGER = re.compile(r"Breakpoint|#\d|\d+\t|No locals|\w+ = \d")


def check_debugged(place, command):
    """Compares what the debugger says about the source; addresses and process numbers differ from run to run."""

    def said(outcome):
        return outcome.code, [line for line in outcome.output.splitlines() if FROM_DEBUGGER.match(line)]

    alone = said(place.execute(command, preload=[]))
    assert said(place.execute(command)) == alone
    assert said(place.execute(command, run=[])) == alone
    assert any("main" in line for line in alone[1]), alone


def test_look_ups(place):
    look_ups = build(OUT / "look_ups", PROGRAMS / "look_ups.c", "-ldl")
    check_same(place, "look-ups where there is no CUDA", [look_ups])
    weak = place.execute([build(OUT / "weak", PROGRAMS / "look_ups.c", "-DWEAK")])
    assert weak.behaviour == (0, "cuInit 100\n", ""), "weak cuInit where there is no CUDA: answers as the absent driver"
    data = build(OUT / "data_symbol.so", PROGRAMS / "data_symbol.c", "-shared", "-fPIC")
    program = build(OUT / "data_symbol", PROGRAMS / "data_symbol.c", "-DPROGRAM", "-ldl")
    check_same(place, "a library whose cuInit is data, by dlsym", [program, data])
    bound = build(OUT / "data_symbol_bound.so", PROGRAMS / "data_symbol.c", "-shared", "-fPIC", "-Wl,-Bsymbolic")
    linked = build(OUT / "linked_data_symbol", PROGRAMS / "linked_data_symbol.c", bound, f"-Wl,-rpath,{OUT}")
    check_same(place, "a library whose cuInit is data, linked with -Bsymbolic", [linked])
    hidden = build(OUT / "data_symbol_in_program", PROGRAMS / "linked_data_symbol.c", PROGRAMS / "data_symbol.c")
    check_same(place, "a program whose cuInit is data", [hidden])


def test_deepbind(place, loader):
    """A plugin that mentions libcuda loses RTLD_DEEPBIND, unless the user says otherwise."""
    folder = OUT / "mentions"
    build(folder / "plugin.so", PROGRAMS / "plugin.c", '-DMENTION="libcuda.so.1"', "-shared", "-fPIC")
    command = [loader, folder]
    ways = [("CUDAFAULT_DEEPBIND=keep", {"environment": {"CUDAFAULT_DEEPBIND": "keep"}})]
    check_same(place, "a DEEPBIND plugin that mentions libcuda", command, ways)
    dropped = place.execute(command)
    assert "a DEEPBIND plugin calls the program's function" in dropped.output, dropped.behaviour


def traced_calls(place, **options):
    """System calls of /bin/true that leave something behind or start something, and the files it opens."""
    log = place.library.parent / "strace.log"
    place.execute(["strace", "-f", "-o", log, "/bin/true"], **options)
    lines = log.read_text().splitlines()
    calls = {line.split("(")[0].split()[-1] for line in lines if "(" in line}
    opened = [line.split('"')[1] for line in lines if "openat(" in line and '"' in line]
    return calls, [file for file in opened if not file.endswith(LIBRARY.name)]


# System calls that leave something behind or start something.
ACTIONS = set(
    "clone clone3 fork vfork socket write writev memfd_create rt_sigaction prctl inotify_init1 timer_create unlink mkdir".split()
)
SHOW = "ls /proc/self/task | wc -l; ls /proc/self/fd; env | grep -v -e ^LD_ -e ^CUDAFAULT_ | sort; ulimit -a; pwd"


@pytest.mark.parametrize(("way", "options"), IN_WAYS, ids=[way for way, _ in IN_WAYS])
def test_process_without_cuda_shows_no_trace(place, way, options):
    """No thread, no file, no output, no change to the environment."""
    alone = place.execute(shell(SHOW), preload=[])
    found = place.execute(shell(SHOW), **options)
    assert found.behaviour == alone.behaviour
    assert (list(place.folder.iterdir()), found.events) == ([], [])


@pytest.mark.parametrize(("way", "options"), IN_WAYS, ids=[way for way, _ in IN_WAYS])
def test_system_calls_of_true(place, way, options):
    need("strace")
    calls, opened = traced_calls(place, preload=[])
    more_calls, more_opened = traced_calls(place, **options)
    print("system calls that only the preloaded program makes:", *sorted(more_calls - calls))
    assert not (more_calls - calls) & ACTIONS
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
    """glibc 2.31 and programs of its time, unpacked beside the machine's own."""

    def __init__(self):
        tree = debian.unpack(OUT / "bullseye", "bullseye", "main", OLD_PACKAGES)
        folders = [tree / "lib/x86_64-linux-gnu", tree / "usr/lib/x86_64-linux-gnu"]
        if not (folders[0] / "libc-2.31.so").exists():
            raise Skip("Debian bullseye has another glibc than 2.31 now")
        self.tree, self.libraries, self.development = tree, folders[0], folders[1]
        self.start = [self.libraries / "ld-2.31.so", "--library-path", ":".join(map(str, [OUT / "tiny", *folders]))]

    def program(self, name, *arguments):
        return [*self.start, self.tree / name, *arguments]

    def build(self, name, source, *flags):
        """Linked with glibc 2.31 and nothing of the machine's own."""
        start = [self.development / part for part in ("crt1.o", "crti.o")]
        end = [
            self.libraries / "libc.so.6",
            self.libraries / "libdl.so.2",
            self.development / "libc_nonshared.a",
            self.development / "crtn.o",
        ]
        return [*self.start, build(OUT / name, "-nostdlib", "-no-pie", *start, source, *flags, *end)]


def test_old_glibc(place):
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
    check_same(place, f"{name}, ls", old.program("bin/ls", "-l", "/usr"))
    check_same(place, f"{name}, dash", old.program("bin/dash", "-c", "echo $((6 * 7)); exit 3"))
    check_same(place, f"{name}, bash", old.program("bin/bash", "-c", BASH))
    check_same(place, f"{name}, perl", old.program("usr/bin/perl", "-e", PERL))
    for kind, command in (
        ("dlsym", [*old.build("old_by_dlsym", LINKING / "by_dlsym.c"), "local"]),
        ("linked", old.build("old_linked", LINKING / "linked.c", tiny)),
    ):
        alone = check_same(place, f"{name}, {kind}", command, DISARMED_WAYS)
        assert "allocation 0\n" in alone.output, (f"{name}, {kind}: works", alone.behaviour)
        for bound in ({}, {"LD_BIND_NOW": "1"}):
            armed = place.execute(command, plan=ALLOCATION_FAULT, environment=bound)
            assert "allocation 719\n" in armed.output and armed.fired("cuMemAlloc_v2", 719), (
                f"{name}, {kind}: the fault fires {bound or ''}",
                armed.behaviour,
            )


def test_musl(place, monkeypatch):
    """The library loads, and passes everything through, even a fault that is armed."""
    need("musl-gcc")
    monkeypatch.setenv("REALGCC", "gcc")
    tiny = OUT / "tiny-musl" / "libcuda.so.1"
    build(tiny, PROGRAMS / "tiny_driver.c", "-O1", "-nostdlib", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1")

    def program(name, source, *flags):
        compile_with("musl-gcc", "-O1", "-o", OUT / name, source, *flags)
        return OUT / name

    check_same(place, "musl, processes and threads", [program("musl_processes", PROGRAMS / "processes.c")])
    check_same(place, "musl, linked", [program("musl_linked", LINKING / "linked.c", tiny)], library_path=[tiny.parent])
    command = [program("musl_dlopen", LINKING / "by_dlsym.c"), "local"]
    check_same(place, "musl, dlsym", command, library_path=[tiny.parent])
