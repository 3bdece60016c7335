# SPDX-License-Identifier: Apache-2.0
"""Tests the device files of simulated GPUs. Some programs test whether these files exist before they call CUDA."""

import subprocess
import sys
from pathlib import Path

import pytest
from harness import SIMGPU, Outcome, build, cudafault

# Tests whether the files exist, in the same way as JAX.
LIST_FILES = (
    "import os; print([os.path.exists(f'/dev/nvidia{end}') for end in ('0', '1', '2', 'ctl', '-uvm', '01', 'x')])"
)

# Calls every function that libdevicefiles.so replaces. For each function, prints its name and then 1 if it found the
# file, or 0 if not. glibc exports some of the functions only for programs built with an older release, so the program
# cannot link them and calls dlsym instead.
EVERY_FUNCTION = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __x86_64__
#define STAT_VERSION 1
#else
#define STAT_VERSION 0
#endif

typedef int Open(const char*, int, ...), OpenAt(int, const char*, int, ...);
typedef int OpenWithoutMode(const char*, int), OpenAtWithoutMode(int, const char*, int), Creat(const char*, mode_t);
typedef FILE *Fopen(const char*, const char*), *Freopen(const char*, const char*, FILE*);
typedef int Access(const char*, int), AccessAt(int, const char*, int, int);
typedef int Stat(const char*, struct stat*), StatAt(int, const char*, struct stat*, int);
typedef int OldStat(int, const char*, struct stat*), OldStatAt(int, int, const char*, struct stat*, int);
typedef int ExtendedStat(int, const char*, int, unsigned, struct statx*);
typedef char *Realpath(const char*, char*), *CheckedRealpath(const char*, char*, size_t), *Canonicalize(const char*);

#define CALL(type, name, ...) ((type*)dlsym(RTLD_DEFAULT, name))(__VA_ARGS__)

static const char* file;
static struct stat status;
static struct statx extended;
static char resolved[PATH_MAX];

static void report(const char* name, int found) { printf("%s %d\n", name, found); }
static int is_null_device(int fd) { return fd >= 0 && read(fd, resolved, 1) == 0; }
static int is_device(int result) { return result == 0 && S_ISCHR(status.st_mode); }
static int is_file(const char* path) {
    return path && strncmp(path, "/dev/nvidia", 11) == 0 && strcmp(strrchr(path, '/'), strrchr(file, '/')) == 0;
}

static void open_file(void) {
    for (const char** name = (const char*[]){"open", "open64", NULL}; *name; ++name)
        report(*name, is_null_device(CALL(Open, *name, file, O_RDONLY)));
    for (const char** name = (const char*[]){"openat", "openat64", NULL}; *name; ++name)
        report(*name, is_null_device(CALL(OpenAt, *name, AT_FDCWD, file, O_RDONLY)));
    for (const char** name = (const char*[]){"__open_2", "__open64_2", NULL}; *name; ++name)
        report(*name, is_null_device(CALL(OpenWithoutMode, *name, file, O_RDONLY)));
    for (const char** name = (const char*[]){"__openat_2", "__openat64_2", NULL}; *name; ++name)
        report(*name, is_null_device(CALL(OpenAtWithoutMode, *name, AT_FDCWD, file, O_RDONLY)));
    for (const char** name = (const char*[]){"creat", "creat64", NULL}; *name; ++name)
        report(*name, CALL(Creat, *name, file, 0600) >= 0);
    for (const char** name = (const char*[]){"fopen", "fopen64", NULL}; *name; ++name)
        report(*name, CALL(Fopen, *name, file, "r") != NULL);
    for (const char** name = (const char*[]){"freopen", "freopen64", NULL}; *name; ++name)
        report(*name, CALL(Freopen, *name, file, "r", fopen("/dev/null", "r")) != NULL);
}

