"""Compilers that kits are made with: found, run, and named where they are missing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgernn.errors import MissingTool

_LONGEST_S = 600.0

#: For clang: calls of small functions take fewer bytes than copies of them.
CALLS: Final = ("-mllvm", "-inline-threshold=-20")


def tool(name: str, *, package: str) -> str:
    """The path of a program.  package: the Debian package that has it, for the message."""
    found = shutil.which(name)
    if found is None:
        raise MissingTool(
            f"this kit is compiled with {name}, which is not installed",
            remedy=f"Install it; on Debian and Ubuntu: apt-get install {package}",
        )
    return found


def run(command: Sequence[str | Path], *, cwd: Path, out: Path | None = None) -> None:
    """Runs a compiler; `out` takes what it prints.  Raises MissingTool where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, check=False, timeout=_LONGEST_S
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MissingTool(
            f"{words[0]} failed with {done.returncode}: {' '.join(said[:3])}",
            remedy="Install a newer version of it: kits are made with clang 14 or later and JDK 11 "
            "or later",
        )
    if out is not None:
        out.write_text(done.stdout, "utf-8")
