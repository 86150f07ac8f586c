"""`make bench`: prints a row as soon as it is measured; exits with 1 when a target is missed.

The first argument names a JSON file for the rows.  Others select: `export`, `float`, `int8`,
`onnx`, `crnn`, `native`, `phones`, `web`; and `torch` and `predictor`, which no run has that does
not name them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import web_page
from bench.comparison import Comparison, head, line
from bench.crnn import compare_crnn
from bench.devices import compare_devices
from bench.export_cost import compare_export
from bench.keras_models import CELLS, language_model
from bench.latency import compare_latency
from bench.native import compare_native
from bench.onnx_int8 import compare_onnx_int8
from bench.predictor import compare_predictor
from bench.record import write_record
from bench.tflite_int8 import compare_int8
from bench.torch_peer import compare_torch


def main(argv: list[str]) -> int:
    """Builds the models and the peers' files, then compares."""
    record = Path(argv[0]) if argv else None
    rows: list[Comparison] = []
    print(head())
    with tempfile.TemporaryDirectory() as folder:
        for row in _measured(Path(folder), argv[1:]):
            rows.append(row)
            print(line(row), flush=True)
            if record:
                write_record(record, rows)
    return 0 if all(row.met for row in rows) else 1


def _measured(folder: Path, wanted: list[str]) -> Iterator[Comparison]:
    models, out = folder / "models", folder / "out"

    def is_wanted(*names: str) -> bool:
        return not wanted or any(name in wanted for name in names)

    if is_wanted("export", "float", "phones"):
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
        for cell in CELLS:
            yield from compare_export(models / f"{cell}.keras", out, wall_s=1.5, peak_mb=250)
        for cell in CELLS:
            yield from compare_export(models / f"lm-{cell}.keras", out, wall_s=3.0, peak_mb=250)
    if is_wanted("float"):
        yield from compare_latency(models, out)
    if is_wanted("int8"):
        yield from compare_int8(folder / "int8")
    if is_wanted("onnx"):
        yield from compare_onnx_int8(folder / "onnx-int8")
    if is_wanted("crnn"):
        yield from compare_crnn(folder / "crnn")
    if is_wanted("native"):
        yield from compare_native(folder / "native")
    if is_wanted("web"):
        install = web_page.missing()
        if install and not wanted:
            print(f"the page is left out: {install}", file=sys.stderr)
        else:
            yield from web_page.compare_web_page(folder / "int8")
    if "torch" in wanted:
        yield from compare_torch(folder / "torch")
    if "predictor" in wanted:
        yield from compare_predictor()
    if is_wanted("phones"):
        yield from compare_devices(_phone_model(models, out), folder / "phones")


def _phone_model(models: Path, out: Path) -> Path:
    argv = [sys.executable, "-m", "edgernn", "export", str(models / f"{CELLS[0]}.keras")]
    subprocess.run([*argv, "--to", "native", "-o", str(out)], check=True, capture_output=True)
    return out / f"{CELLS[0]}.ernn"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
