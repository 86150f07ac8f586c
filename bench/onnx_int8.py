"""int8 ONNX files beside what ONNX Runtime's own quantizer makes of the float file.

Its quantizer leaves GRU layers in float, and gives other weights a sign with which products of
bytes saturate on CPUs that have AVX2 and no VNNI.  ONNX Runtime chooses its kernels by the CPU
alone; no setting or variable changes that.  So on a CPU with VNNI the errors are measured once
more in qemu, which plays one without (`-cpu Haswell`).  It tells nothing about latency.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.alternate import alternate
from bench.comparison import Comparison, below, faster
from bench.latency import onnx_call
from edgernn.export.keras.file import read_model
from edgernn.export.onnx import lower
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import FloatArray, Graph, Gru, Input, Lstm, Output, Recurrent, TensorSpec
from edgernn.scheme import Scheme
from edgernn.tasks.data import load

STEPS, FEATURES, UNITS = 100, 40, 128
#: A GRU for which integers pay on every CPU tried: from about 290 units on with AVX2 alone, where
#: the exporter draws the line, and from 330 on with AVX-512, whose floats are faster.
WIDE_UNITS: Final = 384
STOCK: Final = "quantize_dynamic"

#: Layers with weights of the size that training leaves, and whole models that were trained.
LAYERS: Final[dict[str, type[Recurrent]]] = {"gru": Gru, "lstm": Lstm}
TRAINED: Final = ("digits_gru", "digits_lstm")
GOLDEN: Final = Path(__file__).parent.parent / "tests" / "golden" / "trained"
ROWS: Final = 200  # recordings that the trained models are compared on

MOST_ERROR: Final = 0.03
MOST_OF_FLOAT: Final = 0.30
#: Of the float file's speed; a GRU this small is stored as int8 and computed in float.
LEAST_SPEED: Final = {"gru": 0.9, "lstm": 1.1}

QEMU: Final = "qemu-x86_64"


def compare_onnx_int8(folder: Path) -> list[Comparison]:
    """Writes the files into `folder`, runs them, compares."""
    folder.mkdir(parents=True, exist_ok=True)
    reasons = write_models(folder)
    rows = list(_sizes(folder))
    for cpu, command in _cpus():
        subprocess.run(
            [*command, sys.executable, "-m", "bench.onnx_int8", str(folder)],
            check=True,
            capture_output=True,
        )
        rows += _errors(folder, cpu)
    return [*rows, *_latencies(folder), *_choices(folder, reasons)]


def write_models(folder: Path) -> dict[str, str]:
    """Writes MODEL.KIND.onnx and MODEL.x.npy; returns why `auto` chose each GRU's form."""
    random = np.random.default_rng(0)
    reasons = {}
    for name, kind in LAYERS.items():
        graph = _layer(kind, UNITS, random)
        x = _normal(random, 33, STEPS, FEATURES)
        np.save(folder / f"{name}.x.npy", x[:1])
        _write(name, graph, x[1:], folder)
    for name in TRAINED:
        np.save(folder / f"{name}.x.npy", load("digits:test").x[:ROWS])
        graph = float_graph(read_model(GOLDEN / f"{name}.keras").graph)
        _write(name, graph, load("digits:calibration").x, folder)
    for units in (UNITS, WIDE_UNITS):
        graph = quantize(_layer(Gru, units, random), None, Scheme.DYNAMIC)
        for form in ("storage", "scan"):
            content = lower(graph, metadata={}, gru=form).content
            (folder / f"gru-{units}.{form}.onnx").write_bytes(content)
        reasons[f"gru-{units}"] = lower(graph, metadata={}).details["layer rnn"]
    return reasons


def _layer(kind: type[Recurrent], units: int, random: np.random.Generator) -> Graph:
    """x [batch, 100, 40] -> y [batch, 100, units]."""
    columns = len(kind.GATES) * units
    parts = {
        "kernel": 1.5 * (2 / (FEATURES + units)) ** 0.5 * _normal(random, FEATURES, columns),
        "recurrent_kernel": units**-0.5 * _normal(random, units, columns),
        "bias": 0.1 * _normal(random, columns),
    }
    own = {"state_c": "c"} if kind is Lstm else {"recurrent_bias": parts["bias"]}
    layer = kind(
        name="rnn", input="x", output="y", state_h="h", return_sequences=True, **parts, **own
    )
    entry = Input(name="x", spec=TensorSpec(shape=(None, STEPS, FEATURES)))
    output = Output(name="out", edge="y")
    return Graph(name="layer", inputs=(entry,), layers=(layer,), outputs=(output,))


def _normal(random: np.random.Generator, *shape: int) -> FloatArray:
    return random.normal(size=shape).astype(np.float32)


