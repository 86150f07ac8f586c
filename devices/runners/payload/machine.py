"""Reads facts about this machine.  The host chooses which, and parses them."""

from __future__ import annotations

import glob
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Most bytes that are read from one file: files of sysfs and procfs are small.
MOST_BYTES_READ = 100_000


def machine() -> dict[str, Any]:
    return {
        "node": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
    }


def pin(cpus: Sequence[int] | None) -> list[int] | None:
    """Confines this process, and so the runtime's threads, to `cpus`; returns the CPUs allowed."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = os.sched_getaffinity(0)
    if cpus:
        if not allowed.issuperset(cpus):
            raise ValueError(f"CPUs {cpus} were asked for; there are {sorted(allowed)}")
        os.sched_setaffinity(0, cpus)
    return sorted(os.sched_getaffinity(0))


def memory_high_water_bytes() -> int | None:
    """VmHWM of this process.  Not ru_maxrss: a child inherits that from its parent."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else None


def read_facts(request: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the requested files (patterns) and commands; missing ones are left out."""
    names = [name for pattern in request["read"] for name in sorted(glob.glob(pattern))]  # noqa: PTH207
    found = {name: text_of(name) for name in names}
    found.update({" ".join(command): output_of(command) for command in request["ask"]})
    return {name: text for name, text in found.items() if text is not None}


def text_of(name: str) -> str | None:
    try:
        with Path(name).open(errors="replace") as file:
            return file.read(MOST_BYTES_READ)
    except OSError:  # an offline core, or a sensor that only root may read
        return None


def output_of(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
