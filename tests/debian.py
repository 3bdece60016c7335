# SPDX-License-Identifier: Apache-2.0
"""Downloads Debian packages of any suite from the machine's mirror and unpacks them into a folder. Uses a private
apt configuration, so that the machine's packages and package lists do not change."""

import subprocess
from pathlib import Path

from harness import Skip

OPTIONS = """\
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Main "/dev/null";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "root";
"""


def mirror() -> str:
    """Returns the URL of the Debian mirror that this machine uses."""
    try:
        release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
        targets = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Identifier: Packages"],
            capture_output=True,
            text=True,
        ).stdout
    except FileNotFoundError as error:
        raise Skip(f"needs apt: {error}") from None
    wanted = [release.get("VERSION_CODENAME", "").strip('"'), "main"]
    for line in targets.splitlines():
        address, *source = line.split()
        if source == wanted and release.get("ID") == "debian":
            return address
    raise Skip("the apt sources of this machine do not name a Debian mirror")


def prepare(folder: Path, suite: str, component: str) -> dict:
    """Writes an apt configuration that contains only this suite. Returns the environment that selects it."""
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb {mirror()} {suite} {component}\n")
    configuration = folder / "apt.conf"
    configuration.write_text(OPTIONS.format(folder=folder))
    return {"APT_CONFIG": str(configuration), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def apt_get(environment: dict, folder: Path, *arguments) -> None:
    done = subprocess.run(["apt-get", "-q", *arguments], env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Skip(f"`apt-get {' '.join(arguments)}` failed: {lines[-1] if lines else done.returncode}")


def extract(archive: Path, into: Path, only: list) -> None:
    into.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as contents:
        subprocess.run(["tar", "-x", "-C", into, "--wildcards", *only], stdin=contents.stdout, check=True)


def unpack(into: Path, suite: str, component: str, packages: list, only: list | tuple = ()) -> Path:
    """Unpacks the packages into a folder, which later test runs reuse, and returns it. `only` limits the files to those
    that match one of its patterns."""
    stamp = into / ".unpacked"
    wanted = f"{suite} {component} {' '.join(packages)}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return into
    folder = into.parent / f"{into.name}-apt"
    environment = prepare(folder, suite, component)
    apt_get(environment, folder, "update")
    apt_get(environment, folder, "download", *packages)
    for archive in folder.glob("*.deb"):
        extract(archive, into, list(only))
        archive.unlink()
    stamp.write_text(wanted)
    return into
