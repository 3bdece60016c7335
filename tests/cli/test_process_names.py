# SPDX-License-Identifier: Apache-2.0
"""Tests that process= matches a script after interpreter options, and a multiprocessing worker by the script that
started it."""

import sys
from pathlib import Path

import pytest
from cli.support import has_words, status
from harness import cudafault

INIT_CUDA = """
import ctypes
def init_cuda():
    return ctypes.CDLL("libcuda.so.1").cuInit(0)
"""
SCRIPT = INIT_CUDA + "print(init_cuda(), flush=True)\n"
PARENT = """
import multiprocessing, sys
import init_cuda
def work():
    print(init_cuda.init_cuda(), flush=True)
if __name__ == "__main__":
    worker = multiprocessing.get_context(sys.argv[1]).Process(target=work)
    worker.start()
    worker.join()
"""


@pytest.fixture(autouse=True)
def write_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.py").write_text(SCRIPT)
    (tmp_path / "init_cuda.py").write_text(INIT_CUDA)
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)


def output_of_run(process: str, *words: str) -> str:
    return cudafault(
        "run", "--name", "names", "--gpus", "sim:1", "--plan", f"xid=79 process={process}", "--", sys.executable, *words
    ).output


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ("x.py", ["x.py"]),
        ("x.py", ["-W", "ignore", "x.py"]),
        ("x.py", ["-X", "dev", "x.py"]),
        ("x.py", ["-uWignore", "./x.py", "y.py"]),
        ("package", ["-m", "package"]),
        ("package", ["package/"]),
        ("x.py", ["-c", "import runpy; runpy.run_path('x.py')", "x.py"]),
    ],
    ids=str,
)
def test_process_matches_script_after_interpreter_options(process: str, words: list[str]) -> None:
    is_code = "-c" in words
    assert output_of_run(process, *words) == ("0\n" if is_code else "100\n")


def test_process_does_not_match_argument_of_program_not_named_python() -> None:
    tool = Path("tool").absolute()
    tool.symlink_to(sys.executable)
    outcome = cudafault("run", "--gpus", "sim:1", "--plan", "xid=79 process=x.py", "--", tool, "x.py")
    assert outcome.output == "0\n", outcome


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_matches_multiprocessing_worker(method: str) -> None:
    assert output_of_run("parent.py", "parent.py", method) == "100\n"
    assert output_of_run("other.py", "parent.py", method) == "0\n"


def test_status_shows_program_and_script() -> None:
    output_of_run("x.py", "-W", "ignore", "x.py", "y.py")
    [process] = status("names")["processes"]
    assert (process["program"], process["script"]) == (Path(sys.executable).name, "x.py")
    assert has_words(cudafault("status", "names").output, f"{process['program']} (script x.py)")
