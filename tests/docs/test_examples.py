# SPDX-License-Identifier: Apache-2.0
"""Runs every marked example of the documentation.

  ```spec            each line is a plan that `cudafault check` must accept
  ```spec refused    each line is a plan that `cudafault check` must refuse with exit code 2
  ```console         each `$ cudafault ...` line must succeed and print the lines below it, in order; `...` skips lines
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import ROOT, TOOL, cudafault

PAGES = [ROOT / "README.md", ROOT / "cuda-fault-injection" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(spec refused|spec|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLANS = ROOT / "docs" / "plans.md"


def blocks(page: Path) -> list[tuple[str, list[str]]]:
    return [(kind, body.splitlines()) for kind, body in BLOCK.findall(page.read_text())]


def specs(kind: str) -> list:
    """Returns each line of all blocks of the kind, with the name of its page as ID."""
    lines = [(page, line.strip()) for page in PAGES for found, body in blocks(page) if found == kind for line in body]
    return [pytest.param(line, id=f"{page.name}: {line}") for page, line in lines if line]


def console_commands(page: Path) -> list[tuple[str, list[str]]]:
    """Returns each command of the page with the lines that it must print."""
    found = []
    for text in ["\n".join(body) for kind, body in blocks(page) if kind == "console"]:
        for entry in f"\n{text}".split("\n$ ")[1:]:
            command, *expected = entry.split("\n")
            found.append((command, expected))
    return found


def links() -> list:
    found = [(page, target) for page in PAGES for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())]
    return [pytest.param(page, link, id=f"{page.name}: {link}") for page, link in found if "://" not in link]


@pytest.mark.parametrize("spec", specs("spec"))
def test_check_accepts_spec(spec: str) -> None:
    outcome = cudafault("check", spec)
    assert outcome.code == 0, outcome.errors


@pytest.mark.parametrize("spec", specs("spec refused"))
def test_check_refuses_spec(spec: str) -> None:
    assert cudafault("check", spec).code == 2


def normalize_spaces(line: str) -> str:
    return " ".join(line.split())


def missing_line(expected: list[str], output: str) -> str | None:
    """Returns the first expected line that is missing from the output or out of order, or None."""
    lines = iter([normalize_spaces(line) for line in output.splitlines()])
    for wanted in map(normalize_spaces, expected):
        if wanted and wanted != "..." and wanted not in lines:
            return wanted
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_console_example_prints_the_documented_lines(page: Path) -> None:
    for command, expected in console_commands(page):
        done = subprocess.run(
            ["bash", "-c", command],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{TOOL.parent}:{os.environ['PATH']}"},
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert missing_line(expected, done.stdout) is None, f"{command} printed {done.stdout}"


@pytest.mark.parametrize(("page", "target"), links())
def test_link_target_exists(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


def parser_keys() -> list[str]:
    """Returns the keys that the error message for an unknown key lists."""
    outcome = cudafault("check", "no-such-key=1")
    named = re.search(r"expected one of ([a-z, ]+)", outcome.output + outcome.errors)
    assert named, outcome
    return re.findall(r"[a-z]+", named[1])


def test_every_key_has_an_example() -> None:
    used = {key for kind, body in blocks(PLANS) if kind == "spec" for key in re.findall(r"([a-z]+)=", " ".join(body))}
    assert set(parser_keys()) <= used
