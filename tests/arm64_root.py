"""The libraries and the JVM of 64-bit ARM, for programs that run in qemu."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

import pytest

from edgernn.folders import cache_folder
from tests.debian_packages import CannotBuild, fetched, unpack

#: The JVM without a screen, and what it is linked with.
PACKAGES: Final = ("openjdk-17-jre-headless", "libc6", "libgcc-s1", "libstdc++6", "zlib1g")


def in_qemu() -> list[str]:
    """What stands before a program for 64-bit ARM; skips where it cannot be run."""
    qemu = shutil.which("qemu-aarch64-static")
    if qemu is None:
        pytest.skip("qemu-aarch64-static is not installed (apt-get install qemu-user-static)")
    try:
        return [qemu, "-L", str(arm64_root())]
    except CannotBuild as why:
        pytest.skip(str(why))


def arm64_root() -> Path:
    """The file system with the JVM, made at first use and kept in the cache."""
    digest = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:16]
    place = cache_folder() / "arm64-jvm" / digest
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as making:
            packages = fetched(PACKAGES, architecture="arm64", folder=Path(making))
            unpack(packages, Path(making) / "root")
            (Path(making) / "root").rename(place)
    return place
