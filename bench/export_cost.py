"""What `edgernn export` costs: wall time with start-up, peak memory, imports, file sizes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.comparison import Comparison, below
from edgernn.artefact import read_manifest

#: Runs the command line in a process that tells its own VmHWM and imports at its end.
_WATCHED = """
import atexit, json, sys
def tell():
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({"peak_kb": int(peak.split()[1]), "tensorflow": "tensorflow" in sys.modules}),
          file=sys.stderr)
atexit.register(tell)
from edgernn.cli import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one run of the command line."""

    wall_s: float
    peak_mb: float
    tensorflow: bool


def export_cost(model: Path, out: Path) -> Cost:
    """Exports `model` to ONNX and TFLite, verification off, in a fresh process.  Best of three."""
    runs = [_run("export", str(model), "-o", str(out), "--no-verify") for _ in range(3)]
    return min(runs, key=lambda run: run.wall_s)


def _run(*arguments: str) -> Cost:
    started = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments], capture_output=True, text=True, check=True
    )
    wall_s = time.perf_counter() - started
    told = json.loads(ran.stderr.splitlines()[-1])
    return Cost(wall_s=wall_s, peak_mb=told["peak_kb"] / 1024, tensorflow=told["tensorflow"])


def compare_export(model: Path, out: Path, *, wall_s: float, peak_mb: float) -> list[Comparison]:
    """Checks the cost of one export against limits, and file sizes against the weights' bytes."""
    cost = export_cost(model, out)
    if cost.tensorflow:
        raise AssertionError("the export imported TensorFlow")
    rows = [
        below(f"export of {model.name}: wall time", cost.wall_s, "s", limit=wall_s),
        below(f"export of {model.name}: peak memory", cost.peak_mb, "MB", limit=peak_mb),
    ]
    for artefact in read_manifest(out):
        if artefact.model == model.stem:
            weights_kb = artefact.source.parameters * 4 / 1000
            limit = weights_kb * 1.05 + 8.192
            rows.append(below(f"size of {artefact.name}", artefact.bytes / 1000, "kB", limit=limit))
    return rows
