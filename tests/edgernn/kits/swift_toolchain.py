"""A Swift compiler for tests: Debian's, unpacked into the cache with all that it needs.

It is of a newer Debian than many machines have, so it runs in a root of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from edgernn.folders import cache_folder
from tests.debian_packages import CannotBuild, fetched, unpack

SUITE: Final = "trixie"
PACKAGES: Final = ("swiftlang", "g++", "libc6-dev", "libncurses-dev", "dash", "coreutils")

#: In a mount namespace of its own: the system's devices and processes, and the folder as /package.
_ENTER: Final = """
set -e
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
mount --bind "$2" "$1/package"
root=$1
shift 2
exec chroot "$root" env -i PATH=/usr/libexec/swift/bin:/usr/bin HOME=/package LANG=C.UTF-8 "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swift:
    """`folder` is /package for what runs."""

    root: Path
    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        own = ("--mount",) if os.geteuid() == 0 else ("--mount", "--map-root-user")
        return subprocess.run(
            ["unshare", *own, "sh", "-c", _ENTER, "sh", self.root, self.folder, *words],
            capture_output=True,
            text=True,
            timeout=900,
        )

    def must(self, *words: str) -> str:
        """What the command prints; the test fails where the command does."""
        done = self.run(*words)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout


def swift(folder: Path) -> Swift:
    """The toolchain, made at first use (560 MB are loaded); the test is skipped without it."""
    try:
        made = Swift(root=_root(), folder=folder)
    except CannotBuild as why:
        pytest.skip(f"Swift: {why}")
    entered = made.run("true")
    if entered.returncode != 0:
        pytest.skip(f"Swift: no mount namespace for this user: {entered.stderr.strip()}")
    return made


def _root() -> Path:
    if shutil.which("unshare") is None:
        raise CannotBuild("unshare is not installed (apt-get install util-linux)")
    digest = hashlib.sha256(" ".join((SUITE, *PACKAGES)).encode()).hexdigest()[:16]
    place = cache_folder() / "swift" / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests may be divided among processes
        if not place.exists():
            _make(place)
    return place


def _make(place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as name:
        making = Path(name)
        packages = fetched(
            PACKAGES, architecture="amd64", folder=making, suite=SUITE, with_dependencies=True
        )
        unpack(packages, making / "root")
        for empty in ("dev", "proc", "tmp", "package"):
            (making / "root" / empty).mkdir(exist_ok=True)
        (making / "root").rename(place)
