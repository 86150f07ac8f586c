"""Our int8 TFLite files beside the stock converter's: sizes, the cost of an export, latency."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.alternate import alternate
from bench.comparison import Comparison, below, faster
from bench.latency import tflite_call
from bench.stock_int8 import FEATURES, MODELS, OPEN_MODELS, STEPS
from edgernn.artefact import read_manifest

#: Of model.int8.tflite.
MOST_BYTES: Final = {"gru": 85_000, "lstm": 108_000, "gru-2": 200_000, "lstm-2": 260_000}

#: How much faster than each of the stock files.  There is no target for the LSTM stack.
LEAST_RATIO: Final = {"gru": 1.15, "lstm": 1.1, "gru-2": 1.4, "lstm-2": 1.0}

EXPORT_S: Final = 2.0

#: Lengths over which the time per step may deviate from its median by so much.
LENGTHS: Final = (100, 400, 1000, 4000)
MOST_DEVIATION_PERCENT: Final = 15.0


def compare_int8(folder: Path) -> list[Comparison]:
    """Builds models and stock files in `folder` (in a process of its own), exports, compares."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "bench.stock_int8", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    out = folder / "out"
    rows = []
    for model in MODELS:
        seconds = min(_export(folder / f"{model}.keras", out) for _ in range(3))
        rows.append(below(f"int8 export of {model}", seconds, "s", limit=EXPORT_S))
    for model in OPEN_MODELS:
        _export(folder / f"{model}.keras", out)
    sizes = {artefact.name: artefact.bytes for artefact in read_manifest(out)}
    for model, limit in MOST_BYTES.items():
        kilobytes = sizes[f"{model}.int8.tflite"] / 1000
        rows.append(below(f"size of {model}.int8.tflite", kilobytes, "kB", limit=limit / 1000))
    for model in MODELS:
        rows += _against_stock(model, folder, out)
    return [*rows, *(_linear_in_time(model, out) for model in OPEN_MODELS)]


def _export(model: Path, out: Path) -> float:
    """Wall time of the command line in seconds, calibration on 128 sequences included."""
    started = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "-m", "edgernn", "export", str(model), "-o", str(out)),
            *("--to", "tflite", "--scheme", "int8", "--no-verify"),
            *("--calibrate", str(model.parent / "calibration.npz")),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def _against_stock(model: str, folder: Path, out: Path) -> list[Comparison]:
    x = np.random.default_rng(1).normal(size=(1, STEPS, FEATURES)).astype(np.float32)
    timed = alternate(
        {
            "ours": tflite_call(out / f"{model}.int8.tflite", x),
            "unrolled int8": tflite_call(folder / f"stock-{model}.int8.tflite", x),
            "dynamic-range": tflite_call(folder / f"stock-{model}.dynamic.tflite", x),
        }
    )
    return [
        faster(
            f"{model} int8 TFLite against stock {peer}",
            timed,
            ours="ours",
            peer=peer,
            target=LEAST_RATIO[model],
        )
        for peer in ("unrolled int8", "dynamic-range")
    ]


def _linear_in_time(model: str, out: Path) -> Comparison:
    """The time per step over sequences of 100 to 4000 steps; each length has its interpreter."""
    random = np.random.default_rng(2)
    calls = {}
    for steps in LENGTHS:
        x = random.normal(size=(1, steps, FEATURES)).astype(np.float32)
        calls[str(steps)] = tflite_call(out / f"{model}.int8.tflite", x)
    timed = alternate(calls, rounds=30)
    per_step_us = {int(key): np.median(values) / int(key) * 1e3 for key, values in timed.items()}
    middle = float(np.median(list(per_step_us.values())))
    worst = max(abs(value / middle - 1) for value in per_step_us.values())
    told = " ".join(f"{steps}: {value:.2f}" for steps, value in per_step_us.items())
    return below(
        f"{model} int8, deviation of time per step (µs at {told})",
        100 * worst,
        "%",
        limit=MOST_DEVIATION_PERCENT,
    )
