# SPDX-License-Identifier: Apache-2.0
"""Helpers for the tests of the drop-in directory: a repository with a copy of the directory, and a fake cudafault."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness import BUILD, ROOT, clean_environment, create_python, pinned_requirement

HERE = Path(__file__).resolve().parent
DROPIN = ROOT / "cuda-fault-injection"
BUILD_PRODUCTS = shutil.ignore_patterns("fake_cuda_xid79.*", "__pycache__", ".pytest_cache")
LIMIT = re.compile(r"(29[0-9]|300)s")  # 300 seconds minus the time that earlier commands took


class Repository:
    """A repository with copies of the drop-in directory and the examples."""

    def __init__(self, folder):
        self.root = folder
        self.dropin = folder / "cuda-fault-injection"
        shutil.copytree(DROPIN, self.dropin, ignore=BUILD_PRODUCTS)
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("inference_server"))
        self.fake = folder / "fake"
        self.fake.mkdir()

    def environment(self, failure="", **extra):
        fake = {"CUDAFAULT": str(HERE / "fake_cudafault.py"), "FAKE_FOLDER": str(self.fake), "FAKE_FAILURE": failure}
        ignored = ("CUDA_FAULT", "TARGET_", "INFERENCE_", "MODEL_NAME")
        kept = {name: value for name, value in clean_environment().items() if not name.startswith(ignored)}
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.dropin), **fake, **extra}

    def reset(self):
        shutil.rmtree(self.fake)
        self.fake.mkdir()

    def python(self, *arguments, failure="", **extra):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.root,
            env=self.environment(failure, **extra),
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def calls(self):
        """Returns the calls of `cudafault k8s` since the last reset. Timeouts of about 300 seconds are
        replaced by the word T."""
        log = self.fake / "calls"
        called = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [["T" if LIMIT.fullmatch(word) else word for word in call] for call in called]

    def state(self):
        file = self.fake / "state.json"
        return json.loads(file.read_text()) if file.exists() else {}


def with_path(*folders):
    return {"PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]])}


def pytest_python():
    if importlib.util.find_spec("pytest"):
        return sys.executable
    return str(create_python(BUILD / "dropin" / "venv", pinned_requirement("pytest")))


def make(repo, *arguments, **extra):
    environment = {**clean_environment(), "PATH": "/usr/bin:/bin", **extra}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=repo.dropin, env=environment, capture_output=True, text=True, timeout=120)
