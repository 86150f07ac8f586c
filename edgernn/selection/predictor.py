"""How long a call will take, before anything is trained: a model of the device, fitted once.

A prediction orders candidates.  It is never shown as a measurement: the winner is measured.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn import atomic
from edgernn.folders import cache_folder
from edgernn.scheme import Numbers, Scheme
from edgernn.selection.rounds import least_ms
from edgernn.selection.shapes import GATES, Shape
from edgernn.version import __version__

_VERSION: Final = 4
#: Short and long, narrow and wide, one layer and two, weights below and above the size of caches:
#: what is predicted lies between them.
CALIBRATION_SHAPES: Final = tuple(
    Shape(cells=(cell,) * layers, steps=steps, features=features, units=units)
    for cell, layers, steps, features, units in (
        ("gru", 1, 10, 4, 16),
        ("gru", 1, 100, 4, 16),
        ("gru", 1, 50, 64, 16),
        ("gru", 1, 90, 45, 32),
        ("gru", 1, 98, 62, 64),
        ("gru", 1, 100, 40, 128),
        ("gru", 1, 20, 16, 256),
        ("gru", 2, 12, 24, 80),
        ("gru", 2, 90, 64, 64),
        ("gru", 2, 90, 22, 112),
        ("gru", 2, 15, 5, 192),
        ("lstm", 1, 10, 4, 16),
        ("lstm", 1, 40, 64, 32),
        ("lstm", 1, 95, 8, 48),
        ("lstm", 1, 100, 40, 64),
        ("lstm", 1, 60, 8, 176),
        ("lstm", 1, 41, 20, 192),
        ("lstm", 2, 90, 49, 16),
        ("lstm", 2, 50, 13, 32),
        ("lstm", 2, 23, 38, 128),
        ("lstm", 2, 80, 24, 240),
    )
)
#: Where weights may begin to be read from a slower cache, and from a still slower one.  Those that
#: fit best are taken.
_CACHE_BYTES: Final = (16_384, 24_576, 32_768, 40_960, 49_152, 65_536, 98_304, 131_072)
_SLOW_BYTES: Final = (262_144, 524_288, 1_048_576)
_WEIGHT_BYTES: Final = {
    Numbers.FLOAT32: 4.0,
    Numbers.FLOAT16: 2.0,
    Numbers.INT8: 1.0,
    Numbers.INT4: 0.5,
}
#: Steps whose products with the input are computed together (ERNN_CHUNK_STEPS in ernn.h).
_CHUNK_STEPS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A device's time as a sum of parts.

    parts_ms: of `features_of`, each not negative.  cache_bytes: recurrent weights above it cost
    more, and those above slow_bytes still more.
    """

    parts_ms: tuple[float, ...]
    cache_bytes: int
    slow_bytes: int = _SLOW_BYTES[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Milliseconds a call of one scheme on one device."""

    device: str
    backend: str
    scheme: Scheme
    fit: Fit

    def ms(self, shape: Shape) -> float:
        """Predicted time of a call."""
        features = features_of(shape, self.scheme, self.fit.cache_bytes, self.fit.slow_bytes)
        return float(np.dot(features, self.fit.parts_ms))


def features_of(
    shape: Shape, scheme: Scheme, cache_bytes: int, slow_bytes: int = _SLOW_BYTES[-1]
) -> npt.NDArray[np.float64]:
    """What takes time: the call, steps, gates, products with the input and with the state.

    Widths are padded as the kernels have them: units to 16, features to 4.
    All weights are read at each step, in one order.  A cache that keeps what was used last loses
    some of them before they come again, and all where they are twice as large as it is.
    """
    units = 16 * -(-shape.units // 16)
    gates = [GATES[cell] * units for cell in shape.cells]
    wide = [4 * -(-shape.features // 4), *[units] * (len(gates) - 1)]
    lstm = sum(units for cell in shape.cells if cell == "lstm")
    steps = float(shape.steps)
    weights = [_WEIGHT_BYTES[scheme.weights] * gate * units for gate in gates]
    return np.array(
        [
            1.0,
            steps * len(gates),
            steps * sum(gates),
            steps * lstm,
            steps * shape.features,
            steps * (len(gates) - 1) * units,  # handed on from layer to layer
            steps * sum(gate * width for gate, width in zip(gates, wide, strict=True)),
            -(-shape.steps // _CHUNK_STEPS) * sum(gates),
            steps * sum(gates) * units,
            steps * sum(min(one, 2 * max(0.0, one - cache_bytes)) for one in weights),
            steps * sum(max(0.0, one - slow_bytes) for one in weights),
        ]
    )


def fitted(shapes: Sequence[Shape], measured_ms: Sequence[float], scheme: Scheme) -> Fit:
    """Non-negative least squares on relative errors: a short call counts as much as a long one."""

    def tried(cache_bytes: int, slow_bytes: int) -> tuple[float, Fit]:
        rows = [features_of(one, scheme, cache_bytes, slow_bytes) for one in shapes]
        design = np.array(rows) / np.array(measured_ms)[:, None]
        scale = np.linalg.norm(design, axis=0)
        scale[scale == 0] = 1.0  # no weights are larger than this cache
        parts = _nonnegative(design / scale, np.ones(len(shapes))) / scale
        error = float(np.square(design @ parts - 1.0).sum())
        fit = Fit(parts_ms=tuple(parts.tolist()), cache_bytes=cache_bytes, slow_bytes=slow_bytes)
        return error, fit

    pairs = itertools.product(_CACHE_BYTES, _SLOW_BYTES)
    return min((tried(*pair) for pair in pairs), key=lambda found: found[0])[1]


def predictor_of(
    device: str, *, backend: str, scheme: Scheme, progress: Callable[[str], None]
) -> Predictor:
    """From the cache, or else measured now, in less than half a minute.  Raises DeviceError."""
    kept = _file(device, backend, scheme)
    if (found := _read(kept, device, backend, scheme)) is not None:
        return found
    progress(f"timing {len(CALIBRATION_SHAPES)} made-up models on {device}")
    measured = least_ms(CALIBRATION_SHAPES, device, backend=backend, scheme=scheme)
    predictor = Predictor(
        device=device,
        backend=backend,
        scheme=scheme,
        fit=fitted(CALIBRATION_SHAPES, measured, scheme),
    )
    entry = {"version": _VERSION, "edgernn": __version__, **asdict(predictor)}
    atomic.write_bytes(kept, json.dumps(entry).encode() + b"\n")
    return predictor


def _read(path: Path, device: str, backend: str, scheme: Scheme) -> Predictor | None:
    """What was measured with this version of edgernn."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if (entry["version"], entry["edgernn"]) != (_VERSION, __version__):
            return None
        fit = Fit(
            parts_ms=tuple(float(part) for part in entry["fit"]["parts_ms"]),
            cache_bytes=int(entry["fit"]["cache_bytes"]),
            slow_bytes=int(entry["fit"]["slow_bytes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):  # no cache, or no use
        return None
    return Predictor(device=device, backend=backend, scheme=scheme, fit=fit)


def _file(device: str, backend: str, scheme: Scheme) -> Path:
    name = re.sub(r"[^\w.-]", "_", device)
    return cache_folder() / "latency" / f"{name}.{backend}.{scheme.value}.json"


def _nonnegative(
    design: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The x ≥ 0 with the least |design x − wanted|² (Lawson and Hanson, 1974)."""
    x = np.zeros(design.shape[1])
    free = np.zeros(design.shape[1], bool)
    while True:
        slope = design.T @ (wanted - design @ x)
        slope[free] = -np.inf
        if free.all() or slope.max() <= 1e-10:
            return x
        free[int(slope.argmax())] = True
        while True:
            trial = np.zeros_like(x)
            trial[free] = np.linalg.lstsq(design[:, free], wanted, rcond=None)[0]
            if (trial[free] > 0).all():
                x = trial
                break
            falling = free & (trial <= 0)
            step = (x[falling] / (x[falling] - trial[falling] + 1e-300)).min()
            x = x + step * (trial - x)
            free &= x > 1e-12
