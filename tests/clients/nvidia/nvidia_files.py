# SPDX-License-Identifier: Apache-2.0
"""Fetches NVIDIA's libraries into build/clients/nvidia: drivers from Debian, other libraries from PyPI."""

import shutil
import tempfile
import zipfile
from pathlib import Path

import debian
from harness import BUILD, Skip, create_python, pinned_requirement, pip

OUT = BUILD / "clients" / "nvidia"
DRIVER_SUITES = {"535": "bookworm", "550": "trixie", "555": "experimental"}


def fetch_driver(branch: str) -> Path:
    """Downloads a driver branch, unless an earlier test run has, and returns the folder with its libcuda.so.1 and
    libnvidia-ml.so.1."""
    suite = DRIVER_SUITES[branch]
    tree = debian.unpack(OUT / f"driver-{suite}", suite, "non-free", ["libcuda1", "libnvidia-ml1"])
    for library in sorted(tree.rglob(f"libcuda.so.{branch}.*")):
        return library.parent
    found = ", ".join(path.name for path in tree.rglob("libcuda.so.*.*")) or "none"
    raise Skip(f"driver {branch} is not in Debian {suite}: found {found}")


def fetch(package: str, folder: Path) -> None:
    """Downloads the package's wheel and extracts its libraries into the folder."""
    with tempfile.TemporaryDirectory(prefix="cudafault-wheel-", dir=OUT) as downloads:
        pip(
            create_python(OUT / "pip"),
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            downloads,
            pinned_requirement(package),
        )
        (wheel,) = Path(downloads).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                name = Path(member.filename).name
                if ".so" in name or name.endswith(".a"):
                    with archive.open(member) as source, open(folder / name, "wb") as target:
                        shutil.copyfileobj(source, target)


def fetch_wheel(package: str) -> Path:
    """Downloads a package's wheel, unless an earlier test run has, and returns the folder with its libraries."""
    folder = OUT / package
    stamp = folder / ".fetched"
    if not stamp.exists() or stamp.read_text() != pinned_requirement(package):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fetch(package, folder)
        stamp.write_text(pinned_requirement(package))
    return folder


def static_runtime(folder: Path) -> list:
    """Returns the archives of a static runtime: from the wheel, or from Debian for 11.8, whose wheel has none."""
    archives = [folder / "libcudart_static.a", *folder.glob("libculibos.a")]
    if not archives[0].exists():
        tree = debian.unpack(OUT / "static-11.8", "bookworm", "non-free", ["nvidia-cuda-dev"], ["*/libcudart_static.a"])
        archives = list(tree.rglob("libcudart_static.a"))
    return archives
