#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every example of the documentation that is marked as one.

  ```spec            each line is a plan that `cudafault check` must accept
  ```spec refused    each line is a plan that it must refuse with exit code 2
  ```console         each `$ cudafault ...` line must succeed and print the lines below it, in order; `...` skips lines

Also: docs/plans.md must have an example for each key of the grammar, and links between the pages must lead somewhere.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("CUDAFAULT_BUILD", ROOT / "build"))
TOOL = BUILD / "bin" / "cudafault"
PAGES = [ROOT / "README.md", ROOT / "cuda-fault-injection" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(spec refused|spec|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

passed = failed = 0


def report(good, page, what, why=""):
    global passed, failed
    if good:
        passed += 1
        return
    failed += 1
    print(f"FAILED {page.relative_to(ROOT)}: {what}: {why}")


def run(arguments):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr.strip()


def check_specs(page, lines, expected_code):
    for spec in filter(None, map(str.strip, lines)):
        code, _, error = run(["check", spec])
        report(code == expected_code, page, spec, error or f"exit code {code}, expected {expected_code}")


def same_words(line):
    return " ".join(line.split())


def missing_line(expected, output):
    """The first expected line that the output does not have in order."""
    lines = iter([same_words(line) for line in output.splitlines()])
    for wanted in map(same_words, expected):
        if wanted and wanted != "..." and wanted not in lines:
            return wanted
    return None


def check_console(page, lines):
    commands = []
    for line in lines:
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    for command, expected in commands:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, "PATH": f"{TOOL.parent}:{os.environ['PATH']}"}, timeout=60)
        missing = missing_line(expected, done.stdout)
        report(done.returncode == 0, page, command, f"exit code {done.returncode}: {done.stderr.strip()}")
        report(missing is None, page, command, f"did not print {missing!r} but:\n{done.stdout}")


def check_blocks(page, text):
    for kind, body in BLOCK.findall(text):
        lines = body.splitlines()
        if kind == "console":
            check_console(page, lines)
        else:
            check_specs(page, lines, 0 if kind == "spec" else 2)


def check_links(page, text):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            report((page.parent / target).exists(), page, f"link to {target}", "leads nowhere")


def check_keys(page, text):
    """The parser names its keys when it meets an unknown one."""
    _, out, error = run(["check", "no-such-key=1"])
    named = re.search(r"expected one of ([a-z, ]+)", out + error)
    report(bool(named), page, "the keys", f"`cudafault check` did not list them: {error}")
    used = set(re.findall(r"([a-z]+)=", " ".join(body for kind, body in BLOCK.findall(text) if kind == "spec")))
    for key in re.findall(r"[a-z]+", named[1]) if named else []:
        report(key in used, page, f"{key}=", "has no example")


def main():
    for page in PAGES:
        text = page.read_text()
        check_blocks(page, text)
        check_links(page, text)
        if page.name == "plans.md":
            check_keys(page, text)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
