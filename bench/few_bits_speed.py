"""A step of native int8 and int4 models, in microseconds: hot, and after 48 MB of other memory.

    python -m bench.few_bits_speed [avx2|avx512vnni|…]

The two take turns, and the least (hot) and the median (cold) count: load on the machine hits both.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Final

import numpy as np

from edgernn import streaming
from edgernn.export.native import lower
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.runtime import Model
from edgernn.scheme import Scheme
from edgernn.selection.shapes import Shape, shaped_model

_SHAPES: Final = (
    Shape(cells=("gru",), steps=2, features=40, units=128),
    Shape(cells=("lstm",), steps=2, features=40, units=128),
    Shape(cells=("gru",), steps=2, features=64, units=256),
    Shape(cells=("gru",) * 3, steps=2, features=64, units=650),
)
_SCHEMES: Final = (Scheme.INT8, Scheme.INT4)
_ROUNDS: Final = 40
_OTHERS_BYTES: Final = 48 << 20


def step_files(shape: Shape) -> dict[Scheme, bytes]:
    """Step models of random weights, rounded to nearest: times do not depend on them."""
    graph = float_graph(shaped_model(shape).graph)
    rows = np.random.default_rng(1).normal(size=(8, shape.steps, shape.features))
    ranges = calibrate(graph, {"features": rows.astype(np.float32)})
    ranges = replace(ranges, moments={}, candidates={})
    return {
        scheme: lower(streaming.to_streaming(quantize(graph, ranges, scheme)), metadata={}).content
        for scheme in _SCHEMES
    }


def times(shape: Shape, isa: str | None) -> dict[Scheme, tuple[float, float]]:
    """Seconds of a step by scheme: hot and cold."""
    files = step_files(shape)
    sessions = {scheme: Model(content, isa=isa).session() for scheme, content in files.items()}
    row = np.zeros(shape.features, np.float32)
    others = np.zeros(_OTHERS_BYTES // 8)
    hot: dict[Scheme, list[float]] = {scheme: [] for scheme in sessions}
    cold: dict[Scheme, list[float]] = {scheme: [] for scheme in sessions}
    steps = 10 if shape.units > 256 else 100
    for _ in range(_ROUNDS):
        for scheme, session in sessions.items():
            others += 1
            began = time.perf_counter()
            session.step(row)
            cold[scheme].append(time.perf_counter() - began)
            began = time.perf_counter()
            for _ in range(steps):
                session.step(row)
            hot[scheme].append((time.perf_counter() - began) / steps)
    return {scheme: (min(hot[scheme]), float(np.median(cold[scheme]))) for scheme in sessions}


def main(arguments: list[str]) -> None:
    isa = arguments[0] if arguments else None
    for shape in _SHAPES:
        found = times(shape, isa)
        texts = [
            f"{scheme.value} {1e6 * hot:.1f} hot, {1e6 * cold:.0f} cold"
            for scheme, (hot, cold) in found.items()
        ]
        print(f"{shape.name}: {'; '.join(texts)} us", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
