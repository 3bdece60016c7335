# SPDX-License-Identifier: Apache-2.0
"""Tests `cudafault run`: exit codes, input and output, environment, signals and terminals."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.support import SIGNAL_PRINTER, ClientRun, assert_refused, child_of, status
from harness import LIBRARY, TIMEOUT, TOOL, Run, clean_environment, cudafault, wait_until

HANDLED_BY_RUN = {"SIGKILL", "SIGSTOP", "SIGCHLD", "SIGTTIN", "SIGTTOU", "SIGTSTP", "SIGCONT"}
SYNCHRONOUS = {"SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS"}
FORWARDED = sorted(number.name for number in signal.Signals if number.name not in HANDLED_BY_RUN | SYNCHRONOUS)


@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_run_returns_exit_code_of_command(code: int) -> None:
    assert cudafault("run", "--", "sh", "-c", f"exit {code}").code == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV], ids=lambda number: number.name)
def test_run_ends_with_signal_of_command(number: signal.Signals) -> None:
    assert cudafault("run", "--", "sh", "-c", f"kill -{int(number)} $$").code == -number


def test_shell_reports_128_plus_signal_number() -> None:
    script = f"'{TOOL}' run -- sh -c 'kill -TERM $$'; echo $?"
    assert subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout.strip() == "143"


def test_run_fails_if_command_cannot_start() -> None:
    assert_refused(cudafault("run", "--", "no-such-program"), 127, "no-such-program")
    assert_refused(cudafault("run", "--", "/etc/passwd"), 126, "/etc/passwd")
    commands = [run["command"] for run in cudafault("status", "--json").json["runs"]]
    assert ["no-such-program"] not in commands, "no run is recorded for a command that did not start"


def test_run_does_not_change_input_and_output() -> None:
    echoed = cudafault("run", "--", "cat", text_input="some input\n")
    assert echoed.behavior == (0, "some input\n", "")


@pytest.mark.parametrize("marker", [["--"], []], ids=["with --", "without --"])
def test_run_does_not_change_arguments(marker: list[str]) -> None:
    words = ["--name", "x", "--", "", "a b", "[p,q]", "{r}", "--help", "-v", "@f", "%", "é"]
    shown = cudafault("run", *marker, sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)
    assert shown.output.strip() == repr(words)


def test_run_adds_three_environment_variables() -> None:
    inside = cudafault("run", "--", "env").output.splitlines()
    added = {line.split("=")[0] for line in inside} - {*clean_environment(), "_"}
    assert added == {"ASAN_OPTIONS", "CUDAFAULT_RUN", "LD_PRELOAD"}


def test_command_inherits_no_file_descriptor() -> None:
    command = [sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd'))[:-1])"]
    alone = subprocess.run(command, check=True, input="", capture_output=True, text=True)
    assert cudafault("run", "--", *command).output == alone.stdout


def test_run_refuses_missing_library() -> None:
    outcome = cudafault("run", "--", "echo", "started", CUDAFAULT_LIBRARY="/nowhere/libcudafault.so")
    assert_refused(outcome, 125, "/nowhere/libcudafault.so")
    assert outcome.output == "", "the command did not start"


@pytest.mark.parametrize(("value", "warned"), [("1", True), ("0", False)])
def test_run_warns_if_library_is_disabled(value: str, warned: bool) -> None:
    outcome = cudafault("run", "--plan", "xid=79", "--", "true", CUDAFAULT_DISABLE=value)
    assert (outcome.code, "DISABLE" in outcome.errors) == (0, warned)


def link_library(folder: Path) -> str:
    """Links the library into a folder that has no simulated GPU libraries, and returns the link."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "libcudafault.so").symlink_to(LIBRARY)
    return str(folder / "libcudafault.so")


def test_run_refuses_missing_simulated_libraries(tmp_path: Path) -> None:
    library = link_library(tmp_path)
    outcome = cudafault("run", "--gpus", "sim:1", "--", "echo", CUDAFAULT_LIBRARY=library)
    assert_refused(outcome, 125, "simgpu/libcuda.so.1")
    assert cudafault("run", "--", "true", CUDAFAULT_LIBRARY=library).code == 0, "only simulated GPUs need the libraries"


def test_run_refuses_library_path_with_space(tmp_path: Path) -> None:
    outcome = cudafault("run", "--", "echo", CUDAFAULT_LIBRARY=link_library(tmp_path / "a b"))
    assert_refused(outcome, 125, "space")


