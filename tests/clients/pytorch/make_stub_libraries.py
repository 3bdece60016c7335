# SPDX-License-Identifier: Apache-2.0
"""Builds stubs of the NVIDIA libraries that PyTorch is linked to (cuBLAS, cuDNN, ...: 3 GB), so that Python can import
PyTorch without them. The stubs export the functions that PyTorch imports. Each function returns 1, which is an error
code in all these libraries.

Usage: make_stub_libraries.py TORCH_LIB_DIRECTORY OUTPUT_DIRECTORY"""

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

STUBBED = re.compile(r"lib(cu|nv|nccl)")
SIMULATED = re.compile(r"libcuda(rt)?\.so")  # part of the simulated GPUs


def readelf(option: str, library: Path) -> list[str]:
    return subprocess.run(
        ["readelf", "-W", option, library], check=True, capture_output=True, text=True
    ).stdout.splitlines()


def needed(library: Path) -> list[str]:
    found = [re.search(r"\(NEEDED\).*\[(.*)\]", line) for line in readelf("-d", library)]
    return [match[1] for match in found if match]


def version_owners(library: Path) -> dict[str, str]:
    """Returns the library of each needed symbol version."""
    owners, owner = {}, ""
    for line in readelf("-V", library):
        if match := re.search(r"File: (\S+)", line):
            owner = match[1]
        elif match := re.search(r"Name: (\S+)\s+Flags", line):
            owners[match[1]] = owner
    return owners


def undefined_symbols(library: Path) -> list[tuple[str, str]]:
    """Returns (name, version or "") pairs."""
    symbols = []
    for line in readelf("--dyn-syms", library):
        fields = line.split()
        if len(fields) >= 8 and fields[6] == "UND":
            name, _, version = fields[7].partition("@")
            symbols.append((name, version.lstrip("@")))
    return symbols


def find_stubs(torch_libraries: list[Path]) -> dict[str, dict[str, set[str]]]:
    """Returns the function names to define, by library and version."""
    stubs: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for library in torch_libraries:
        candidates = [name for name in needed(library) if STUBBED.match(name) and not SIMULATED.match(name)]
        for name in candidates:
            stubs[name][""]
        owners = version_owners(library)
        for name, version in undefined_symbols(library):
            if owners.get(version) in candidates:
                stubs[owners[version]][version].add(name)
            elif not version and candidates and re.match(r"cu[a-zA-Z]|nv|nccl", name):
                # The dynamic linker searches every library for an unversioned name, so any candidate may export it.
                stubs[candidates[0]][""].add(name)
    return stubs


def build(soname: str, versions: dict[str, set[str]], output: Path) -> None:
    names = sorted(set().union(*versions.values()))
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder, "stub.c"), Path(folder, "stub.map")
        source.write_text("".join(f"int {name}(void) {{ return 1; }}\n" for name in names))
        script.write_text(
            "".join(
                f"{version} {{ {' '.join(f'{name};' for name in sorted(members))} }};\n"
                for version, members in versions.items()
                if version
            )
        )
        command = [
            "cc",
            "-shared",
            "-fPIC",
            "-O1",
            "-w",
            "-fno-builtin",
            "-o",
            output / soname,
            source,
            f"-Wl,-soname,{soname}",
        ]
        if script.stat().st_size:
            command.append(f"-Wl,--version-script={script}")
        subprocess.run([str(word) for word in command], check=True)


def main() -> None:
    torch_folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    stubs = find_stubs(sorted(torch_folder.glob("lib*.so*")))
    for soname, versions in sorted(stubs.items()):
        build(soname, versions, output)
    count = sum(len(names) for versions in stubs.values() for names in versions.values())
    print(f"{len(stubs)} stub libraries with {count} functions in {output}")


if __name__ == "__main__":
    main()
