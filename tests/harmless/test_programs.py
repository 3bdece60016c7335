# SPDX-License-Identifier: Apache-2.0
"""Tests that programs without CUDA behave the same with the library as without it."""

import subprocess
import sys
from pathlib import Path

import debian
import pytest
from harmless.support import BASH, OUT, PERL, PROGRAMS, check_same, require_programs, shell
from harness import build, clean_environment


def compiled_command(name, *flags):
    return lambda: [build(OUT / name, PROGRAMS / f"{name}.c", "-O1", *flags)]


def static_command():
    return [build(OUT / "processes-static", PROGRAMS / "processes.c", "-O1", "-static", "-pthread")]


def loading_command():
    """Builds a program and a plugin, and returns the command that loads the plugin."""
    build(OUT / "plugin.so", PROGRAMS / "plugin.c", "-shared", "-fPIC")
    return [build(OUT / "loading", PROGRAMS / "loading.c", "-O1", "-rdynamic", "-ldl"), OUT]


def go_command(*flags):
    def make_command():
        require_programs("go")
        target = OUT / f"hello{''.join(flags)}"
        environment = {**clean_environment(), "CGO_ENABLED": "0", "GO111MODULE": "off"}
        subprocess.run(["go", "build", *flags, "-o", target, PROGRAMS / "hello.go"], env=environment, check=True)
        return [target]

    return make_command


def installed_command(program, command):
    def make_command():
        require_programs(program)
        return command

    return make_command


def sshd_command():
    """Returns a command with which sshd reads its settings and host key, prints the settings, and exits."""
    require_programs("ssh-keygen")
    program = Path("/usr/sbin/sshd")
    libraries: str | Path = ""
    if not program.exists():
        tree = debian.unpack(OUT / "sshd", "bookworm", "main", ["openssh-server", "libwrap0"])
        program, libraries = tree / "usr/sbin/sshd", tree / "usr/lib/x86_64-linux-gnu"
    return shell(
        f"ssh-keygen -q -N '' -t ed25519 -f key; export LD_LIBRARY_PATH={libraries}; {program} -T -f /dev/null -h $PWD/key"
    )


GIT = """
export HOME=$PWD GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git init -q -b main; git config user.name N; git config user.email n@example.com
echo one >file; git add file; git commit -q -m first; echo two >>file; git commit -q -a -m second
git log --oneline; git diff HEAD~1; git gc -q; git fsck; git clone -q . clone; git -C clone log -1 --format=%H
"""
TAR = """
mkdir tree; for n in 1 2 3; do echo $n >tree/$n; done
tar --sort=name --mtime=@0 -czf tree.tar.gz tree; tar -tvf tree.tar.gz; mkdir out; tar -C out -xf tree.tar.gz
diff -r tree out/tree; md5sum tree.tar.gz
"""
COREUTILS = """
ls -la /usr /etc/passwd; printf 'b\\nc\\na\\n' | sort -r | tee copy; cp copy other; mv other third; wc -l third
date -u -d @0; seq 100 | shuf --random-source=/dev/zero -n 3; head -c 1000 /dev/zero | sha256sum; rm third; nproc
ln -s copy link; stat -c '%F %s' link copy; dd if=/dev/zero bs=1k count=10 2>/dev/null | cksum; timeout 5 sleep 0.01
ls /no/such/folder || echo $?
"""
PROGRAMS_WITHOUT_CUDA = (
    ("sh", lambda: shell("echo $0; for i in 1 2; do echo $i; done; (exit 4) || echo $?; echo to stderr >&2; exit 6")),
    ("bash", installed_command("bash", ["bash", "-c", BASH])),
    ("coreutils", lambda: shell(COREUTILS)),
    (
        "find, xargs, sed, grep",
        lambda: shell("mkdir a; touch a/1 a/2; find a | sort | xargs -n1 echo | sed s/a/b/ | grep -c b"),
    ),
    ("awk", lambda: ["awk", 'BEGIN { "echo child" | getline x; print x, 6 * 7; exit 3 }']),
    ("tar and gzip", lambda: shell(TAR)),
    ("git", installed_command("git", shell(GIT))),
    ("gcc", lambda: shell("echo 'int main(void) { return 9; }' >a.c; gcc -o a a.c; ./a")),
    ("make", installed_command("make", shell("printf 'all: a b\\na b:\\n\\t@echo $@\\n' >Makefile; make -j2 | sort"))),
    ("Python processes, threads, ctypes", lambda: [sys.executable, PROGRAMS / "python_processes.py"]),
    (
        "Python modules",
        lambda: [sys.executable, "-c", "import asyncio, json, sqlite3, ssl, socket, tempfile; print(json.dumps(1))"],
    ),
    ("perl", installed_command("perl", ["perl", "-e", PERL])),
    ("openssl", installed_command("openssl", shell("echo text | openssl dgst -sha256"))),
    (
        "node",
        installed_command(
            "node", ["node", "-e", "require('child_process').exec('echo child', (e, out) => console.log(out))"]
        ),
    ),
    ("sshd", sshd_command),
    ("Go", go_command()),
    ("C, static", static_command),
    ("C, processes and threads", compiled_command("processes", "-pthread")),
    ("C, dynamic linking", loading_command),
)


@pytest.mark.parametrize(
    ("name", "make_command"), PROGRAMS_WITHOUT_CUDA, ids=[name for name, _ in PROGRAMS_WITHOUT_CUDA]
)
def test_program_without_cuda_behaves_the_same(work, name, make_command):
    check_same(work, name, make_command())