static void test_file(void) {
    for (const char** name = (const char*[]){"access", "eaccess", "euidaccess", NULL}; *name; ++name)
        report(*name, CALL(Access, *name, file, R_OK | W_OK) == 0);
    report("faccessat", CALL(AccessAt, "faccessat", AT_FDCWD, file, R_OK, 0) == 0);
    for (const char** name = (const char*[]){"stat", "stat64", "lstat", "lstat64", NULL}; *name; ++name)
        report(*name, is_device(CALL(Stat, *name, file, &status)));
    for (const char** name = (const char*[]){"fstatat", "fstatat64", NULL}; *name; ++name)
        report(*name, is_device(CALL(StatAt, *name, AT_FDCWD, file, &status, 0)));
    for (const char** name = (const char*[]){"__xstat", "__xstat64", "__lxstat", "__lxstat64", NULL}; *name; ++name)
        report(*name, is_device(CALL(OldStat, *name, STAT_VERSION, file, &status)));
    for (const char** name = (const char*[]){"__fxstatat", "__fxstatat64", NULL}; *name; ++name)
        report(*name, is_device(CALL(OldStatAt, *name, STAT_VERSION, AT_FDCWD, file, &status, 0)));
    report("statx", CALL(ExtendedStat, "statx", AT_FDCWD, file, 0, STATX_TYPE, &extended) == 0);
}

static void resolve_file(void) {
    report("realpath", is_file(CALL(Realpath, "realpath", file, NULL)));
    report("__realpath_chk", is_file(CALL(CheckedRealpath, "__realpath_chk", file, resolved, sizeof resolved)));
    report("canonicalize_file_name", is_file(CALL(Canonicalize, "canonicalize_file_name", file)));
}

int main(int argc, char** argv) {
    file = argv[argc - 1];
    if (geteuid() == 0 && seteuid(65534) != 0) return 1;  // root could create the file in /dev
    open_file();
    test_file();
    resolve_file();
    return 0;
}
"""

# Functions of libc that a program or a library redefines.
INTERPOSERS = {
    "dlsym": r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#ifdef __x86_64__
#define FIRST_VERSION "GLIBC_2.2.5"
#else
#define FIRST_VERSION "GLIBC_2.17"
#endif
void* dlsym(void* handle, const char* name) {
    static void* (*next)(void*, const char*);
    if (!next) *(void**)&next = dlvsym(RTLD_NEXT, "dlsym", FIRST_VERSION);
    return next(handle, name);
}
""",
    "getenv": r"""
#include <stddef.h>
char* getenv(const char* name) {
    (void)name;
    return NULL;
}
""",
}

CONSTRUCTOR = r"""
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void start(void) {
    FILE* stream = fopen("/proc/self/status", "r");
    printf("%d %d\n", stream != NULL && fgetc(stream) == 'N', access("/dev/nvidia0", F_OK) == 0);
}
"""

