"""Rows of the benchmark as JSON, with the machine and the versions that they are of."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from bench.comparison import Comparison
from edgernn.runtime import available_isas

_PACKAGES: Final = ("ai-edge-litert", "onnxruntime", "openvino", "tensorflow", "numpy")


def write_record(path: Path, rows: Sequence[Comparison]) -> None:
    """Replaces `path`; called after each row, so that an interrupted run keeps its rows."""
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "instruction_sets": available_isas(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def processor() -> str:
    """The name that Linux gives; some virtual machines hide the real one."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def has_amx() -> bool:
    """Whether peers may use the processor's 8-bit matrix instructions."""
    return "amx_int8" in Path("/proc/cpuinfo").read_text()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