def _write(name: str, graph: Graph, calibration: FloatArray, folder: Path) -> None:
    from onnxruntime.quantization import quantize_dynamic

    ranges = calibrate(graph, {graph.inputs[0].name: calibration})
    for scheme in (Scheme.FLOAT32, Scheme.DYNAMIC, Scheme.INT8):
        small = quantize(graph, ranges if scheme is Scheme.INT8 else None, scheme)
        path = folder / f"{name}.{scheme.value}.onnx"
        path.write_bytes(lower(small, metadata={}).content)
    logging.getLogger().setLevel(logging.ERROR)  # it advises at length
    quantize_dynamic(folder / f"{name}.float32.onnx", folder / f"{name}.{STOCK}.onnx")


def _sizes(folder: Path) -> Iterator[Comparison]:
    for name in LAYERS:
        whole = (folder / f"{name}.float32.onnx").stat().st_size
        for kind in ("dynamic", "int8"):
            share = (folder / f"{name}.{kind}.onnx").stat().st_size / whole
            yield below(f"{name}.{kind}.onnx: size", share, "of float32", limit=MOST_OF_FLOAT)


def _cpus() -> Iterator[tuple[str, list[str]]]:
    """What to call each CPU, and what runs a program on it."""
    has_vnni = re.search(r"\b(avx512_vnni|avx_vnni)\b", Path("/proc/cpuinfo").read_text())
    yield "VNNI" if has_vnni else "no VNNI", []
    if not has_vnni:
        return
    if shutil.which(QEMU):
        yield "no VNNI", [QEMU, "-cpu", "Haswell"]
    else:
        print(f"{QEMU} is missing: errors without VNNI are not measured", file=sys.stderr)


def run_models(folder: Path) -> None:
    """Writes MODEL.KIND.npy, what each file answers to MODEL.x.npy, row by row."""
    for name in (*LAYERS, *TRAINED):
        for kind in ("float32", "dynamic", "int8", STOCK):
            path = folder / f"{name}.{kind}.onnx"
            rows = np.load(folder / f"{name}.x.npy")
            answers = [onnx_call(path, row[None])()[0] for row in rows]
            np.save(path.with_suffix(".npy"), np.concatenate(answers))


def _errors(folder: Path, cpu: str) -> Iterator[Comparison]:
    for name in (*LAYERS, *TRAINED):
        exact = np.load(folder / f"{name}.float32.npy")
        errors = {
            kind: np.abs(np.load(folder / f"{name}.{kind}.npy") - exact)
            for kind in ("dynamic", "int8", STOCK)
        }
        for kind in ("dynamic", "int8"):
            what = f"{name}.{kind}.onnx, {cpu}"
            if name in LAYERS:
                largest = float(errors[kind].max())
                yield below(f"{what}: largest error", largest, "", limit=MOST_ERROR)
            # ONNX Runtime's quantizer leaves the GRU in float: there is nothing to compare with.
            if "lstm" in name:
                ours, stock = float(errors[kind].mean()), float(errors[STOCK].mean())
                yield Comparison(
                    name=f"{what}: mean error beside {STOCK}",
                    ours=f"{ours:.5f} (largest {errors[kind].max():.3f})",
                    peer=f"{stock:.5f} (largest {errors[STOCK].max():.3f})",
                    ratio=stock / ours,
                    target=1.0,
                )


def _latencies(folder: Path) -> Iterator[Comparison]:
    for name, target in LEAST_SPEED.items():
        x = np.load(folder / f"{name}.x.npy")
        kinds = ("float32", "dynamic", "int8", STOCK)
        timed = alternate({kind: onnx_call(folder / f"{name}.{kind}.onnx", x) for kind in kinds})
        for kind in ("dynamic", "int8"):
            what = f"{name}.{kind}.onnx: latency beside float32"
            yield faster(what, timed, ours=kind, peer="float32", target=target)


def _choices(folder: Path, reasons: dict[str, str]) -> Iterator[Comparison]:
    """What `auto` writes is the faster of the two forms."""
    x = np.load(folder / "gru.x.npy")
    for name, reason in reasons.items():
        forms = ("storage", "scan")
        timed = alternate({form: onnx_call(folder / f"{name}.{form}.onnx", x) for form in forms})
        chosen, other = forms if "float32 when loaded" in reason else reversed(forms)
        why = reason.rpartition(": ")[2]
        row = faster(f"{name} auto, {why}", timed, ours=chosen, peer=other, target=1.0)
        yield replace(row, ours=f"{row.ours} {chosen}", peer=f"{row.peer} {other}")


if __name__ == "__main__":
    run_models(Path(sys.argv[1]))
