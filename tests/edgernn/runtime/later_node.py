"""A later Node than the system's, from npm, also that for 64-bit ARM; kept in the cache."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from edgernn.folders import cache_folder
from tests.arm64_root import in_qemu
from tests.edgernn.runtime.toolchain import tool

_VERSION: Final = "24"  # the first long-term one whose V8 uses AVX-VNNI


def later_node(architecture: str) -> list[str]:
    """The command of Node for "x64" or "arm64" (in qemu); skips where it cannot be had."""
    program = _installed(architecture) / "bin" / "node"
    return [*(in_qemu() if architecture == "arm64" else ()), str(program)]


def _installed(architecture: str) -> Path:
    package = f"node-linux-{architecture}"
    place = cache_folder() / "later-node" / f"{package}-{_VERSION}"
    if not place.exists():
        npm = tool("npm")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            # --force: also for another processor than this one
            flags = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--force")
            command = [npm, "install", *flags, f"{package}@{_VERSION}"]
            done = subprocess.run(command, cwd=folder, capture_output=True)
            if done.returncode:
                pytest.skip(f"npm cannot install {package}: {done.stderr.decode()[-200:]}")
            (Path(folder) / "node_modules" / package).rename(place)
    return place