COUNTING_FOPEN = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
FILE* fopen(const char* path, const char* mode) {
    FILE* (*next)(const char*, const char*);
    *(void**)&next = dlsym(RTLD_NEXT, "fopen");
    printf("library's fopen\n");
    return next(path, mode);
}
"""

OPEN_DEVICE = r"""
#include <stdio.h>
int main(void) {
    printf("%d\n", fopen("/dev/nvidia0", "r") != NULL);
    return 0;
}
"""


def compile_source(output: Path, text: str, *arguments: object) -> Path:
    source = output.with_suffix(".c")
    source.write_text(text)
    return build(output, source, *arguments)


def library(output: Path, text: str) -> Path:
    return compile_source(output, text, "-shared", "-fPIC")


def replaced_functions() -> set:
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", SIMGPU / "libdevicefiles.so"], capture_output=True, text=True, check=True
    )
    return {line.split()[-1] for line in symbols.stdout.splitlines()}


def results(outcome: Outcome) -> dict:
    """Returns the output of EVERY_FUNCTION as a dictionary."""
    assert outcome.code == 0, outcome
    return dict(line.split() for line in outcome.output.splitlines())


def existing_files(**environment: str) -> str:
    return cudafault("run", "--gpus", "sim:2", "--", sys.executable, "-c", LIST_FILES, **environment).output.strip()


def test_only_files_of_simulated_gpus_exist():
    assert existing_files() == str([True, True, False, True, True, False, False])


def test_device_files_can_be_disabled():
    real = subprocess.run([sys.executable, "-c", LIST_FILES], capture_output=True, text=True, check=True).stdout.strip()
    assert existing_files(CUDAFAULT_SIM_DEVICE_FILES="0") == real


def test_run_on_real_gpus_has_no_simulated_files():
    outcome = cudafault("run", "--gpus", "real", "--", "sh", "-c", "echo $LD_PRELOAD $CUDAFAULT_SIM_DEVICE_FILES")
    assert "libdevicefiles" not in outcome.output


def test_disabled_library_is_not_preloaded():
    command = ("run", "--gpus", "sim:1", "--", "sh", "-c", "echo $LD_PRELOAD")
    assert "libdevicefiles" in cudafault(*command).output
    assert "libdevicefiles" not in cudafault(*command, CUDAFAULT_SIM_DEVICE_FILES="0").output


@pytest.mark.parametrize(
    "file, found",
    [
        ("/dev/nvidia0", "1"),
        ("/dev/nvidia7", "0"),
        ("//dev/./nvidia0", "1"),
        ("/./dev//nvidiactl", "1"),
        ("/dev/nvidia0/", "0"),
        ("/devnvidia0", "0"),
        ("/dev./nvidia0", "0"),
    ],
)
def test_every_function_finds_only_files_of_simulated_gpus(file, found, tmp_path):
    program = compile_source(tmp_path / "every_function", EVERY_FUNCTION)
    outcome = cudafault("run", "--gpus", "sim:1", "--", program, file)
    assert results(outcome) == dict.fromkeys(replaced_functions(), found)


@pytest.mark.parametrize("function", INTERPOSERS)
def test_program_can_define_a_function_of_libc(function, tmp_path):
    interposer = tmp_path / "interposer.c"
    interposer.write_text(INTERPOSERS[function])
    program = compile_source(tmp_path / "every_function", EVERY_FUNCTION, interposer, "-rdynamic")
    outcome = cudafault("run", "--gpus", "sim:1", "--", program, "/dev/nvidia0")
    assert results(outcome) == dict.fromkeys(replaced_functions(), "1")


@pytest.mark.parametrize("function", INTERPOSERS)
def test_preloaded_library_can_define_a_function_of_libc(function, tmp_path):
    interposer = library(tmp_path / "interposer.so", INTERPOSERS[function])
    program = compile_source(tmp_path / "every_function", EVERY_FUNCTION)
    outcome = cudafault("run", "--gpus", "sim:1", "--", program, "/dev/nvidia0", LD_PRELOAD=str(interposer))
    assert results(outcome) == dict.fromkeys(replaced_functions(), "1")


def test_library_constructors_open_all_files(tmp_path):
    linked = library(tmp_path / "libconstructor.so", CONSTRUCTOR)
    program = compile_source(tmp_path / "program", "int main(void) { return 0; }", "-Wl,--no-as-needed", linked)
    assert cudafault("run", "--gpus", "sim:1", "--", program).behavior == (0, "1 1\n", "")


def test_function_defined_in_linked_library_is_called(tmp_path):
    linked = library(tmp_path / "libcounting.so", COUNTING_FOPEN)
    program = compile_source(tmp_path / "program", OPEN_DEVICE, "-Wl,--no-as-needed", linked)
    assert cudafault("run", "--gpus", "sim:1", "--", program).behavior == (0, "library's fopen\n1\n", "")


def test_default_version_of_a_function_is_called():
    # The first version of glibc's realpath does not allocate the result.
    code = "import ctypes; print(ctypes.CDLL(None).realpath(b'/', None) != 0)"
    assert cudafault("run", "--gpus", "sim:1", "--", sys.executable, "-c", code).output == "True\n"


def test_files_exist_after_program_clears_environment():
    code = "import os; os.environ.clear(); print(os.path.exists('/dev/nvidia0'))"
    assert cudafault("run", "--gpus", "sim:1", "--", sys.executable, "-c", code).output == "True\n"


def test_other_files_are_unaffected(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    script = f"umask 027; echo content >{folder}/made; cat {folder}/made; stat -c %a {folder}/made; cat {folder}/none"
    outcome = cudafault("run", "--gpus", "sim:1", "--", "sh", "-c", script)
    assert outcome.output == "content\n640\n"
    assert "No such file or directory" in outcome.errors