def test_run_refuses_too_long_path_of_simulated_library(tmp_path: Path) -> None:
    deep = tmp_path
    while (remaining := 4078 - len(str(deep))) > 1:
        deep /= "d" * min(200, remaining - 1 if remaining < 202 else 200)
    outcome = cudafault("run", "--gpus", "sim:1", "--", "echo", CUDAFAULT_LIBRARY=link_library(deep))
    assert_refused(outcome, 125, "longer than the 4095 characters")


def test_run_refuses_invalid_gpu_models() -> None:
    assert_refused(cudafault("run", "--gpus", "sim:Voodoo", "--", "echo"), 2, "H100", "expected")
    assert_refused(cudafault("run", "--gpus", "two", "--", "echo"), 2, "real", "sim:N")


def test_error_names_package_of_missing_libcurl(tmp_path: Path) -> None:
    """Only commands that access a cluster need libcurl. Their error names the package to install."""
    (tmp_path / "libcurl.so.4").touch()  # an empty file that the loader finds before the real library
    kubeconfig = {
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "hush"}}],
    }
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    config = str(tmp_path / "config")
    outcome = cudafault("k8s", "scan", LD_LIBRARY_PATH=str(tmp_path), KUBECONFIG=config)
    assert_refused(outcome, 3, "cannot load libcurl", "apt-get install libcurl4")
    assert outcome.errors.count("\n") == 1
    assert cudafault("xids", "79", LD_LIBRARY_PATH=str(tmp_path), KUBECONFIG=config).code == 0


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def signal_printer(*signals: str) -> list[str]:
    return [sys.executable, "-c", SIGNAL_PRINTER, *signals]


def test_run_forwards_signals() -> None:
    with Run(*signal_printer(*FORWARDED), name="signals", gpus=None) as run:
        assert run.read_line() == "ready"
        for name in FORWARDED:
            os.kill(run.pid, getattr(signal, name))
            assert run.read_line() == name
        child = child_of(run.pid)
        os.kill(run.pid, signal.SIGTSTP)
        assert wait_until(lambda: is_stopped(run.pid) and is_stopped(child))
        os.kill(run.pid, signal.SIGCONT)
        assert wait_until(lambda: not is_stopped(run.pid) and not is_stopped(child))
        os.kill(child, signal.SIGKILL)
        assert run.process.wait(timeout=TIMEOUT) == -signal.SIGKILL
    ended = status("signals")
    assert (ended["exit_code"], ended["signal"]) == (137, 9)


def test_run_continues_if_command_handles_sigtstp() -> None:
    with Run(*signal_printer("SIGTSTP"), name="stop-handled", gpus=None) as run:
        assert run.read_line() == "ready"
        for _ in range(2):  # the first SIGTSTP does not stop `cudafault run`
            os.kill(run.pid, signal.SIGTSTP)
            assert run.read_line() == "SIGTSTP"
        os.kill(child_of(run.pid), signal.SIGKILL)


def test_output_to_full_disk_fails_with_message() -> None:
    with ClientRun("full") as run, open("/dev/full", "w") as full_disk:
        for verb in (
            "xids",
            "xids 79 --json",
            "functions",
            "check xid=79",
            "status",
            f"status {run.name}",
            f"events {run.name} --json",
            "--help",
            "run --help",
            "--version",
        ):
            command = [str(TOOL), *verb.split()]
            done = subprocess.run(command, check=False, stdout=full_disk, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 3, verb
            assert re.fullmatch("cudafault: .*No space left on device\n", done.stderr), verb


def read_terminal(terminal: int, seconds: float, until: str | None = None) -> str:
    text, deadline = "", time.monotonic() + seconds
    while time.monotonic() < deadline and not (until and until in text):
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                text += os.read(terminal, 1000).decode()
            except OSError:
                break
    return text


def test_command_receives_terminal_signals_once() -> None:
    command = [str(TOOL), "run", "--name", "terminal", "--", *signal_printer("SIGINT", "SIGQUIT")]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(TOOL, command, clean_environment())
    read_terminal(terminal, TIMEOUT, "ready")
    os.write(terminal, b"\x03")
    assert read_terminal(terminal, 0.7).count("SIGINT") == 1
    os.write(terminal, b"\x1c")
    assert read_terminal(terminal, 0.7).count("SIGQUIT") == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)


def test_output_is_colored_only_on_terminal_without_no_color() -> None:
    command = ["script", "-qec", f"'{TOOL}' xids", "/dev/null"]
    colored = subprocess.run(command, check=False, capture_output=True, text=True)
    plain = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**clean_environment(), "NO_COLOR": "1"}
    )
    assert "\033[" in colored.stdout
    assert "\033[" not in plain.stdout
    assert "\033[" not in cudafault("xids").output
