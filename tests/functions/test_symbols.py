# SPDX-License-Identifier: Apache-2.0
"""Tests the exports and imports of libcudafault.so."""

import re
from pathlib import Path

import pytest
from functions.support import LIBRARIES, host
from harness import Skip

LOADER = {"dlsym", "dlvsym", "dlopen", "dlmopen", "dlclose", "dlerror"}
OLDEST_GLIBC = (2, 17)


def expected_exports():
    runtimes = [library for library in LIBRARIES if library.runtime]
    nodes: dict[str, list[str]] = {}  # name -> versions, oldest first
    for library in runtimes:
        for row in library.rows():
            nodes.setdefault(row["export"], []).append(library.soname)
    expected = set(LOADER)
    for library in LIBRARIES:
        expected |= {row["export"] for row in library.rows() if not library.runtime}
    for name, sonames in nodes.items():
        expected |= {f"{name}@{soname}" for soname in sonames[:-1]} | {f"{name}@@{sonames[-1]}"}
    return expected


@pytest.fixture
def exported(architecture):
    """Returns the kind and name of each exported symbol."""
    lines = architecture.run_tool("nm", "-Dg", "--defined-only", "--with-symbol-versions", architecture.library)
    return [tuple(line.split()[1:]) for line in lines.splitlines()]


def test_library_exports_functions_of_tables_and_loader(exported):
    assert {name for kind, name in exported if kind != "A"} == expected_exports()


def test_every_export_is_a_strong_function(exported):
    assert {name for kind, name in exported if kind not in "AT"} == set()


def test_first_version_node_is_empty(architecture, exported):
    """A reference without a version binds to the first version node after the base version, so that node must be
    empty."""
    text = architecture.run_tool("readelf", "--version-info", "--wide", architecture.library)
    definitions = text.partition("Version definition section")[2].partition("Version needs section")[0]
    nodes = re.findall(r"Name: (\S+)", definitions)
    assert nodes[2:] == [library.soname for library in LIBRARIES if library.runtime]
    assert [name for kind, name in exported if kind != "A" and name.endswith(f"@{nodes[1]}")] == []


def versions_in(architecture, libc):
    """Returns the oldest GLIBC version of each function that a libc exports, by name."""
    oldest: dict[str, tuple[int, int]] = {}
    for line in architecture.run_tool("nm", "-D", "--defined-only", "--with-symbol-versions", libc).splitlines():
        name, _, version = line.split()[-1].partition("@")
        if match := re.fullmatch(r"@?GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version):
            number = int(match[1]), int(match[2])
            oldest[name] = min(number, oldest.get(name, number))
    return oldest


@pytest.fixture
def strong_imports(architecture):
    lines = architecture.run_tool("nm", "-D", "--undefined-only", architecture.library).splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines if line.split()[0] == "U"}


def test_library_needs_only_libc(architecture):
    dynamic = architecture.run_tool("readelf", "--dynamic", "--wide", architecture.library)
    assert set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)) <= {"libc.so.6"}
    assert "TEXTREL" not in dynamic


def test_library_requires_at_most_glibc_2_17(architecture):
    required = re.findall(r"GLIBC_(\d+)\.(\d+)", architecture.run_tool("readelf", "-VW", architecture.library))
    assert [version for version in required if (int(version[0]), int(version[1])) > OLDEST_GLIBC] == []


def test_every_import_is_in_glibc_2_17(architecture, machine, strong_imports):
    oldest = versions_in(architecture, machine.libc)
    assert {name for name in strong_imports if oldest.get(name, (9, 9)) > OLDEST_GLIBC} == set()


def test_library_imports_no_pthread_function(architecture):
    lines = architecture.run_tool("nm", "-D", "--undefined-only", architecture.library).splitlines()
    assert [line for line in lines if "pthread" in line] == []


@pytest.mark.parametrize("machine", [host], indirect=True, ids=["x86_64"])
def test_every_import_is_in_musl(architecture, strong_imports):
    musl = Path("/lib/ld-musl-x86_64.so.1")
    if not musl.exists():
        raise Skip(f"{musl} is not installed")
    defined = architecture.run_tool("nm", "-D", "--defined-only", musl).splitlines()
    assert strong_imports - {line.split()[-1] for line in defined} == set()
