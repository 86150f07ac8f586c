"""The native runtime beside LiteRT and ONNX Runtime, in one run: ratios, and the int8 roofline.

One thread, one sequence.  The peers are what a user of the stock tools gets: LiteRT with the
converter's dynamic-range file, ONNX Runtime with the float operator, and its own int8 LSTM with
reduce_range (without which it is wrong on processors that have no VNNI).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.alternate import Milliseconds, alternate
from bench.comparison import Comparison, below, faster
from bench.latency import onnx_call, tflite_call
from bench.native_library import STEPS_A_CALL, NativeLibrary
from bench.native_models import KWS_GRU, KWS_LSTM, LANGUAGE, SHAPES, STACK, STEP, WIDE, Shape

INT8, FLOAT, OPERATOR, FROM_C = "native int8", "native float32", "operator in ORT", "native from C"
LITERT, ORT, ORT_INT8 = "LiteRT dynamic-range", "ORT float32", "ORT int8"
OUR_TFLITE = "our int8 TFLite"

#: (shape, ours, peer) -> how many times as fast.
TARGETS: Final[dict[tuple[Shape, str, str], float]] = {
    (KWS_GRU, INT8, LITERT): 3.5,
    (KWS_GRU, INT8, ORT): 4.2,
    (KWS_GRU, INT8, OUR_TFLITE): 3.0,
    (KWS_GRU, FLOAT, ORT): 1.5,
    (KWS_GRU, OPERATOR, ORT): 2.3,
    (KWS_LSTM, INT8, ORT_INT8): 1.6,
    (KWS_LSTM, INT8, LITERT): 3.3,
    (KWS_LSTM, FLOAT, ORT): 1.5,
    (STACK, INT8, LITERT): 3.8,
    (WIDE, INT8, LITERT): 1.6,
    (STEP, INT8, LITERT): 1.8,
    (LANGUAGE, INT8, ORT_INT8): 1.0,
}

LEAST_ROOFLINE: Final = 0.65
STEP_US: Final = 4.0
STEP_GHZ: Final = 3.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where everything is."""

    folder: Path  # what bench.native_models wrote
    out: Path  # what edgernn made of it
    library: NativeLibrary


def compare_native(folder: Path) -> list[Comparison]:
    """Builds models and peers in `folder` (in a process of its own), exports, compares."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "bench.native_models", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    bench = Bench(folder=folder, out=folder / "out", library=NativeLibrary(folder))
    rows = []
    for shape in SHAPES:
        _export(bench, shape)
        rows += _compare(bench, shape)
    return rows


def _export(bench: Bench, shape: Shape) -> None:
    model, calibration = bench.folder / f"{shape}.keras", bench.folder / f"{shape}.npz"
    command = ["edgernn", "export", str(model), "-o", str(bench.out), "--no-verify"]
    formats = "native,onnx,tflite" if shape == KWS_GRU else "native,onnx"
    int8 = ["--scheme", "int8", "--calibrate", str(calibration), "--onnx-gru", "customop"]
    for more in (["--to", "native,onnx"], ["--to", formats, *int8]):
        subprocess.run(
            [sys.executable, "-m", *command, *more], check=True, stdout=subprocess.DEVNULL
        )


def _compare(bench: Bench, shape: Shape) -> list[Comparison]:
    timed = alternate(_calls(bench, shape), rounds=120, block_ms=6)
    rows = [
        faster(f"{ours} {shape} against {peer}", timed, ours=ours, peer=peer, target=target)
        for (of, ours, peer), target in TARGETS.items()
        if of == shape
    ]
    if shape == STEP:
        return [*rows, _step_from_c(bench, timed)]
    limit_ms = bench.library.roofline_ms(shape, bench.out / f"{shape}.int8.ernn")
    return [*rows, _share(shape, timed, limit_ms)] if limit_ms else rows


def _calls(bench: Bench, shape: Shape) -> dict[str, Callable[[], object]]:
    """By name: what is compared with anything for this shape."""
    from edgernn.runtime import ort

    x = np.random.default_rng(0).normal(size=(1, shape.steps, shape.features)).astype(np.float32)
    out, wanted = bench.out, {FROM_C}
    for of, ours, peer in TARGETS:
        wanted |= {ours, peer} if of == shape else set()
    integer = out / f"{shape}.int8.ernn"
    timing = bench.library.steps if shape == STEP else bench.library.sequence
    makers: dict[str, Callable[[], Callable[[], object]]] = {
        INT8: lambda: _python_call(integer, shape, x),
        FLOAT: lambda: _python_call(out / f"{shape}.ernn", shape, x),
        FROM_C: lambda: timing(integer, x, shape.units),
        OPERATOR: lambda: onnx_call(out / f"{shape}.int8.onnx", x, library=ort.library_path()),
        LITERT: lambda: tflite_call(bench.folder / f"stock-{shape}.tflite", x),
        ORT: lambda: onnx_call(out / f"{shape}.onnx", x),
        ORT_INT8: lambda: onnx_call(_quantized_by_ort(bench, shape), x),
        OUR_TFLITE: lambda: tflite_call(out / f"{shape}.int8.tflite", x),
    }
    return {name: make() for name, make in makers.items() if name in wanted}


def _python_call(path: Path, shape: Shape, x: np.ndarray) -> Callable[[], object]:
    import edgernn

    model = edgernn.Model(path)
    if shape != STEP:
        return lambda: model(x)
    session, row = model.session(), x[0, 0]
    return lambda: session.step(row)


def _quantized_by_ort(bench: Bench, shape: Shape) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = bench.folder / f"ort-{shape}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_dynamic(
            bench.out / f"{shape}.onnx",
            path,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            op_types_to_quantize=["LSTM"],
        )
    return path


def _step_from_c(bench: Bench, timed: dict[str, Milliseconds]) -> Comparison:
    """Microseconds as they would be at STEP_GHZ: clocks differ from machine to machine."""
    ghz = bench.library.clock_hz() / 1e9
    step_us = float(min(timed[FROM_C])) / STEPS_A_CALL * 1e3
    return below(
        f"{INT8} {STEP} from C, at {STEP_GHZ} GHz (here {ghz:.2f}: {step_us:.2f} µs)",
        step_us * ghz / STEP_GHZ,
        "µs",
        limit=STEP_US,
    )


def _share(shape: Shape, timed: dict[str, Milliseconds], limit_ms: float) -> Comparison:
    """The fastest round is compared: the roofline is the best that was measured, too."""
    ours_ms = float(min(timed[FROM_C]))
    return Comparison(
        name=f"{INT8} {shape} from C, share of the roofline",
        ours=f"{ours_ms:.3f} ms",
        peer=f"roofline {limit_ms:.3f} ms",
        ratio=limit_ms / ours_ms,
        target=LEAST_ROOFLINE,
    )


if __name__ == "__main__":
    from bench.comparison import table

    with tempfile.TemporaryDirectory() as made:
        print(table(compare_native(Path(made))))
