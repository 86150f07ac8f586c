"""Debian packages of any architecture, fetched and unpacked, but never installed or run.

They come through a private apt state, so that the architectures and lists of this machine stay as
they are.  Signatures are checked by apt as always.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

SUITE: Final = "bookworm"
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class CannotBuild(Exception):
    """Why there is no file system: the reason of a skipped test."""


def fetched(
    names: Sequence[str],
    *,
    architecture: str,
    folder: Path,
    suite: str = SUITE,
    with_dependencies: bool = False,
) -> list[Path]:
    """The packages' files, written into `folder` with apt's own state.  Raises CannotBuild."""
    if not KEYRING.is_file() or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CannotBuild("it is made from Debian packages, and this is no Debian")
    settings = _private_state(folder, architecture, suite)
    options = [f"-o{name}={value}" for name, value in settings.items()]
    _must(["apt-get", *options, "update", "-qq"], "apt-get update")
    target = folder / "packages"
    target.mkdir()
    # As a sub-process of its own folder: `download` writes into the working directory.
    if with_dependencies:
        names = _with_dependencies(options, names)
    wanted = [f"{_real_name(options, name)}:{architecture}" for name in names]
    _must(["apt-get", *options, "download", "-qq", *wanted], "apt-get download", folder=target)
    return sorted(target.glob("*.deb"))


def _real_name(options: list[str], name: str) -> str:
    """A kernel's package has its version in its name; one without depends on the newest."""
    if not name.startswith("linux-image-"):
        return name
    told = subprocess.run(["apt-cache", *options, "depends", name], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", told.stdout)
    if found is None:
        raise CannotBuild(f"apt knows no kernel by the name of {name}")
    return found[1]


def _with_dependencies(options: list[str], names: Sequence[str]) -> list[str]:
    """What apt would install into an empty system."""
    planned = subprocess.run(
        ["apt-get", *options, "--simulate", "--no-install-recommends", "install", *names],
        capture_output=True,
        text=True,
    )
    found = re.findall(r"^Inst (\S+)", planned.stdout, re.MULTILINE)
    if not found:
        reason = (planned.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotBuild(f"apt cannot install {', '.join(names)}: {reason}")
    return found


def unpack(packages: Sequence[Path], root: Path) -> None:
    """Lays their files into `root`, without documentation.  Raises CannotBuild."""
    for name in ("bin", "sbin", "lib", "lib64"):  # Debian's merged /usr
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE
        ) as tar:
            _untar(tar.stdout, root)
        if tar.returncode != 0:
            raise CannotBuild(f"{package.name} is damaged")
    for name in ("share/doc", "share/man", "share/locale", "share/lintian"):
        shutil.rmtree(root / "usr" / name, ignore_errors=True)


def _private_state(folder: Path, architecture: str, suite: str) -> dict[str, str]:
    for name in ("state/lists/partial", "cache/archives/partial", "nothing"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    source = f"deb [arch={architecture} signed-by={KEYRING}] {_mirror()} {suite} main\n"
    (folder / "sources.list").write_text(source)
    return {
        "Dir::State": f"{folder}/state",
        "Dir::State::status": f"{folder}/status",
        "Dir::Cache": f"{folder}/cache",
        "Dir::Etc::sourcelist": f"{folder}/sources.list",
        "Dir::Etc::sourceparts": f"{folder}/nothing",
        "Dir::Etc::preferencesparts": f"{folder}/nothing",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }


def _mirror() -> str:
    """Where this machine gets Debian from."""
    listed = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"),
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
    )
    mirrors = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith(f" {SUITE}")]
    if not mirrors:
        raise CannotBuild(f"apt on this machine has no source for Debian {SUITE}")
    return mirrors[0]


def _must(argv: list[str], what: str, *, folder: Path | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotBuild(f"{what} failed: {reason}")


def _untar(stream: IO[bytes] | None, root: Path) -> None:
    argv = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root)]
    if subprocess.run(argv, stdin=stream).returncode != 0:
        raise CannotBuild("tar could not unpack a package")
