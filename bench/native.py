"""The native runtime beside LiteRT, ONNX Runtime, OpenVINO and RTNeural, and the roofline.

One thread.  Peers run our own files, and what a user of the stock tools gets: the converter's
dynamic-range file, ONNX Runtime's float operator and its own int8 LSTM with reduce_range (without
which it is wrong on processors that have no VNNI).  A peer's input is resized to the batch.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.alternate import Milliseconds, alternate
from bench.comparison import Comparison, below, faster
from bench.latency import onnx_call, openvino_call, tflite_call
from bench.native_library import STEPS_A_CALL, NativeLibrary
from bench.native_models import SHAPES, STEP, Shape
from bench.native_rows import (
    BATCHES,
    DYNAMIC,
    FLOAT,
    FLOAT_FROM_C,
    FROM_C,
    HALF,
    INT8,
    LITERT_DYNAMIC,
    LITERT_FLOAT,
    LITERT_INT8,
    OPENVINO,
    OPERATOR,
    ORT,
    ORT_INT8,
    RTNEURAL,
    STOCK,
    rows_of,
)
from bench.rtneural import rtneural_call, rtneural_source

LEAST_ROOFLINE: Final = 0.75
STEP_US: Final = 4.0
STEP_GHZ: Final = 3.2

_SUFFIXES: Final = {FLOAT: "", HALF: ".float16", DYNAMIC: ".dynamic", INT8: ".int8"}
_TFLITE: Final = {LITERT_FLOAT: "", LITERT_DYNAMIC: ".dynamic", LITERT_INT8: ".int8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where everything is."""

    folder: Path  # what bench.native_models wrote
    out: Path  # what edgernn made of it
    library: NativeLibrary


