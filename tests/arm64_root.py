"""The libraries and the JVM of 64-bit ARM, for programs that run in qemu."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from edgernn.folders import cache_folder
from tests.debian_packages import fetched, unpack

#: The JVM without a screen, and what it is linked with.
PACKAGES: Final = ("openjdk-17-jre-headless", "libc6", "libgcc-s1", "libstdc++6", "zlib1g")


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
