"""Predicted times of models that the predictor was not calibrated on, beside measured ones.

`python -m bench predictor.json predictor` on a machine that does nothing else.  The best clock of a
shared machine in one minute may not be that of the next: one model of the calibration is timed
among the others, too, and their times are given at the clock that the calibration had.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Final

import numpy as np

from bench.comparison import Comparison, below
from edgernn.scheme import Scheme
from edgernn.selection.predictor import CALIBRATION_SHAPES, Predictor, fitted
from edgernn.selection.rounds import least_ms
from edgernn.selection.shapes import Shape

FRESH: Final = 20
REFERENCE: Final = Shape(cells=("gru",), steps=100, features=40, units=128)  # of a usual size
_MOST_MEDIAN: Final = 6.0  # percent
_MOST_P90: Final = 15.0
_MOST_SECONDS: Final = 30.0


def fresh_shapes(count: int = FRESH, *, seed: int = 1) -> list[Shape]:
    """Of sizes between those of the calibration, and none of them."""
    random = np.random.default_rng(seed)
    found: list[Shape] = []
    while len(found) < count:
        shape = Shape(
            cells=(str(random.choice(["gru", "lstm"])),) * int(random.integers(1, 3)),
            steps=int(random.integers(10, 101)),
            features=int(random.integers(4, 65)),
            units=16 * int(random.integers(1, 17)),
        )
        if shape not in (*found, *CALIBRATION_SHAPES):
            found.append(shape)
    return found


def compare_predictor(device: str = "cpu") -> Iterator[Comparison]:
    """Errors of native int8 and float32; each shape and its error go to stderr."""
    for scheme in (Scheme.INT8, Scheme.FLOAT32):
        began = time.monotonic()
        calibrated = least_ms(CALIBRATION_SHAPES, device, backend="native", scheme=scheme)
        seconds = time.monotonic() - began
        fit = fitted(CALIBRATION_SHAPES, calibrated, scheme)
        predictor = Predictor(device=device, backend="native", scheme=scheme, fit=fit)
        shapes = fresh_shapes()
        *raw, again = least_ms((*shapes, REFERENCE), device, backend="native", scheme=scheme)
        clock = calibrated[CALIBRATION_SHAPES.index(REFERENCE)] / again
        print(f"clock beside that of the calibration: {clock:.3f}", file=sys.stderr)
        measured = [clock * ms for ms in raw]
        errors = [
            100 * (predictor.ms(one) / ms - 1) for one, ms in zip(shapes, measured, strict=True)
        ]
        for shape, ms, error in sorted(
            zip(shapes, measured, errors, strict=True), key=lambda row: -abs(row[2])
        ):
            print(f"{shape.name:28} {1e3 * ms:8.1f} µs {error:+6.1f} %", file=sys.stderr)
        name = f"predicted time, native {scheme}, {FRESH} other shapes"
        size = np.abs(errors)
        yield below(f"{name}: median error", float(np.median(size)), "%", limit=_MOST_MEDIAN)
        yield below(f"{name}: 90 %", float(np.percentile(size, 90)), "%", limit=_MOST_P90)
        yield below(f"calibration, native {scheme}", seconds, "s", limit=_MOST_SECONDS)