def compare_native(folder: Path) -> Iterator[Comparison]:
    """Builds models and peers in `folder` (in a process of its own), exports, compares."""
    folder.mkdir(exist_ok=True)
    if not (folder / f"{SHAPES[-1]}.keras").exists():
        subprocess.run(
            [sys.executable, "-m", "bench.native_models", str(folder)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    bench = Bench(folder=folder, out=folder / "out", library=NativeLibrary(folder))
    for shape in SHAPES:
        if not (bench.out / f"{shape}.int8.ernn").exists():
            _export(bench, shape)
    for shape in SHAPES:
        for batch in BATCHES:
            yield from _compare(bench, shape, batch)


def _export(bench: Bench, shape: Shape) -> None:
    model, calibration = bench.folder / f"{shape}.keras", bench.folder / f"{shape}.npz"
    command = ["edgernn", "export", str(model), "-o", str(bench.out), "--no-verify"]
    int8 = ["--scheme", "int8", "--calibrate", str(calibration), "--onnx-gru", "customop"]
    for more in (
        ["--to", "native,onnx,tflite"],
        ["--to", "native,tflite", "--scheme", "float16,dynamic"],
        ["--to", "native,onnx,tflite", *int8],
    ):
        subprocess.run(
            [sys.executable, "-m", *command, *more], check=True, stdout=subprocess.DEVNULL
        )


def _compare(bench: Bench, shape: Shape, batch: int) -> Iterator[Comparison]:
    calls = _calls(bench, shape, batch)
    roofline = None
    if batch == 1 and shape not in STEP:
        roofline = bench.library.roofline(shape, bench.out / f"{shape}.int8.ernn")
    measured = {**calls, **(roofline.calls() if roofline else {})}
    timed = alternate(measured, rounds=40, block_ms=6)
    for row in rows_of(shape, batch):
        if not {row.ours, row.peer} <= set(calls):
            continue  # OpenVINO is not installed, or RTNeural's source not named
        name = f"{row.ours} {shape} batch {batch} against {row.peer}"
        yield faster(name, timed, ours=row.ours, peer=row.peer, target=row.target)
    if batch > 1:
        return
    if shape in STEP:
        yield _step_from_c(bench, shape, timed)
        return
    if roofline:
        yield _share(shape, timed, roofline.milliseconds())


def _calls(bench: Bench, shape: Shape, batch: int) -> dict[str, Callable[[], object]]:
    """By name: what is compared with anything for this shape."""
    from edgernn.runtime import ort

    random = np.random.default_rng(0)
    x = random.normal(size=(batch, shape.steps, shape.features)).astype(np.float32)
    wanted = {name for row in rows_of(shape, batch) for name in (row.ours, row.peer)}
    if batch == 1:
        wanted.add(FROM_C)
    if importlib.util.find_spec("openvino") is None:
        wanted.discard(OPENVINO)
    source = rtneural_source()
    if source is None:
        wanted -= {RTNEURAL, FLOAT_FROM_C}
    integer = bench.out / f"{shape}.int8.ernn"
    timing = bench.library.steps if shape in STEP else bench.library.sequence
    makers: dict[str, Callable[[], Callable[[], object]]] = {
        FROM_C: lambda: timing(integer, x, shape.units),
        FLOAT_FROM_C: lambda: timing(bench.out / f"{shape}.ernn", x, shape.units),
        RTNEURAL: lambda: rtneural_call(source or Path(), bench.folder, shape, x),
        OPERATOR: lambda: onnx_call(
            bench.out / f"{shape}.int8.onnx", x, library=ort.library_path()
        ),
        STOCK: lambda: tflite_call(bench.folder / f"stock-{shape}.tflite", x),
        ORT: lambda: onnx_call(bench.out / f"{shape}.onnx", x),
        ORT_INT8: lambda: onnx_call(_quantized_by_ort(bench, shape), x),
        OPENVINO: lambda: openvino_call(bench.out / f"{shape}.onnx", x),
    }
    for name, suffix in _SUFFIXES.items():
        makers[name] = _native_maker(bench.out / f"{shape}{suffix}.ernn", shape, x)
    for name, suffix in _TFLITE.items():
        makers[name] = _tflite_maker(bench.out / f"{shape}{suffix}.tflite", x)
    return {name: make() for name, make in makers.items() if name in wanted}


def _native_maker(path: Path, shape: Shape, x: np.ndarray) -> Callable[[], Callable[[], object]]:
    return lambda: _python_call(path, shape, x)


def _tflite_maker(path: Path, x: np.ndarray) -> Callable[[], Callable[[], object]]:
    return lambda: tflite_call(path, x)


def _python_call(path: Path, shape: Shape, x: np.ndarray) -> Callable[[], object]:
    """One sequence of one step is a stream's step, with arrays that are kept."""
    import edgernn

    model = edgernn.Model(path)
    if shape not in STEP or len(x) > 1:
        return lambda: model(x)
    session, row, out = model.session(), x[0, 0], np.empty(shape.units, np.float32)
    return lambda: session.step(row, out=out)


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


def _step_from_c(bench: Bench, shape: Shape, timed: dict[str, Milliseconds]) -> Comparison:
    """Microseconds as they would be at STEP_GHZ: clocks differ from machine to machine."""
    ghz = bench.library.clock_hz() / 1e9
    step_us = float(min(timed[FROM_C])) / STEPS_A_CALL * 1e3
    return below(
        f"{FROM_C} {shape}, at {STEP_GHZ} GHz (here {ghz:.2f}: {step_us:.2f} µs)",
        step_us * ghz / STEP_GHZ,
        "µs",
        limit=STEP_US if shape.cell == "gru" else STEP_US * 4 / 3,
    )


def _share(shape: Shape, timed: dict[str, Milliseconds], limit_ms: float) -> Comparison:
    """The fastest round is compared: the roofline is the best that was measured, too."""
    ours_ms = float(min(timed[FROM_C]))
    return Comparison(
        name=f"{FROM_C} {shape}, share of the roofline",
        ours=f"{ours_ms:.3f} ms",
        peer=f"roofline {limit_ms:.3f} ms",
        ratio=limit_ms / ours_ms,
        target=LEAST_ROOFLINE,
    )


if __name__ == "__main__":
    from bench.comparison import head, line

    print(head())
    if len(sys.argv) > 1:
        for one in compare_native(Path(sys.argv[1])):
            print(line(one), flush=True)
    else:
        with tempfile.TemporaryDirectory() as made:
            for one in compare_native(Path(made)):
                print(line(one), flush=True)
