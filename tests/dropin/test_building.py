# SPDX-License-Identifier: Apache-2.0
"""`make` in the drop-in directory: inside the repository, in a copy elsewhere, and the library it makes."""

import shutil
import subprocess
import sys

from harness import BUILD, SIMGPU, clean_environment, execute
from support import Place, with_path

CODES = {79: 100, 48: 214, 94: 214, 95: 999, 43: 702, 74: 217}
CALL_CUDA = "import ctypes; print(ctypes.CDLL('libcuda.so.1').cuInit(0))"
# As scripts/build does, if its arguments are these.
BUILD_ALL = """#!/bin/sh
[ "$*" = "release cudafault cudafault-one-file" ] || exit 1
mkdir -p ../build/generated ../build/bin
cp "{build}/generated/cudafault.one.cpp" ../build/generated/
cp "{build}/bin/cudafault" ../build/bin/
"""
PLAIN_PATH = {"PATH": "/usr/bin:/bin"}


def make(place, *arguments, **extra):
    whole = {**clean_environment(), **PLAIN_PATH, **extra}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=place.dropin, env=whole, capture_output=True, text=True, timeout=120)


def check_in_repository(checks, folder):
    """Where nothing is built yet, where all is built, and where something has been rebuilt."""
    place = Place(folder / "a repository")
    (place.root / "scripts").mkdir()
    script = place.root / "scripts" / "build"
    script.write_text(BUILD_ALL.format(build=BUILD))
    script.chmod(0o755)
    library = place.dropin / "fake_cuda_xid79.so"
    done = make(place)
    checks.expect("make builds the source, the program, the library", done.returncode == 0 and library.exists(), done)
    checks.expect("... and says where the program is", "program is ../build/bin/cudafault" in done.stdout, done.stdout)
    checks.expect("... and leaves nothing else", not (place.dropin / "cudafault.map").exists())
    made = library.stat().st_mtime_ns
    checks.expect("make again does nothing", make(place).returncode == 0 and library.stat().st_mtime_ns == made)
    (place.root / "build" / "generated" / "cudafault.one.cpp").touch()
    checks.expect("a new source is compiled", make(place).returncode == 0 and library.stat().st_mtime_ns > made)
    script.write_text("#!/bin/sh\nexit 1\n")
    shutil.rmtree(place.root / "build")
    done = make(place)
    checks.expect("a build that fails fails make", done.returncode != 0, done)
    return place


def check_copy(checks, folder, origin):
    place = Place(folder / "a copy")
    done = make(place)
    refused = done.returncode != 0 and "not found: run `make` in" in done.stderr
    checks.expect("a copy without the source says so", refused, done)
    shutil.copy(origin.dropin / "fake_cuda_xid79.cpp", place.dropin)
    done = make(place)
    refused = done.returncode != 0 and "put it on PATH" in done.stderr
    checks.expect("a copy without the program says so", refused, done)
    done = make(place, **with_path(BUILD / "bin"))
    checks.expect("a copy with both makes the library", done.returncode == 0, done)
    make(place, "clean")
    left = {path.name for path in place.dropin.glob("fake_cuda_xid79.*")}
    checks.equal("clean keeps the source of a copy", left, {"fake_cuda_xid79.cpp"})
    (place.dropin / "fake_cuda_xid79.cpp").write_text("// no command\nint x;\n")
    done = make(place, **with_path(BUILD / "bin"))
    checks.expect("a source without a command fails", done.returncode != 0 and "did not create" in done.stderr, done)
    (place.dropin / "fake_cuda_xid79.cpp").write_text("//   g++ -shared -o libcudafault.so THIS_FILE\nnot C++\n")
    done = make(place, **with_path(BUILD / "bin"))
    broken = done.returncode != 0 and not (place.dropin / "fake_cuda_xid79.so").exists()
    checks.expect("a source that does not compile fails", broken, done)


def check_library(checks, place, folder):
    # Away from its folder, for LD_PRELOAD cannot name a path with a space.
    library = shutil.copy(place.dropin / "fake_cuda_xid79.so", folder)

    def cu_init(**environment):
        done = execute(
            [sys.executable, "-c", CALL_CUDA], preload=[library], library_path=[SIMGPU], environment=environment
        )
        return done.output.strip() or done.errors

    for xid, code in CODES.items():
        found = cu_init(CUDA_FAULT_INJECTION_ENABLED="1", CUDA_XID_TYPE=str(xid))
        checks.equal(f"XID {xid}: cuInit answers", found, str(code))
    checks.equal("without CUDA_XID_TYPE it is 79", cu_init(CUDA_FAULT_INJECTION_ENABLED="1"), "100")
    checks.equal("0 disables it", cu_init(CUDA_FAULT_INJECTION_ENABLED="0", CUDA_XID_TYPE="79"), "0")
    checks.equal("nothing said: nothing fails", cu_init(), "0")
