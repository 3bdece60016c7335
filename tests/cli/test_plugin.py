# SPDX-License-Identifier: Apache-2.0
"""Tests bash completion and the kubectl plugin."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import BUILD, cudafault

TOOL = BUILD / "bin" / "cudafault"
PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def completed_by_bash(*words: str) -> list[str]:
    """Returns the completions that the generated script offers for the last word."""
    script = f"""
        source <({TOOL} completion bash)
        COMP_WORDS=({TOOL} {" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words)}
        _cudafault
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_bash_completes_commands_and_options() -> None:
    assert completed_by_bash("k8s", "re") == ["restore"]
    assert completed_by_bash("k8s", "node", "un") == ["uncordon"]
    assert completed_by_bash("k8s", "arm", "deployment/web", "--exp") == ["--expires"]
    assert completed_by_bash("k8s", "arm", "dep") == ["deployment/"]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Returns a folder with the files that `make install` installs for the tool and the kubectl plugin."""
    os.symlink(TOOL, tmp_path / "cudafault")
    for name in ("kubectl-cudafault", "kubectl_complete-cudafault"):
        shutil.copy(PACKAGING / name, tmp_path / name)
    return tmp_path


def test_plugin_runs_k8s_commands(installed: Path) -> None:
    done = subprocess.run(
        [installed / "kubectl-cudafault", "rbac", "inject", "--json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout == cudafault("k8s", "rbac", "inject", "--json").output


def test_kubectl_completes_plugin_commands(installed: Path) -> None:
    done = subprocess.run([installed / "kubectl_complete-cudafault", "re"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "restore\n:4\n"
    done = subprocess.run(
        [installed / "kubectl_complete-cudafault", "arm", "dep"], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "deployment/\n:6\n"
