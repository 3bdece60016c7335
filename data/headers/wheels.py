# SPDX-License-Identifier: Apache-2.0
"""Downloads and reads the pinned NVIDIA wheels from which the tables are generated."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

# CUDA release -> pinned wheel. NVIDIA did not release CUDA 12.7.
RUNTIME = {
    "11.8": "nvidia-cuda-runtime-cu11==11.8.89",
    "12.0": "nvidia-cuda-runtime-cu12==12.0.146",
    "12.1": "nvidia-cuda-runtime-cu12==12.1.105",
    "12.2": "nvidia-cuda-runtime-cu12==12.2.140",
    "12.3": "nvidia-cuda-runtime-cu12==12.3.101",
    "12.4": "nvidia-cuda-runtime-cu12==12.4.127",
    "12.5": "nvidia-cuda-runtime-cu12==12.5.82",
    "12.6": "nvidia-cuda-runtime-cu12==12.6.77",
    "12.8": "nvidia-cuda-runtime-cu12==12.8.90",
    "12.9": "nvidia-cuda-runtime-cu12==12.9.79",
    "13.0": "nvidia-cuda-runtime==13.0.96",
    "13.1": "nvidia-cuda-runtime==13.1.80",
    "13.2": "nvidia-cuda-runtime==13.2.86",
    "13.3": "nvidia-cuda-runtime==13.3.29",
    "13.4": "nvidia-cuda-runtime==13.4.92",
    "13.5": "nvidia-cuda-runtime==13.5.37",
}
PROFILER = {
    "11.8": "nvidia-cuda-profiler-api-cu11==11.8.86",
    "12.0": "nvidia-cuda-profiler-api-cu12==12.0.140",
    "12.9": "nvidia-cuda-profiler-api-cu12==12.9.79",
    "13.5": "nvidia-cuda-profiler-api==13.5.25",
}
NVML = {
    "11.8": "nvidia-nvml-dev-cu11==11.8.86",
    "12.0": "nvidia-nvml-dev-cu12==12.0.140",
    "12.1": "nvidia-nvml-dev-cu12==12.1.105",
    "12.2": "nvidia-nvml-dev-cu12==12.2.140",
    "12.3": "nvidia-nvml-dev-cu12==12.3.101",
    "12.4": "nvidia-nvml-dev-cu12==12.4.127",
    "12.5": "nvidia-nvml-dev-cu12==12.5.82",
    "12.6": "nvidia-nvml-dev-cu12==12.6.77",
    "12.8": "nvidia-nvml-dev-cu12==12.8.90",
    "12.9": "nvidia-nvml-dev-cu12==12.9.79",
    "13.0": "nvidia-nvml-dev==13.0.87",
    "13.1": "nvidia-nvml-dev==13.1.115",
    "13.2": "nvidia-nvml-dev==13.2.86",
    "13.3": "nvidia-nvml-dev==13.3.29",
    "13.4": "nvidia-nvml-dev==13.4.92",
    "13.5": "nvidia-nvml-dev==13.5.37",
}
# Only the oldest and the newest release, because each is about 200 MB. For a function added
# between them, the column `since` contains the newer release.
NCCL = {
    "2.18": "nvidia-nccl-cu12==2.18.3",
    "2.32": "nvidia-nccl-cu13==2.32.3",
}
# Newest first. pip accepts a wheel for any of these platforms, on any machine.
PLATFORMS = [f"manylinux{tag}_x86_64" for tag in ("_2_28", "_2_27", "_2_18", "_2_17", "2014", "2010", "1")]


class Unreachable(RuntimeError):
    """A wheel could not be downloaded; the message names the wheel and contains pip's error."""


class Wheel:
    """A wheel. Unpacks its files on demand, by their base names."""

    def __init__(self, path):
        self.archive = zipfile.ZipFile(path)
        self.members = {Path(name).name: name for name in self.archive.namelist()}

    def header(self, name):
        """Returns the text of a header, or None if the wheel does not contain it."""
        return self.archive.read(self.members[name]).decode("utf-8", "replace") if name in self.members else None

    def library(self, pattern):
        """Returns (file name, bytes) of the shared library whose name matches, or None."""
        found = [name for name in self.members if re.fullmatch(pattern, name)]
        return (found[0], self.archive.read(self.members[found[0]])) if found else None


def cached(pin, cache):
    """Returns the path of a pinned wheel in the cache, or None."""
    name, version = pin.split("==")
    return next(iter(cache.glob(f"{name.replace('-', '_')}-{version}-*.whl")), None)


def fetch(pins, cache):
    """Downloads the wheels that are missing from `cache`. Returns a dict of pin -> Wheel. Raises Unreachable."""
    cache.mkdir(parents=True, exist_ok=True)
    for pin in pins:
        if cached(pin, cache):
            continue
        print(f"fetching {pin}", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", "3", "--dest", str(cache)]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)] + [pin]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no error message"])[-1]
            raise Unreachable(f"pip could not download {pin}: {reason}; "
                              f"check the network, or copy the wheel to {cache}")
    return {pin: Wheel(cached(pin, cache)) for pin in pins}
