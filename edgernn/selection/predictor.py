"""How long a call will take, before anything is trained: a model of the device, fitted once.

A prediction orders candidates.  It is never shown as a measurement: the winner is measured.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn import atomic
from edgernn.devices.device import Choices
from edgernn.errors import DeviceError
from edgernn.folders import cache_folder
from edgernn.profile.candidates import find_candidates
from edgernn.profile.measure import Plan
from edgernn.profile.pool import pooled
from edgernn.profile.profiling import begun
from edgernn.profile.workload import Workload
from edgernn.scheme import Scheme
from edgernn.selection.shapes import GATES, Shape, write_shapes
from edgernn.version import __version__

_VERSION: Final = 1
#: Short and long, narrow and wide, one layer and two: what is predicted lies between them.
CALIBRATION_SHAPES: Final = (
    Shape(cells=("gru",), steps=10, features=4, units=16),
    Shape(cells=("lstm",), steps=10, features=4, units=16),
    Shape(cells=("gru",), steps=100, features=4, units=16),
    Shape(cells=("lstm",), steps=100, features=4, units=16),
    Shape(cells=("gru",), steps=50, features=64, units=16),
    Shape(cells=("gru",), steps=20, features=16, units=256),
    Shape(cells=("lstm",), steps=20, features=16, units=256),
    Shape(cells=("gru",), steps=100, features=40, units=128),
    Shape(cells=("lstm",), steps=100, features=40, units=64),
    Shape(cells=("gru", "gru"), steps=50, features=13, units=64),
    Shape(cells=("lstm", "lstm"), steps=50, features=13, units=32),
    Shape(cells=("lstm",), steps=40, features=64, units=32),
)
#: Short processes; the least of their calls is used, which other programs cannot shorten.
_PLAN: Final = Plan(processes=2, min_time_s=0.08, warm_up_s=0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Milliseconds a call of one scheme on one device, as a sum of parts."""

    device: str
    backend: str
    scheme: Scheme
    parts_ms: tuple[float, ...]  # of `features_of`, each not negative

    def ms(self, shape: Shape) -> float:
        """Predicted time of a call."""
        return float(np.dot(features_of(shape), self.parts_ms))


def features_of(shape: Shape) -> npt.NDArray[np.float64]:
    """What takes time: the call, steps, gates, products with the input and with the state.

    Widths are padded as the kernels have them: units to 16, features to 4.
    """
    units = 16 * -(-shape.units // 16)
    gates = [GATES[cell] * units for cell in shape.cells]
    wide = [4 * -(-shape.features // 4), *[units] * (len(gates) - 1)]
    lstm = sum(4 * units for cell in shape.cells if cell == "lstm")
    steps = float(shape.steps)
    return np.array(
        [
            1.0,
            steps * len(gates),
            steps * sum(gates),
            steps * lstm,
            steps * shape.features,
            steps * sum(gate * width for gate, width in zip(gates, wide, strict=True)),
            steps * sum(gates) * units,
        ]
    )


def fitted(shapes: Sequence[Shape], measured_ms: Sequence[float]) -> tuple[float, ...]:
    """Non-negative least squares on relative errors: a short call counts as much as a long one."""
    design = np.array([features_of(one) for one in shapes]) / np.array(measured_ms)[:, None]
    scale = np.linalg.norm(design, axis=0)
    return tuple((_nonnegative(design / scale, np.ones(len(shapes))) / scale).tolist())


def predictor_of(
    device: str, *, backend: str, scheme: Scheme, progress: Callable[[str], None]
) -> Predictor:
    """From the cache, or else measured now, in about half a minute.  Raises DeviceError."""
    kept = _file(device, backend, scheme)
    if (found := _read(kept, device, backend, scheme)) is not None:
        return found
    progress(f"timing {len(CALIBRATION_SHAPES)} made-up models on {device}")
    measured = least_ms(CALIBRATION_SHAPES, device, backend=backend, scheme=scheme)
    predictor = Predictor(
        device=device,
        backend=backend,
        scheme=scheme,
        parts_ms=fitted(CALIBRATION_SHAPES, measured),
    )
    entry = {"version": _VERSION, "edgernn": __version__, **asdict(predictor)}
    atomic.write_bytes(kept, json.dumps(entry).encode() + b"\n")
    return predictor


def least_ms(
    shapes: Sequence[Shape], device: str, *, backend: str, scheme: Scheme
) -> tuple[float, ...]:
    """The shortest hot call of each shape, made with random weights.  Raises DeviceError."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        write_shapes(shapes, out, backend=backend, scheme=scheme)
        workload = Workload()
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        report = begun(now, _PLAN, workload)
        with closing(
            pooled(report, (device,), find_candidates([out]), workload, Choices())
        ) as advances:
            for advance in advances:
                report = advance.report
                if advance.failure is not None:
                    raise advance.failure
    found = {cell.item.model: cell for cell in report.cells}
    for shape in shapes:
        if not found[shape.name].runs:
            raise DeviceError(
                f"{device} gives no times, so none can be predicted: {found[shape.name].outcome}",
                remedy="Search without a limit of time, or on another --device",
            )
    return tuple(min(min(run.hot_ms) for run in found[shape.name].runs) for shape in shapes)


def _read(path: Path, device: str, backend: str, scheme: Scheme) -> Predictor | None:
    """What was measured with this version of edgernn."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        if (entry["version"], entry["edgernn"]) != (_VERSION, __version__):
            return None
        parts = tuple(float(part) for part in entry["parts_ms"])
    except (OSError, ValueError, KeyError, TypeError):  # no cache, or no use
        return None
    return Predictor(device=device, backend=backend, scheme=scheme, parts_ms=parts)


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
