"""`make bench`: prints a table; exits with 1 when a target is missed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.comparison import table
from bench.devices import compare_devices
from bench.export_cost import compare_export
from bench.keras_models import CELLS, language_model
from bench.latency import compare_latency
from bench.native import compare_native
from bench.onnx_int8 import compare_onnx_int8
from bench.tflite_int8 import compare_int8


def main() -> int:
    """Builds the models and the peers' files, then compares."""
    with tempfile.TemporaryDirectory() as folder:
        models, out = Path(folder) / "models", Path(folder) / "out"
        models.mkdir()
        print("building models and stock conversions …", file=sys.stderr)
        subprocess.run(
            [sys.executable, "-m", "bench.keras_models", str(models)],
            check=True,
            stdout=subprocess.DEVNULL,  # TensorFlow talks at length
            stderr=subprocess.DEVNULL,
        )
        for cell in CELLS:
            language_model(cell, models / f"lm-{cell}.keras")
        rows = []
        for cell in CELLS:
            rows += compare_export(models / f"{cell}.keras", out, wall_s=1.5, peak_mb=250)
        for cell in CELLS:
            rows += compare_export(models / f"lm-{cell}.keras", out, wall_s=3.0, peak_mb=250)
        print("timing …", file=sys.stderr)
        rows += compare_latency(models, out)
        rows += compare_int8(Path(folder) / "int8")
        rows += compare_onnx_int8(Path(folder) / "onnx-int8")
        rows += compare_native(Path(folder) / "native")
        rows += compare_devices(_phone_model(models, out), Path(folder) / "phones")
    print(table(rows))
    return 0 if all(row.met for row in rows) else 1


def _phone_model(models: Path, out: Path) -> Path:
    argv = [sys.executable, "-m", "edgernn", "export", str(models / f"{CELLS[0]}.keras")]
    subprocess.run([*argv, "--to", "native", "-o", str(out)], check=True, capture_output=True)
    return out / f"{CELLS[0]}.ernn"


if __name__ == "__main__":
    sys.exit(main())
