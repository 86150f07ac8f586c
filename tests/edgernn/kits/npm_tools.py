"""Programs from npm that the long tests use, installed once into the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from edgernn.folders import cache_folder
from tests.edgernn.runtime.toolchain import tool

PACKAGE: Final = Path(__file__).parent / "npm.json"


def npm_tools() -> Path:
    """node_modules with what npm.json names; the test is skipped where npm cannot get it."""
    digest = hashlib.sha256(PACKAGE.read_bytes()).hexdigest()[:16]
    place = cache_folder() / "kits-npm" / digest
    if not (place / "node_modules").exists():
        npm = tool("npm")
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(PACKAGE, Path(folder) / "package.json")
            flags = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
            done = subprocess.run([npm, "install", *flags], cwd=folder, capture_output=True)
            if done.returncode:
                pytest.skip(f"npm cannot install the tools: {done.stderr.decode()[-200:]}")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder, place)
            Path(folder).mkdir()
    return place / "node_modules"
